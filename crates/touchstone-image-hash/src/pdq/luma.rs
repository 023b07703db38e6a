//! From pixels to the floating-point luma that PDQ filters.

use super::Pdq;
use crate::picture::{Picture, Pixels};

/// Both sides of the largest picture that is not sampled first.
const WORKING_SIDE: usize = Pdq::WORKING_SIDE as usize;

/// A plane of luma values, row by row.
pub(super) struct Luma {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) values: Vec<f32>,
}

/// The luma of every pixel.
pub(super) fn full_size(picture: &Picture) -> Luma {
    let (rows, cols) = (picture.height() as usize, picture.width() as usize);
    let values = match picture.pixels() {
        Pixels::Grey(grey) => grey.iter().map(|&value| f32::from(value)).collect(),
        Pixels::Rgb(rgb) => {
            rgb.as_chunks().0.iter().map(|pixel: &[u8; 3]| weigh(pixel.map(f32::from))).collect()
        }
    };
    Luma { rows, cols, values }
}

/// The luma of a picture whose long sides were first shrunk to at most 512 pixels, each by a whole factor: every pixel is the mean
/// of a cell. The sides are shrunk apart from each other, since PDQ makes every picture square in the end.
pub(super) fn working_size(picture: &Picture) -> Luma {
    let (rows, cols) = (picture.height() as usize, picture.width() as usize);
    if rows <= WORKING_SIDE && cols <= WORKING_SIDE {
        return full_size(picture);
    }
    let (down, across) = (cells(rows), cells(cols));
    let values = match picture.pixels() {
        Pixels::Grey(grey) => mean_cells(grey, cols, &down, &across, |&[sum]| sum as f32),
        Pixels::Rgb(rgb) => {
            mean_cells(rgb, cols, &down, &across, |sums: &[u32; 3]| weigh(sums.map(|sum| sum as f32)))
        }
    };
    Luma { rows: down.len() - 1, cols: across.len() - 1, values }
}

/// Where the cells along a side begin, and the end of the last one.
fn cells(side: usize) -> Vec<usize> {
    let count = side.div_ceil(side.div_ceil(WORKING_SIDE));
    (0..=count).map(|cell| cell * side / count).collect()
}

/// How many rows of bytes can be added up in 16 bits.
const MAX_BAND: usize = 256;

/// The mean luma of each cell of an interleaved picture of `cols` columns. Sums are of integers, so their order does not matter,
/// and small enough (at most 32x32 pixels a cell below 16,384 a side) to be exact in single precision.
fn mean_cells<const CHANNELS: usize>(
    samples: &[u8],
    cols: usize,
    down: &[usize],
    across: &[usize],
    luma: impl Fn(&[u32; CHANNELS]) -> f32,
) -> Vec<f32> {
    let width = cols * CHANNELS;
    let n_across = across.len() - 1;
    let mut column_sums = vec![0u16; width];
    let mut sums = vec![[0u32; CHANNELS]; n_across];
    let mut means = Vec::with_capacity((down.len() - 1) * n_across);
    for rows in down.windows(2) {
        sums.fill([0; CHANNELS]);
        for band in samples[rows[0] * width..rows[1] * width].chunks(MAX_BAND * width) {
            column_sums.fill(0);
            for row in band.chunks_exact(width) {
                for (sum, &sample) in column_sums.iter_mut().zip(row) {
                    *sum += u16::from(sample);
                }
            }
            let pixels = column_sums.as_chunks::<CHANNELS>().0;
            match (cols % n_across, cols / n_across) {
                // Cells of one width, known to the compiler, are several times as fast.
                (0, 1) => add_cells::<CHANNELS, 1>(pixels, &mut sums),
                (0, 2) => add_cells::<CHANNELS, 2>(pixels, &mut sums),
                (0, 3) => add_cells::<CHANNELS, 3>(pixels, &mut sums),
                (0, 4) => add_cells::<CHANNELS, 4>(pixels, &mut sums),
                _ => {
                    for (columns, sums) in across.windows(2).zip(&mut sums) {
                        add_cell(&pixels[columns[0]..columns[1]], sums);
                    }
                }
            }
        }
        let height = rows[1] - rows[0];
        means.extend(across.windows(2).zip(&sums).map(|(columns, sums)| {
            let count = height * (columns[1] - columns[0]);
            luma(sums) / count as f32
        }));
    }
    means
}

fn add_cells<const CHANNELS: usize, const WIDTH: usize>(
    pixels: &[[u16; CHANNELS]],
    sums: &mut [[u32; CHANNELS]],
) {
    for (cell, sums) in pixels.as_chunks::<WIDTH>().0.iter().zip(sums) {
        add_cell(cell, sums);
    }
}

fn add_cell<const CHANNELS: usize>(pixels: &[[u16; CHANNELS]], sums: &mut [u32; CHANNELS]) {
    for pixel in pixels {
        for (sum, &sample) in sums.iter_mut().zip(pixel) {
            *sum += u32::from(sample);
        }
    }
}

/// ITU-R BT.601 luma. The order of the additions is part of the hash.
fn weigh([red, green, blue]: [f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}
