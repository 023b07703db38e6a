//! From pixels to the floating-point luma that PDQ filters.

use super::Pdq;
use crate::picture::{Picture, Pixels};
use crate::shrink::{cells, mean_cells};

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
        Pixels::LumaAndChroma(samples) => {
            samples.as_chunks().0.iter().map(|&[luma, _, _]| f32::from(luma)).collect()
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
    let (down, across) = (cells(rows, WORKING_SIDE), cells(cols, WORKING_SIDE));
    // Sums are small enough (at most 32x32 pixels a cell below 16,384 a side) to be exact in single precision.
    let values = match picture.pixels() {
        Pixels::Grey(grey) => {
            mean_cells(grey, cols, &down, &across, |&[sum], count| sum as f32 / count as f32)
        }
        Pixels::Rgb(rgb) => mean_cells(rgb, cols, &down, &across, |sums: &[u64; 3], count| {
            weigh(sums.map(|sum| sum as f32)) / count as f32
        }),
        Pixels::LumaAndChroma(samples) => {
            mean_cells(samples, cols, &down, &across, |&[luma, _, _], count| luma as f32 / count as f32)
        }
    };
    Luma { rows: down.len() - 1, cols: across.len() - 1, values }
}

/// ITU-R BT.601 luma. The order of the additions is part of the hash.
fn weigh([red, green, blue]: [f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}
