//! A reference at the size of a thumbnail, stretched to a square: what a photo is compared with, cell by cell.

use touchstone_types::Transform;

use crate::plane::{Plane, Planes};
use crate::windows::matrix;

/// Cells along each side.
pub(crate) const CELLS: usize = 24;

/// All cells.
pub(crate) const N_CELLS: usize = CELLS * CELLS;

/// Cells along each side of the colours.
pub(crate) const COLOUR_CELLS: usize = 8;

const N_COLOUR_CELLS: usize = COLOUR_CELLS * COLOUR_CELLS;

/// Bytes of a layout.
pub(crate) const LAYOUT_BYTES: usize = N_CELLS + 2 * N_COLOUR_CELLS;

/// One value for each cell, row by row.
pub(crate) type Cells = [f32; N_CELLS];

/// The mean luma and colours of each cell, as bytes: the luma of [`CELLS`] rows, then blue and red chroma of [`COLOUR_CELLS`] rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout(Box<[u8; LAYOUT_BYTES]>);

impl Layout {
    pub(crate) fn of(planes: &Planes) -> Self {
        let mut bytes = Box::new([0; LAYOUT_BYTES]);
        let (luma, colours) = bytes.split_at_mut(N_CELLS);
        let (blue, red) = colours.split_at_mut(N_COLOUR_CELLS);
        for (plane, cells, out) in [
            (&planes.luma, CELLS, luma),
            (&planes.blue, COLOUR_CELLS, blue),
            (&planes.red, COLOUR_CELLS, red),
        ] {
            for (byte, value) in out.iter_mut().zip(&plane.shrunk(cells, cells).values) {
                *byte = (value + 0.5) as u8;
            }
        }
        Self(bytes)
    }

    pub(crate) fn from_bytes(bytes: &[u8; LAYOUT_BYTES]) -> Self {
        Self(Box::new(*bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; LAYOUT_BYTES] {
        &self.0
    }

    pub(crate) fn luma(&self) -> Box<Cells> {
        let mut cells = Box::new([0.0; N_CELLS]);
        cells.iter_mut().zip(self.0.iter()).for_each(|(cell, &byte)| *cell = f32::from(byte));
        cells
    }

    /// The colour cell over a cell.
    pub(crate) const fn colour_cell(cell: usize) -> usize {
        const STEP: usize = CELLS / COLOUR_CELLS;
        cell / CELLS / STEP * COLOUR_CELLS + cell % CELLS / STEP
    }

    /// Blue and red chroma of a colour cell; 128 is no colour.
    pub(crate) fn colour(&self, cell: usize) -> (f32, f32) {
        (f32::from(self.0[N_CELLS + cell]), f32::from(self.0[N_CELLS + N_COLOUR_CELLS + cell]))
    }

    /// The layout of the picture after `transform`.
    pub(crate) fn turned(&self, transform: Transform) -> Self {
        let mut bytes = Box::new([0; LAYOUT_BYTES]);
        for (start, side) in [(0, CELLS), (N_CELLS, COLOUR_CELLS), (N_CELLS + N_COLOUR_CELLS, COLOUR_CELLS)] {
            for cell in 0..side * side {
                let to = turned_cell(cell, side, transform);
                bytes[start + to] = self.0[start + cell];
            }
        }
        Self(bytes)
    }

    /// Whether two references are the same picture for all that their layouts tell: fine structure and colours agree.
    pub(crate) fn is_near(&self, other: &Self) -> bool {
        let (a, b) = (self.luma(), other.luma());
        let everywhere = [true; N_CELLS];
        let (fine_a, fine_b) = (fine_structure(&a, &everywhere), fine_structure(&b, &everywhere));
        let colours_differ = (0..N_COLOUR_CELLS).map(|cell| {
            let ((blue, red), (other_blue, other_red)) = (self.colour(cell), other.colour(cell));
            (blue - other_blue).abs() + (red - other_red).abs()
        });
        let most = colours_differ.fold(0.0, f32::max);
        most < 12.0 && correlation(fine_a.iter().copied().zip(fine_b.iter().copied())) > 0.97
    }
}

/// Where a cell of a square lies after `transform`.
fn turned_cell(cell: usize, side: usize, transform: Transform) -> usize {
    let [a, b, c, d] = matrix(transform).map(|v| v as i32);
    // Twice the way from the middle, which may lie between two cells.
    let last = side as i32 - 1;
    let (x, y) = (2 * (cell % side) as i32 - last, 2 * (cell / side) as i32 - last);
    let place = |way: i32| ((way + last) / 2) as usize;
    place(c * x + d * y) * side + place(a * x + b * y)
}

/// What is left of each known cell when the mean of the known cells around it is taken away; 0 where nothing is known.
pub(crate) fn fine_structure(cells: &Cells, known: &[bool; N_CELLS]) -> Box<Cells> {
    let smooth = smoothed(cells, known);
    let mut fine = Box::new([0.0; N_CELLS]);
    for k in 0..N_CELLS {
        if known[k] {
            fine[k] = cells[k] - smooth[k];
        }
    }
    fine
}

/// The mean of each known cell and the known ones around it, weighed 1 2 1 in both directions.
pub(crate) fn smoothed(cells: &Cells, known: &[bool; N_CELLS]) -> Box<Cells> {
    let mut smooth = Box::new([0.0; N_CELLS]);
    for y in 0..CELLS {
        for x in 0..CELLS {
            let k = y * CELLS + x;
            if !known[k] {
                continue;
            }
            let (mut sum, mut total) = (0.0, 0.0);
            for v in y.saturating_sub(1)..=(y + 1).min(CELLS - 1) {
                for u in x.saturating_sub(1)..=(x + 1).min(CELLS - 1) {
                    if known[v * CELLS + u] {
                        let weight = f32::from(1 + u8::from(u == x)) * f32::from(1 + u8::from(v == y));
                        sum += weight * cells[v * CELLS + u];
                        total += weight;
                    }
                }
            }
            smooth[k] = sum / total;
        }
    }
    smooth
}

/// Pearson's correlation; 0 where one side does not vary.
pub(crate) fn correlation(pairs: impl Iterator<Item = (f32, f32)> + Clone) -> f32 {
    let (mut n, mut sum_a, mut sum_b) = (0.0_f64, 0.0, 0.0);
    for (a, b) in pairs.clone() {
        n += 1.0;
        sum_a += f64::from(a);
        sum_b += f64::from(b);
    }
    let (mean_a, mean_b) = (sum_a / n.max(1.0), sum_b / n.max(1.0));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in pairs {
        let (a, b) = (f64::from(a) - mean_a, f64::from(b) - mean_b);
        aa += a * a;
        bb += b * b;
        ab += a * b;
    }
    let scale = (aa * bb).sqrt();
    if scale > 1e-9 { (ab / scale) as f32 } else { 0.0 }
}

/// What is kept of a listing's photo to lay references over it: bytes, because it is kept in caches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Canvas {
    /// Luma, each level half the size of the one before.
    luma: Vec<Bytes>,
    /// The luma at the working size, for a closer look, and at each half of the size before.
    working: Vec<Bytes>,
    blue: Bytes,
    red: Bytes,
}

/// The longer side of a canvas is at most so many pixels.
const CANVAS_SIDE: usize = 160;

/// A side of the colours to one of the canvas.
const COLOUR_STEP: usize = 4;

impl Canvas {
    pub(crate) fn of(planes: &Planes) -> Self {
        let (width, height) = crate::plane::fitted(planes.luma.width, planes.luma.height, CANVAS_SIDE);
        let luma = halves(planes.luma.shrunk(width, height));
        let (width, height) = (width.div_ceil(COLOUR_STEP), height.div_ceil(COLOUR_STEP));
        let colour = |plane: &Plane| Bytes::of(&plane.shrunk(width, height));
        Self {
            luma,
            working: halves(planes.luma.clone()),
            blue: colour(&planes.blue),
            red: colour(&planes.red),
        }
    }

    pub(crate) fn width(&self) -> usize {
        self.luma[0].width
    }

    pub(crate) fn height(&self) -> usize {
        self.luma[0].height
    }

    /// The luma at a pixel of the canvas.
    pub(crate) fn pixel(&self, x: usize, y: usize) -> f32 {
        f32::from(self.luma[0].values[y * self.luma[0].width + x])
    }

    /// The luma at a point, from the coarsest level on which `footprint` pixels of the canvas are still `wanted` pixels.
    pub(crate) fn level(&self, footprint: f32, wanted: f32) -> Level<'_> {
        self.asked_by_points(coarsest(&self.luma, footprint, wanted))
    }

    /// The luma at a point, from the coarsest level whose pixels are no larger than `footprint` pixels of the working size.
    pub(crate) fn working_level(&self, footprint: f32) -> Level<'_> {
        self.asked_by_points(coarsest(&self.working, footprint, 1.0))
    }

    fn asked_by_points<'a>(&self, bytes: &'a Bytes) -> Level<'a> {
        let share = |part: usize, whole: usize| part as f32 / whole as f32;
        Level { bytes, across: share(bytes.width, self.width()), down: share(bytes.height, self.height()) }
    }

    /// Pixels of the working size to one of the canvas.
    pub(crate) fn working_per_pixel(&self) -> f32 {
        self.working[0].width as f32 / self.width() as f32
    }

    /// Whether a point lies in the canvas, but for rounding.
    pub(crate) fn holds(&self, x: f32, y: f32) -> bool {
        let (width, height) = (self.width() as f32, self.height() as f32);
        x >= -0.6 && y >= -0.6 && x <= width + 0.6 && y <= height + 0.6
    }

    /// Blue and red chroma at a point.
    pub(crate) fn colour(&self, x: f32, y: f32) -> (f32, f32) {
        let x = x * self.blue.width as f32 / self.width() as f32;
        let y = y * self.blue.height as f32 / self.height() as f32;
        (self.blue.at(x, y), self.red.at(x, y))
    }

    /// Whether there is no more colour in it than JPEG leaves in a grey picture.
    pub(crate) fn is_grey(&self) -> bool {
        let off = |plane: &Bytes| plane.values.iter().map(|v| u64::from(v.abs_diff(128))).sum::<u64>();
        off(&self.blue) + off(&self.red) <= self.blue.values.len() as u64
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.luma
            .iter()
            .chain(&self.working)
            .chain([&self.blue, &self.red])
            .map(|plane| plane.values.len())
            .sum()
    }
}

/// A plane, and each half of the size before while there is enough to halve.
fn halves(mut plane: Plane) -> Vec<Bytes> {
    let mut levels = vec![Bytes::of(&plane)];
    while plane.width >= 32 && plane.height >= 32 {
        plane = plane.shrunk(plane.width / 2, plane.height / 2);
        levels.push(Bytes::of(&plane));
    }
    levels
}

/// The coarsest of these [`halves`] on which `footprint` pixels of the first are still `wanted` pixels.
fn coarsest(levels: &[Bytes], footprint: f32, wanted: f32) -> &Bytes {
    let mut number = 0;
    while number + 1 < levels.len() && footprint / (2 << number) as f32 >= wanted {
        number += 1;
    }
    &levels[number]
}

/// One level of a canvas, asked by points of the canvas.
pub(crate) struct Level<'a> {
    bytes: &'a Bytes,
    across: f32,
    down: f32,
}

impl Level<'_> {
    #[inline]
    pub(crate) fn at(&self, x: f32, y: f32) -> f32 {
        self.bytes.at(x * self.across, y * self.down)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bytes {
    width: usize,
    height: usize,
    values: Vec<u8>,
}

impl Bytes {
    fn of(plane: &Plane) -> Self {
        let values = plane.values.iter().map(|value| (value + 0.5) as u8).collect();
        Self { width: plane.width, height: plane.height, values }
    }

    /// The value at a point, linearly between the four pixels around it (pixel 0 has its middle at 0.5); beyond the rim that of the
    /// rim.
    #[inline]
    fn at(&self, x: f32, y: f32) -> f32 {
        let (x, y) = ((x - 0.5).max(0.0), (y - 0.5).max(0.0));
        // To 32 bits and no further: the processor has an instruction for that.
        let whole = |at: f32, side: usize| (at as i32 as usize).min(side - 1);
        let (left, top) = (whole(x, self.width), whole(y, self.height));
        let (right, below) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let (fx, fy) = ((x - left as f32).min(1.0), (y - top as f32).min(1.0));
        let between = |row: usize| {
            let row = &self.values[row * self.width..][..self.width];
            let (here, next) = (f32::from(row[left]), f32::from(row[right]));
            here + (next - here) * fx
        };
        let (upper, lower) = (between(top), between(below));
        upper + (lower - upper) * fy
    }
}

#[cfg(test)]
mod tests {
    use image::{RgbImage, imageops};

    use super::*;
    use crate::decode::{Colours, DecodeLimits, decode_colours};

    fn layout(picture: &RgbImage) -> Layout {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        let limits = DecodeLimits::default();
        let picture = decode_colours(bytes.get_ref(), &limits, Colours::LumaAndChroma).unwrap();
        Layout::of(&Planes::of(&picture))
    }

    #[test]
    fn a_turned_layout_is_that_of_the_turned_picture() {
        let picture = RgbImage::from_fn(192, 240, |x, y| {
            let (u, v) = (x / 9 * 7919 % 83, y / 7 * 104_729 % 61);
            image::Rgb([(u * v % 230) as u8, (x + y / 2) as u8, (200 - y / 2) as u8])
        });
        let upright = layout(&picture);
        let turned: [(Transform, RgbImage); 8] = [
            (Transform::None, picture.clone()),
            (Transform::Mirror, imageops::flip_horizontal(&picture)),
            (Transform::Flip, imageops::flip_vertical(&picture)),
            (Transform::Rotate90, imageops::rotate270(&picture)),
            (Transform::Rotate180, imageops::rotate180(&picture)),
            (Transform::Rotate270, imageops::rotate90(&picture)),
            (Transform::Transpose, imageops::flip_horizontal(&imageops::rotate90(&picture))),
            (Transform::Transverse, imageops::flip_vertical(&imageops::rotate90(&picture))),
        ];
        for (transform, picture) in &turned {
            assert!(upright.turned(*transform).is_near(&layout(picture)), "{transform}");
            let n_near =
                Transform::ALL.iter().filter(|t| upright.turned(**t).is_near(&layout(picture))).count();
            assert_eq!(n_near, 1, "{transform}");
        }
    }
}
