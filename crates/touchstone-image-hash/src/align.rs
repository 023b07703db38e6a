//! Lays a reference over a photo and moves it to where it fits.
//!
//! The windows, or the whole-picture hash, say roughly where a reference lies in a photo. From there an affine motion, and how much
//! brighter the photo is, are found by weighted least squares on the difference of the two (B. Lucas and T. Kanade, "An Iterative
//! Image Registration Technique", IJCAI 1981; S. Benhimane and E. Malis, "Real-time image-based tracking of planes", IROS 2004, for
//! the mean of both gradients). Cells that fit badly count little, so that what lies over the picture does not push it away.

use crate::fit::AGREES;
use crate::layout::{CELLS, Canvas, Cells, Layout, N_CELLS, correlation, fine_structure, smoothed};

/// Where points of the reference (0 to 1 along each side) lie in the photo (pixels of its canvas): `a` times the point plus `b`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pose {
    pub(crate) a: [f32; 4],
    pub(crate) b: [f32; 2],
}

/// A reference as it is compared with photos.
pub(crate) struct Target<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) luma: Box<Cells>,
    /// What is added to the luma of each cell to get its red, green and blue.
    channels: Box<[[f32; 3]; N_CELLS]>,
}

impl<'a> Target<'a> {
    pub(crate) fn of(layout: &'a Layout) -> Self {
        let mut channels = Box::new([[0.0; 3]; N_CELLS]);
        for (k, channels) in channels.iter_mut().enumerate() {
            let (blue, red) = layout.colour(Layout::colour_cell(k));
            *channels = channels_of(blue, red);
        }
        Self { layout, luma: layout.luma(), channels }
    }
}

/// What chroma adds to the luma to get red, green and blue (BT.601).
pub(crate) fn channels_of(blue: f32, red: f32) -> [f32; 3] {
    let (blue, red) = (blue - 128.0, red - 128.0);
    [1.402 * red, -0.344 * blue - 0.714 * red, 1.772 * blue]
}

/// How much brighter the photo is than the reference: `gain` times each channel plus `bias`, cut off at black and white.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tone {
    pub(crate) gain: f32,
    pub(crate) bias: f32,
}

/// The photo under each cell of a reference.
pub(crate) struct Under {
    pub(crate) luma: Box<Cells>,
    /// Whether the cell lies inside the photo.
    pub(crate) inside: Box<[bool; N_CELLS]>,
}

/// Rounds at most; the first ones look at smoothed cells, which draw from farther away.
const N_ROUNDS: usize = 10;
const N_COARSE_ROUNDS: usize = 4;

/// After the coarse rounds this share of the cells must be within so many grey values of what is expected, and the fine structure of
/// those that agree must be so much alike.
const HOPEFUL_SHARE: f32 = 0.6;
const ROUGHLY: f32 = 28.0;
const HOPEFUL_FINE: f32 = 0.5;

/// A reference of which less lies in the photo cannot be told.
const MIN_INSIDE: usize = N_CELLS / 8;

/// A reference smaller or larger than these shares of the photo is none.
const AREA: std::ops::RangeInclusive<f32> = 0.02..=12.0;

/// So many cells' worth of belief that black is black: where most is too bright to tell, the tone is a mere factor. It fades
/// where black is off by more than [`BLACK_SCALE`] grey values.
const BLACK_CELLS: f64 = 15.0;
const BLACK_SCALE: f32 = 20.0;

/// With fewer cells that are neither white nor black, all have to tell the tone.
const MIN_TELLING: usize = 20;

/// Samples along each side of a cell: to measure how it fits, and to move it there.
const SAMPLES: usize = 3;
const SAMPLES_TO_MOVE: usize = 2;

impl Pose {
    pub(crate) fn apply(&self, x: f32, y: f32) -> (f32, f32) {
        let Self { a, b } = self;
        (a[0] * x + a[1] * y + b[0], a[2] * x + a[3] * y + b[1])
    }

    /// The lengths in the photo of the reference's upper and left side.
    pub(crate) fn sides(&self) -> (f32, f32) {
        let [a, b, c, d] = self.a;
        ((a * a + c * c).sqrt(), (b * b + d * d).sqrt())
    }

    pub(crate) fn determinant(&self) -> f32 {
        self.a[0] * self.a[3] - self.a[1] * self.a[2]
    }

    /// The pose after the reference was moved within itself: right and down by `step[0]`, `step[3]`, and by the others for each side
    /// of distance from its middle.
    fn moved(&self, step: [f32; 6]) -> Self {
        let [right, right_x, right_y, down, down_x, down_y] = step;
        let m = [1.0 + right_x, right_y, down_x, 1.0 + down_y];
        let shift = [right - 0.5 * (right_x + right_y), down - 0.5 * (down_x + down_y)];
        let Self { a, b } = self;
        Self {
            a: [
                a[0] * m[0] + a[1] * m[2],
                a[0] * m[1] + a[1] * m[3],
                a[2] * m[0] + a[3] * m[2],
                a[2] * m[1] + a[3] * m[3],
            ],
            b: [a[0] * shift[0] + a[1] * shift[1] + b[0], a[2] * shift[0] + a[3] * shift[1] + b[1]],
        }
    }

    /// The photo under each cell.
    pub(crate) fn under(&self, canvas: &Canvas) -> Under {
        self.sampled::<SAMPLES>(canvas)
    }

    /// The photo under each cell, of which so many samples are taken along each side.
    fn sampled<const SAMPLES: usize>(&self, canvas: &Canvas) -> Under {
        const CELL: f32 = 1.0 / CELLS as f32;
        let (across, down) = self.sides();
        let level = canvas.level(across.min(down) * CELL, SAMPLES as f32 - 0.5);
        let mut under = Under { luma: Box::new([0.0; N_CELLS]), inside: Box::new([false; N_CELLS]) };
        for k in 0..N_CELLS {
            let (column, row) = ((k % CELLS) as f32, (k / CELLS) as f32);
            let (mut sum, mut inside) = (0.0, true);
            for v in 0..SAMPLES {
                for u in 0..SAMPLES {
                    let at =
                        |cell: f32, sample: usize| (cell + (sample as f32 + 0.5) / SAMPLES as f32) * CELL;
                    let (x, y) = self.apply(at(column, u), at(row, v));
                    inside &= canvas.holds(x, y);
                    sum += level.at(x, y);
                }
            }
            under.luma[k] = sum / (SAMPLES * SAMPLES) as f32;
            under.inside[k] = inside;
        }
        under
    }
}

impl Under {
    pub(crate) fn n_inside(&self) -> usize {
        self.inside.iter().filter(|inside| **inside).count()
    }
}

impl Tone {
    const SAME: Self = Self::times(1.0);

    const fn times(gain: f32) -> Self {
        Self { gain, bias: 0.0 }
    }

    /// The best tone of those found from each start, after some rounds of fitting and weighing.
    pub(crate) fn found(luma: &Cells, target: &Target<'_>, under: &Under) -> Self {
        // From one start alone it may end where the ground, which is most of a picture, outweighs all that stands on it: as it was,
        // overexposed, darkened, and as the spread of the luma has it.
        let starts = [Self::SAME, Self::times(1.5), Self::times(0.7), Self::of_spread(luma, under)];
        let mut best = (f32::INFINITY, Self::SAME);
        for mut tone in starts {
            for _ in 0..5 {
                let weights = tone.weights(luma, &tone.expected(luma, target), under, 3.0);
                let before = tone;
                tone = tone.fitted(luma, target, under, &weights);
                if (tone.gain - before.gain).abs() < 0.002 && (tone.bias - before.bias).abs() < 0.2 {
                    break;
                }
            }
            let expected = tone.expected(luma, target);
            let differences = (0..N_CELLS).filter(|&k| under.inside[k]).map(|k| under.luma[k] - expected[k]);
            let cost: f32 = differences.map(|d| d * d / (64.0 + d * d)).sum();
            if cost < best.0 {
                best = (cost, tone);
            }
        }
        best.1
    }

    /// The tone that takes the darker and the brighter cells of the reference, wherever they are, to those of the photo.
    fn of_spread(luma: &Cells, under: &Under) -> Self {
        let ends = |cells: &Cells| {
            let mut sorted: Vec<f32> = (0..N_CELLS).filter(|&k| under.inside[k]).map(|k| cells[k]).collect();
            sorted.sort_unstable_by(f32::total_cmp);
            (sorted[sorted.len() / 20], sorted[sorted.len() - 1 - sorted.len() / 20])
        };
        let ((dark, bright), (photo_dark, photo_bright)) = (ends(luma), ends(&under.luma));
        let gain = ((photo_bright - photo_dark) / (bright - dark).max(1.0)).clamp(0.3, 3.0);
        Self { gain, bias: photo_dark - gain * dark }
    }

    /// The luma of the photo where the reference has this luma and these channels.
    ///
    /// Channels are cut off one by one, so a coloured place that is too bright loses colour as well.
    pub(crate) fn of(self, luma: f32, channels: [f32; 3]) -> f32 {
        let [red, green, blue] = self.channels(luma, channels);
        0.299 * red + 0.587 * green + 0.114 * blue
    }

    /// Red, green and blue of the photo there.
    pub(crate) fn channels(self, luma: f32, channels: [f32; 3]) -> [f32; 3] {
        channels.map(|channel| (self.gain * (luma + channel).clamp(0.0, 255.0) + self.bias).clamp(0.0, 255.0))
    }

    /// The luma of the photo under each cell.
    pub(crate) fn expected(self, luma: &Cells, target: &Target<'_>) -> Box<Cells> {
        let mut expected = Box::new([0.0; N_CELLS]);
        for (k, expected) in expected.iter_mut().enumerate() {
            *expected = self.of(luma[k], target.channels[k]);
        }
        expected
    }

    /// Small weights for cells that fit badly: Cauchy's, squared, on the scale of the median difference of the cells that tell
    /// about the tone.
    fn weights(self, luma: &Cells, expected: &Cells, under: &Under, factor: f32) -> Box<Cells> {
        let difference = |k: usize| under.luma[k] - expected[k];
        let inside = || (0..N_CELLS).filter(|&k| under.inside[k]);
        let mut sizes: Vec<f32> = inside()
            .filter(|&k| !self.is_cut_off(luma[k], expected[k]))
            .map(|k| difference(k).abs())
            .collect();
        if sizes.len() < MIN_TELLING {
            sizes = inside().map(|k| difference(k).abs()).collect();
        }
        let middle = sizes.len() / 2;
        let (_, &mut median, _) = sizes.select_nth_unstable_by(middle, f32::total_cmp);
        let scale = (median * factor).max(4.0);
        let mut weights = Box::new([0.0; N_CELLS]);
        for k in inside() {
            let r = difference(k) / scale;
            weights[k] = 1.0 / ((1.0 + r * r) * (1.0 + r * r));
        }
        weights
    }

    /// Whether the cell is as white or as black as can be, so that it says little about the tone.
    fn is_cut_off(self, luma: f32, expected: f32) -> bool {
        (expected - (self.gain * luma + self.bias)).abs() > 1.5
    }

    /// The tone that fits best, by least squares over the cells with these weights.
    pub(crate) fn fitted(self, luma: &Cells, target: &Target<'_>, under: &Under, weights: &Cells) -> Self {
        let expected = self.expected(luma, target);
        let telling =
            (0..N_CELLS).filter(|&k| under.inside[k] && !self.is_cut_off(luma[k], expected[k])).count();
        let sums = |all: bool| {
            // Black stays black unless the picture says otherwise: the belief goes as that of any cell that fits badly.
            let doubt = f64::from(self.bias / BLACK_SCALE);
            let doubt = doubt * doubt;
            let mut sums = [BLACK_CELLS / ((1.0 + doubt) * (1.0 + doubt)), 0.0, 0.0, 0.0, 0.0];
            for k in (0..N_CELLS).filter(|&k| under.inside[k]) {
                if all || !self.is_cut_off(luma[k], expected[k]) {
                    let [w, t, v] = [weights[k], luma[k], under.luma[k]].map(f64::from);
                    for (sum, term) in sums.iter_mut().zip([w, w * t, w * v, w * t * t, w * t * v]) {
                        *sum += term;
                    }
                }
            }
            sums
        };
        let [n, t, v, tt, tv] = sums(telling < MIN_TELLING);
        let n = n.max(1e-9);
        let spread = tt - t * t / n;
        let gain = if spread > 4.0 * n { ((tv - t * v / n) / spread).clamp(0.3, 3.0) } else { 1.0 };
        Self { gain: gain as f32, bias: ((v - gain * t) / n) as f32 }
    }
}

/// The pose near `pose` in which the reference fits the photo best; `None` if too little of it lies in the photo.
pub(crate) fn align(target: &Target<'_>, canvas: &Canvas, mut pose: Pose) -> Option<Pose> {
    let smooth = smoothed(&target.luma, &[true; N_CELLS]);
    let mut tone = Tone::SAME;
    for round in 0..N_ROUNDS {
        let coarse = round < N_COARSE_ROUNDS;
        let mut under = pose.sampled::<SAMPLES_TO_MOVE>(canvas);
        if under.n_inside() < MIN_INSIDE {
            return None;
        }
        let luma: &Cells = if coarse { &smooth } else { &target.luma };
        if coarse {
            under.luma = smoothed(&under.luma, &under.inside);
        }
        if round == 0 {
            tone = Tone::found(luma, target, &under);
        }
        let expected = tone.expected(luma, target);
        if round == N_COARSE_ROUNDS && !is_hopeful(&expected, &under) {
            return None;
        }
        let weights = tone.weights(luma, &expected, &under, 2.5);
        tone = tone.fitted(luma, target, &under, &weights);
        let step = step(&tone.expected(luma, target), &under, &weights)?;
        pose = pose.moved(step);
        if !coarse && step.iter().all(|size| size.abs() < 0.001) {
            break;
        }
    }
    let whole = (canvas.width() * canvas.height()) as f32;
    AREA.contains(&(pose.determinant().abs() / whole)).then_some(pose)
}

/// Whether most cells are roughly as expected, and those that agree look alike, so that going on is worth while.
fn is_hopeful(expected: &Cells, under: &Under) -> bool {
    let off = |k: usize| (under.luma[k] - expected[k]).abs();
    let n_near = (0..N_CELLS).filter(|&k| under.inside[k] && off(k) < ROUGHLY).count();
    if (n_near as f32) < HOPEFUL_SHARE * under.n_inside() as f32 {
        return false;
    }
    let agrees: [bool; N_CELLS] = std::array::from_fn(|k| under.inside[k] && off(k) < AGREES);
    let (reference, photo) = (fine_structure(expected, &agrees), fine_structure(&under.luma, &agrees));
    correlation((0..N_CELLS).filter(|&k| agrees[k]).map(|k| (reference[k], photo[k]))) >= HOPEFUL_FINE
}

/// One step of Gauss and Newton, in shares of the reference's sides.
fn step(expected: &Cells, under: &Under, weights: &Cells) -> Option<[f32; 6]> {
    /// Keeps a motion that nothing in the picture fixes from being taken: shifts, then stretches.
    const DAMPING: [f64; 6] = [120.0, 15.0, 15.0, 120.0, 15.0, 15.0];
    /// In one step no shift is longer than a cell, and no stretch moves a side by more than one and a half.
    const LIMITS: [f64; 6] = [1.0, 3.0, 3.0, 1.0, 3.0, 3.0];
    let (mut normal, mut right_side) = ([[0.0_f64; 6]; 6], [0.0_f64; 6]);
    for y in 1..CELLS - 1 {
        for x in 1..CELLS - 1 {
            let k = y * CELLS + x;
            let (left, right, above, below) = (k - 1, k + 1, k - CELLS, k + CELLS);
            if [k, left, right, above, below].iter().any(|&k| !under.inside[k]) {
                continue;
            }
            let slope = |from: usize, to: usize| {
                0.25 * (under.luma[to] - under.luma[from] + expected[to] - expected[from])
            };
            let (across, down) = (slope(left, right), slope(above, below));
            let from_middle = |cell: usize| (cell as f32 + 0.5) / CELLS as f32 - 0.5;
            let (u, v) = (from_middle(x), from_middle(y));
            let row = [across, across * u, across * v, down, down * u, down * v].map(f64::from);
            let difference = f64::from(expected[k] - under.luma[k]);
            let weight = f64::from(weights[k]);
            for i in 0..6 {
                for j in i..6 {
                    normal[i][j] += weight * row[i] * row[j];
                }
                right_side[i] += weight * row[i] * difference;
            }
        }
    }
    let symmetric = std::array::from_fn(|i| {
        std::array::from_fn(|j| normal[i.min(j)][i.max(j)] + if i == j { DAMPING[i] } else { 0.0 })
    });
    let solution = solve(symmetric, right_side)?;
    Some(std::array::from_fn(|i| (solution[i].clamp(-LIMITS[i], LIMITS[i]) / CELLS as f64) as f32))
}

/// Gauss's elimination with the largest pivot.
fn solve(mut matrix: [[f64; 6]; 6], mut right: [f64; 6]) -> Option<[f64; 6]> {
    for column in 0..6 {
        let size = |row: usize| matrix[row][column].abs();
        let pivot = (column..6).max_by(|&a, &b| size(a).total_cmp(&size(b)))?;
        if size(pivot) < 1e-12 {
            return None;
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        for row in column + 1..6 {
            let factor = matrix[row][column] / matrix[column][column];
            let above = matrix[column];
            for (value, above) in matrix[row].iter_mut().zip(above).skip(column) {
                *value -= factor * above;
            }
            right[row] -= factor * right[column];
        }
    }
    for column in (0..6).rev() {
        for k in column + 1..6 {
            right[column] -= matrix[column][k] * right[k];
        }
        right[column] /= matrix[column][column];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;
    use crate::plane::Planes;

    const SIDE: u32 = 160;

    fn value(x: u32, y: u32) -> u8 {
        (120.0 + 60.0 * (x as f32 / 9.0).sin() * (y as f32 / 13.0).cos() + 50.0 * (y as f32 / 31.0).sin())
            as u8
    }

    fn planes(width: u32, height: u32, value: impl Fn(u32, u32) -> u8) -> Planes {
        let grey =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| value(x, y)).collect();
        Planes::of(&Picture::from_grey(width, height, grey).unwrap())
    }

    fn whole() -> Pose {
        Pose { a: [SIDE as f32, 0.0, 0.0, SIDE as f32], b: [0.0, 0.0] }
    }

    /// How far the corners of two poses lie apart at most, in cells of the reference.
    fn apart(one: &Pose, other: &Pose) -> f32 {
        let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
        let distance = |(x, y)| {
            let ((a, b), (c, d)) = (one.apply(x, y), other.apply(x, y));
            ((a - c) * (a - c) + (b - d) * (b - d)).sqrt()
        };
        corners.into_iter().map(distance).fold(0.0, f32::max) / (SIDE as f32 / CELLS as f32)
    }

    /// Aligns the reference from one place in a photo in which it lies at another.
    fn aligned_from(pose: Pose, photo: impl Fn(u32, u32) -> u8) -> Option<Pose> {
        let layout = Layout::of(&planes(SIDE, SIDE, value));
        align(&Target::of(&layout), &Canvas::of(&planes(SIDE, SIDE, photo)), pose)
    }

    #[test]
    fn a_place_that_is_off_is_put_right_whatever_the_tone_and_the_cover() {
        let off = Pose { a: [168.0, 4.0, -3.0, 153.0], b: [-6.0, 5.0] };
        type Photo = fn(u32, u32) -> u8;
        let photos: [(&str, Photo); 5] = [
            ("as it was", value),
            ("darker", |x, y| (f32::from(value(x, y)) * 0.6) as u8),
            ("overexposed", |x, y| (f32::from(value(x, y)) * 1.4).min(255.0) as u8),
            ("of less contrast", |x, y| (f32::from(value(x, y)) * 0.6 + 70.0) as u8),
            ("covered", |x, y| if (60..90).contains(&y) { 255 } else { value(x, y) }),
        ];
        for (name, photo) in photos {
            let pose = aligned_from(off, photo).unwrap();
            assert!(apart(&pose, &whole()) < 0.3, "{name}: {} cells off", apart(&pose, &whole()));
        }
    }

    #[test]
    fn a_place_outside_or_in_another_picture_is_given_up() {
        let beyond = Pose { b: [SIDE as f32, 0.0], ..whole() };
        assert_eq!(aligned_from(beyond, value), None);
        assert_eq!(aligned_from(whole(), |x, y| if (x / 20 + y / 20) % 2 == 0 { 0 } else { 255 }), None);
    }

    #[test]
    fn moving_a_reference_within_itself_moves_it_in_the_photo() {
        let pose = Pose { a: [100.0, 0.0, 0.0, 50.0], b: [10.0, 20.0] };
        let moved = pose.moved([0.1, 0.0, 0.0, -0.2, 0.0, 0.0]);
        assert!(apart(&moved, &Pose { b: [20.0, 10.0], ..pose }) < 1e-4);
        let wider = pose.moved([0.0, 0.1, 0.0, 0.0, 0.0, 0.0]);
        assert!(apart(&wider, &Pose { a: [110.0, 0.0, 0.0, 50.0], b: [5.0, 20.0] }) < 1e-4);
    }
}
