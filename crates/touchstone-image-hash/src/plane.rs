//! The channels of a picture at its working size: what finds altered copies reads these.

use crate::picture::{Picture, Pixels};
use crate::shrink::mean_cells;

/// The longer side of a picture at its working size: what finds altered copies does not look closer.
pub(crate) const WORKING_SIDE: usize = 400;

/// A channel of a picture: values 0 to 255, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) values: Vec<f32>,
}

impl Plane {
    pub(crate) fn row(&self, y: usize) -> &[f32] {
        &self.values[y * self.width..][..self.width]
    }

    /// The plane at another size, each pixel the mean of the area that it covers.
    pub(crate) fn shrunk(&self, width: usize, height: usize) -> Self {
        let across = spans(self.width, width);
        let down = spans(self.height, height);
        let mut narrow = vec![0.0; width * self.height];
        for (row, out) in self.values.chunks_exact(self.width).zip(narrow.chunks_exact_mut(width)) {
            for (span, out) in across.iter().zip(out) {
                *out = span.mean(|x| row[x]);
            }
        }
        let mut values = vec![0.0; width * height];
        for (span, out) in down.iter().zip(values.chunks_exact_mut(width)) {
            span.add_rows(&narrow, out);
        }
        Self { width, height, values }
    }

    /// The plane smoothed by the binomial filter 1 4 6 4 1 along rows and columns; at the rim the outermost pixel is repeated.
    pub(crate) fn smoothed(&self) -> Self {
        let (width, height) = (self.width, self.height);
        let mut narrow = vec![0.0; self.values.len()];
        let mut padded = vec![0.0; width + 4];
        for (row, out) in self.values.chunks_exact(width).zip(narrow.chunks_exact_mut(width)) {
            padded[2..width + 2].copy_from_slice(row);
            padded[..2].fill(row[0]);
            padded[width + 2..].fill(row[width - 1]);
            for (window, out) in padded.windows(5).zip(out) {
                *out = binomial(window[0], window[1], window[2], window[3], window[4]);
            }
        }
        let mut values = vec![0.0; self.values.len()];
        let row = |y: isize| {
            let y = y.clamp(0, height as isize - 1) as usize;
            &narrow[y * width..][..width]
        };
        for (y, out) in values.chunks_exact_mut(width).enumerate() {
            let y = y as isize;
            let (a, b, c, d, e) = (row(y - 2), row(y - 1), row(y), row(y + 1), row(y + 2));
            for (x, out) in out.iter_mut().enumerate() {
                *out = binomial(a[x], b[x], c[x], d[x], e[x]);
            }
        }
        Self { width, height, values }
    }
}

fn binomial(a: f32, b: f32, c: f32, d: f32, e: f32) -> f32 {
    ((a + e) + 4.0 * (b + d) + 6.0 * c) * (1.0 / 16.0)
}

/// A stretch of old pixels under one new pixel, and the weights of its first and last one.
struct Span {
    first: usize,
    last: usize,
    weight_first: f32,
    weight_last: f32,
    total: f32,
}

impl Span {
    fn mean(&self, value: impl Fn(usize) -> f32) -> f32 {
        let mut sum = self.weight_first * value(self.first);
        for i in self.first + 1..self.last {
            sum += value(i);
        }
        if self.last > self.first {
            sum += self.weight_last * value(self.last);
        }
        sum * self.total
    }

    fn add_rows(&self, rows: &[f32], out: &mut [f32]) {
        let width = out.len();
        let mut add = |y: usize, weight: f32| {
            for (sum, value) in out.iter_mut().zip(&rows[y * width..][..width]) {
                *sum += weight * value;
            }
        };
        add(self.first, self.weight_first * self.total);
        for y in self.first + 1..self.last {
            add(y, self.total);
        }
        if self.last > self.first {
            add(self.last, self.weight_last * self.total);
        }
    }
}

fn spans(old: usize, new: usize) -> Vec<Span> {
    let step = old as f32 / new as f32;
    (0..new)
        .map(|i| {
            let (begin, end) = (i as f32 * step, (i + 1) as f32 * step);
            let first = (begin as usize).min(old - 1);
            let last = ((end - 1e-4) as usize).clamp(first, old - 1);
            let (weight_first, weight_last) = if last > first {
                ((first + 1) as f32 - begin, end - last as f32)
            } else {
                (end - begin, 0.0)
            };
            Span { first, last, weight_first, weight_last, total: 1.0 / step }
        })
        .collect()
}

/// The luma and the two chroma planes (BT.601, 128 is no colour) of a picture at its working size.
#[derive(Debug, Clone)]
pub(crate) struct Planes {
    pub(crate) luma: Plane,
    pub(crate) blue: Plane,
    pub(crate) red: Plane,
}

/// The size of a picture scaled to at most `max_side` pixels a side; never larger than it is.
pub(crate) fn fitted(width: usize, height: usize, max_side: usize) -> (usize, usize) {
    let longer = width.max(height);
    if longer <= max_side {
        return (width, height);
    }
    let scaled = |side: usize| ((side * max_side * 2 + longer) / (2 * longer)).max(1);
    (scaled(width), scaled(height))
}

impl Planes {
    /// The planes of a picture at its working size.
    pub(crate) fn of(picture: &Picture) -> Self {
        let (cols, rows) = (picture.width() as usize, picture.height() as usize);
        let (width, height) = fitted(cols, rows, WORKING_SIDE);
        let cells = |side: usize, count: usize| (0..=count).map(|i| i * side / count).collect::<Vec<_>>();
        let (down, across) = (cells(rows, height), cells(cols, width));
        let mean = |sums: &[u64; 3], count: u64| sums.map(|sum| sum as f32 / count as f32);
        let pixels: Vec<[f32; 3]> = match picture.pixels() {
            Pixels::Grey(grey) => mean_cells(grey, cols, &down, &across, |&[sum], count| {
                [sum as f32 / count as f32, 128.0, 128.0]
            }),
            Pixels::LumaAndChroma(samples) => mean_cells(samples, cols, &down, &across, mean),
            Pixels::Rgb(rgb) => {
                mean_cells(rgb, cols, &down, &across, |sums, count| separated(mean(sums, count)))
            }
        };
        let plane = |channel: usize| Plane {
            width,
            height,
            values: pixels.iter().map(|pixel| pixel[channel]).collect(),
        };
        Self { luma: plane(0), blue: plane(1), red: plane(2) }
    }
}

/// Luma, blue and red chroma.
fn separated([red, green, blue]: [f32; 3]) -> [f32; 3] {
    let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    [luma, 0.564 * (blue - luma) + 128.0, 0.713 * (red - luma) + 128.0]
}
