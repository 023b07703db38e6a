//! Pictures made smaller by averaging whole pixels.

/// Where the cells along a side begin, and the end of the last one: each is the same whole number of pixels or one less, and there are
/// at most `max_side`.
pub(crate) fn cells(side: usize, max_side: usize) -> Vec<usize> {
    let count = side.div_ceil(side.div_ceil(max_side));
    (0..=count).map(|cell| cell * side / count).collect()
}

/// How many rows of bytes can be added up in 16 bits.
const MAX_BAND: usize = 256;

/// What `mean` makes of the sums and the number of pixels of each cell of an interleaved picture of `cols` columns. Sums are of
/// integers, so their order does not matter.
pub(crate) fn mean_cells<const CHANNELS: usize, T>(
    samples: &[u8],
    cols: usize,
    down: &[usize],
    across: &[usize],
    mean: impl Fn(&[u64; CHANNELS], u64) -> T,
) -> Vec<T> {
    let width = cols * CHANNELS;
    let n_across = across.len() - 1;
    let mut column_sums = vec![0u16; width];
    let mut sums = vec![[0u64; CHANNELS]; n_across];
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
        means.extend(
            across
                .windows(2)
                .zip(&sums)
                .map(|(columns, sums)| mean(sums, (height * (columns[1] - columns[0])) as u64)),
        );
    }
    means
}

fn add_cells<const CHANNELS: usize, const WIDTH: usize>(
    pixels: &[[u16; CHANNELS]],
    sums: &mut [[u64; CHANNELS]],
) {
    for (cell, sums) in pixels.as_chunks::<WIDTH>().0.iter().zip(sums) {
        add_cell(cell, sums);
    }
}

fn add_cell<const CHANNELS: usize>(pixels: &[[u16; CHANNELS]], sums: &mut [u64; CHANNELS]) {
    for pixel in pixels {
        for (sum, &sample) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(sample);
        }
    }
}
