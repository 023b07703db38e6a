//! Jarosz filter and decimation: from a luma plane of any size to 64x64 samples.
//!
//! A tent filter is approximated by two rounds of box filters, along rows and then along columns (W. Jarosz, "Fast Image
//! Convolutions", SIGGRAPH@UIUC 2001). Every mean comes from a running sum in single precision, and its rounding is part of the
//! hash: a sum is updated by first adding the value that enters the window and then subtracting the one that leaves it. The code
//! below works on many rows or columns side by side, which changes no single sum.

use super::luma::Luma;

/// Rows and columns of the reduced picture.
pub(super) const SIDE: usize = 64;

/// The reduced picture, row by row.
pub(super) type Samples = [[f32; SIDE]; SIDE];

/// How many rows are filtered side by side.
const LANES: usize = 8;

/// Filters the plane twice and takes the sample nearest to the middle of each of 64x64 cells.
///
/// A plane of 64x64 is taken as it is, as the reference does.
pub(super) fn reduce(luma: Luma) -> Samples {
    let Luma { rows, cols, mut values } = luma;
    if rows == SIDE && cols == SIDE {
        return std::array::from_fn(|y| std::array::from_fn(|x| values[y * SIDE + x]));
    }
    let (across, down) = (Window::for_side(cols), Window::for_side(rows));
    let (sampled_cols, sampled_rows) = (centres(cols), centres(rows));

    let mut filtered = vec![0.0; values.len()];
    let every_col: Vec<usize> = (0..cols).collect();
    box_along_rows(&values, cols, across, &every_col, &mut filtered);
    box_along_cols(&filtered, cols, down, |row, means| values[row * cols..][..cols].copy_from_slice(means));
    // The second round needs the sampled columns and rows alone.
    let mut narrow = vec![0.0; rows * SIDE];
    box_along_rows(&values, cols, across, &sampled_cols, &mut narrow);
    let mut samples = [[0.0; SIDE]; SIDE];
    box_along_cols(&narrow, SIDE, down, |row, means| {
        for (sample, _) in samples.iter_mut().zip(sampled_rows).filter(|(_, sampled)| *sampled == row) {
            sample.copy_from_slice(means);
        }
    });
    samples
}

/// The middle of each of 64 cells along a side of `side` pixels; cells share pixels if there are fewer than 64.
fn centres(side: usize) -> [usize; SIDE] {
    std::array::from_fn(|cell| (2 * cell + 1) * side / (2 * SIDE))
}

/// A box window over a line of `len` values: it reaches `ahead` values past the middle and `behind - 1` before it.
#[derive(Clone, Copy)]
struct Window {
    len: usize,
    ahead: usize,
    behind: usize,
}

/// What changes when the window moves on to a position: indices that enter and leave, and how many values it then holds.
struct Step {
    enters: Option<usize>,
    leaves: Option<usize>,
    held: f32,
}

impl Window {
    /// Two rounds of this width together span one of 64 cells, so each is a 128th of the side, rounded up.
    fn for_side(len: usize) -> Self {
        let width = len.div_ceil(2 * SIDE);
        let ahead = width / 2;
        Self { len, ahead, behind: width - ahead }
    }

    fn step(self, position: usize) -> Step {
        let entering = position + self.ahead;
        let enters = (entering < self.len).then_some(entering);
        let leaves = position.checked_sub(self.behind);
        let first = leaves.map_or(0, |leaving| leaving + 1);
        let held = (enters.map_or(self.len, |entering| entering + 1) - first) as f32;
        Step { enters, leaves, held }
    }
}

/// Filters each row of `cols` values and writes the means at the positions `kept`, row after row.
fn box_along_rows(values: &[f32], cols: usize, window: Window, kept: &[usize], means: &mut [f32]) {
    let mut lanes = vec![[0.0; LANES]; cols];
    let mut filtered = vec![[0.0; LANES]; cols];
    for (rows, out) in values.chunks(LANES * cols).zip(means.chunks_mut(LANES * kept.len())) {
        for (lane, row) in rows.chunks_exact(cols).enumerate() {
            for (column, &value) in lanes.iter_mut().zip(row) {
                column[lane] = value;
            }
        }
        box_along_lanes(&lanes, window, &mut filtered);
        for (lane, out) in out.chunks_exact_mut(kept.len()).enumerate() {
            for (mean, &column) in out.iter_mut().zip(kept) {
                *mean = filtered[column][lane];
            }
        }
    }
}

/// Filters eight rows at once; `lanes[x]` holds the values of the eight rows in column `x`.
fn box_along_lanes(lanes: &[[f32; LANES]], window: Window, filtered: &mut [[f32; LANES]]) {
    let mut sum = [0.0; LANES];
    for entering in &lanes[..window.ahead] {
        add(&mut sum, entering);
    }
    for (position, means) in filtered.iter_mut().enumerate() {
        let step = window.step(position);
        if let Some(entering) = step.enters {
            add(&mut sum, &lanes[entering]);
        }
        if let Some(leaving) = step.leaves {
            subtract(&mut sum, &lanes[leaving]);
        }
        for (mean, sum) in means.iter_mut().zip(&sum) {
            *mean = sum / step.held;
        }
    }
}

/// Filters each of the `cols` columns and hands over the means row by row.
fn box_along_cols(values: &[f32], cols: usize, window: Window, mut take: impl FnMut(usize, &[f32])) {
    let row = |index: usize| &values[index * cols..][..cols];
    let mut sum = vec![0.0; cols];
    let mut means = vec![0.0; cols];
    for entering in 0..window.ahead {
        add(&mut sum, row(entering));
    }
    for position in 0..window.len {
        let step = window.step(position);
        if let Some(entering) = step.enters {
            add(&mut sum, row(entering));
        }
        if let Some(leaving) = step.leaves {
            subtract(&mut sum, row(leaving));
        }
        for (mean, sum) in means.iter_mut().zip(&sum) {
            *mean = sum / step.held;
        }
        take(position, &means);
    }
}

fn add(sum: &mut [f32], values: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += value;
    }
}

fn subtract(sum: &mut [f32], values: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum -= value;
    }
}
