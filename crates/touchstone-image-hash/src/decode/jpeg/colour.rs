//! From planes of components to pixels, to the last bit as libjpeg does: colours that were stored at half the width or height are
//! interpolated ("fancy upsampling", `jdsample.c`), and converted in 16-bit fixed point (`jdcolor.c`).

/// One component's samples at the resolution it is stored in.
pub(super) struct Plane {
    /// Samples of a row in `samples`, at least `width`.
    pub(super) stride: usize,
    /// Columns and rows that are part of the picture.
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) samples: Vec<u8>,
    /// Sampling factors, and the largest of all components.
    pub(super) across: (usize, usize),
    pub(super) down: (usize, usize),
}

/// How the components are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Grey,
    Rgb,
    YCbCr,
    /// Inverted, as Adobe's programs and everyone since write it.
    Cmyk,
    /// Inverted, its first three components as luma and two colour differences.
    Ycck,
}

/// The pixels, row by row: one byte each if grey, else red, green and blue.
pub(super) fn pixels(planes: &[Plane], space: Space, width: usize, height: usize) -> Vec<u8> {
    let channels = if space == Space::Grey { 1 } else { 3 };
    let mut pixels = vec![0; width * height * channels];
    let mut lines = vec![vec![0; width + 2]; planes.len()];
    let mut sums = Vec::new();
    for (y, row) in pixels.chunks_exact_mut(width * channels).enumerate() {
        for (plane, line) in planes.iter().zip(&mut lines) {
            plane.line(y, &mut sums, line);
        }
        match (space, &lines[..]) {
            (Space::Grey, [grey, ..]) => row.copy_from_slice(&grey[..width]),
            (Space::YCbCr, [a, b, c, ..]) => join(row, [a, b, c], from_ycbcr),
            (_, [a, b, c]) => join(row, [a, b, c], |sample| sample),
            (_, [a, b, c, black, ..]) => {
                join(row, [a, b, c], |inks| match space {
                    Space::Ycck => from_ycbcr(inks).map(|ink| 0xff - ink),
                    _ => inks,
                });
                for (pixel, &black) in row.as_chunks_mut::<3>().0.iter_mut().zip(black) {
                    *pixel = pixel.map(|ink| under_black(ink, black));
                }
            }
            _ => {}
        }
    }
    pixels
}

fn join(row: &mut [u8], [a, b, c]: [&Vec<u8>; 3], convert: impl Fn([u8; 3]) -> [u8; 3]) {
    for (((pixel, &a), &b), &c) in row.as_chunks_mut::<3>().0.iter_mut().zip(a).zip(b).zip(c) {
        *pixel = convert([a, b, c]);
    }
}

fn from_ycbcr([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let red = y + ((91_881 * cr + HALF) >> 16);
    let green = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
    let blue = y + ((116_130 * cb + HALF) >> 16);
    [red, green, blue].map(|sample| sample.clamp(0, 255) as u8)
}

/// An inverted ink under inverted black, as Pillow rounds it.
fn under_black(ink: u8, black: u8) -> u8 {
    let product = u32::from(0xff - ink) * u32::from(black) + 128;
    black - ((product + (product >> 8)) >> 8) as u8
}

impl Plane {
    fn row(&self, y: usize) -> &[u8] {
        &self.samples[y.min(self.height - 1) * self.stride..][..self.width]
    }

    /// Row `y` of the picture; `line` has two samples more than the picture is wide.
    fn line(&self, y: usize, sums: &mut Vec<u16>, line: &mut [u8]) {
        let factor = |(own, largest): (usize, usize)| if largest % own == 0 { largest / own } else { 0 };
        match (factor(self.across), factor(self.down)) {
            (1, 1) => line[..self.width].copy_from_slice(self.row(y)),
            (2, 1) if self.width > 2 => wider(self.row(y), line),
            (1, 2) => {
                // The nearer row of samples weighs three times as much as the farther.
                let (near, far) = self.near_and_far(y);
                let half = 1 + (y % 2) as u32;
                for ((out, &near), &far) in line.iter_mut().zip(near).zip(far) {
                    *out = ((3 * u32::from(near) + u32::from(far) + half) >> 2) as u8;
                }
            }
            (2, 2) if self.width > 2 => {
                let (near, far) = self.near_and_far(y);
                wider_and_higher(near, far, sums, line);
            }
            _ => {
                let row = self.row(y * self.down.0 / self.down.1);
                for (x, out) in line.iter_mut().enumerate() {
                    *out = row[(x * self.across.0 / self.across.1).min(self.width - 1)];
                }
            }
        }
    }

    fn near_and_far(&self, y: usize) -> (&[u8], &[u8]) {
        let near = y / 2;
        let far = if y.is_multiple_of(2) { near.saturating_sub(1) } else { near + 1 };
        (self.row(near), self.row(far))
    }
}

/// Twice as many samples as `row`, which has at least two.
fn wider(row: &[u8], line: &mut [u8]) {
    let weigh = |near: u8, far: u8, half: u32| ((3 * u32::from(near) + u32::from(far) + half) >> 2) as u8;
    let last = row.len() - 1;
    let pairs = line.as_chunks_mut::<2>().0;
    for (pair, around) in pairs[1..].iter_mut().zip(row.windows(3)) {
        *pair = [weigh(around[1], around[0], 1), weigh(around[1], around[2], 2)];
    }
    pairs[0] = [row[0], weigh(row[0], row[1], 2)];
    pairs[last] = [weigh(row[last], row[last - 1], 1), row[last]];
}

/// The same between two rows, of which the first is three times as near. The sums of the two are left in `sums`.
fn wider_and_higher(near: &[u8], far: &[u8], sums: &mut Vec<u16>, line: &mut [u8]) {
    sums.clear();
    sums.extend(near.iter().zip(far).map(|(&near, &far)| 3 * u16::from(near) + u16::from(far)));
    let weigh = |near: u16, far: u16, half: u16| ((3 * near + far + half) >> 4) as u8;
    let last = sums.len() - 1;
    let pairs = line.as_chunks_mut::<2>().0;
    for (pair, around) in pairs[1..].iter_mut().zip(sums.windows(3)) {
        *pair = [weigh(around[1], around[0], 8), weigh(around[1], around[2], 7)];
    }
    pairs[0] = [weigh(sums[0], sums[0], 8), weigh(sums[0], sums[1], 7)];
    pairs[last] = [weigh(sums[last], sums[last - 1], 8), weigh(sums[last], sums[last], 7)];
}
