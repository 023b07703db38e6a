//! Where in a picture windows are worth hashing: blobs and saddles at all scales.

use super::hash::SIDE;
use crate::plane::Plane;

/// From one level of the pyramid to the next both sides shrink by this factor.
const STEP: f32 = 0.8;

/// A level needs this many pixels a side, for a window and some freedom to place it.
const MIN_SIDE: usize = SIDE + 5;

/// Weaker places are noise: grey values squared, over pixels to the fourth.
const MIN_STRENGTH: f32 = 4.0;

/// A picture at one scale, smoothed.
pub(crate) struct Level {
    pub(crate) plane: Plane,
    /// Pixels of the working size to one of this level, across and down.
    scale: (f32, f32),
}

impl Level {
    /// The middle of a pixel of this level, in pixels of the working size.
    pub(crate) fn to_working(&self, x: usize, y: usize) -> (f32, f32) {
        ((x as f32 + 0.5) * self.scale.0, (y as f32 + 0.5) * self.scale.1)
    }
}

/// Pixels of the working size to one pixel of that level.
pub(crate) fn scale_of(level: u8) -> f32 {
    (0..level).fold(1.0, |scale, _| scale / STEP)
}

/// A pixel of a level around which a window is hashed.
pub(crate) struct Place {
    pub(crate) level: usize,
    pub(crate) x: usize,
    pub(crate) y: usize,
    strength: f32,
}

/// The picture at ever coarser scales, the finest first; empty if it is too small for a window.
pub(crate) fn pyramid(luma: &Plane) -> Vec<Level> {
    let mut levels = Vec::new();
    let mut raw = luma.clone();
    let (mut width, mut height) = (luma.width as f32, luma.height as f32);
    while raw.width >= MIN_SIDE && raw.height >= MIN_SIDE {
        let scale = (luma.width as f32 / raw.width as f32, luma.height as f32 / raw.height as f32);
        levels.push(Level { plane: raw.smoothed(), scale });
        (width, height) = (width * STEP, height * STEP);
        raw = raw.shrunk((width + 0.5) as usize, (height + 0.5) as usize);
    }
    levels
}

/// The places that are stronger than all around them, strongest first.
pub(crate) fn places(levels: &[Level]) -> Vec<Place> {
    let mut found = Vec::new();
    let margin = SIDE / 2;
    for (number, level) in levels.iter().enumerate() {
        let (width, height) = (level.plane.width, level.plane.height);
        let strengths = determinants(&level.plane);
        let strongest = strongest_around(&strengths, width);
        for y in margin..height - margin {
            for x in margin..width - margin {
                let strength = strengths[y * width + x];
                let is_strongest = strength >= MIN_STRENGTH && strength >= strongest[y * width + x];
                if is_strongest && is_first_of_equals(&strengths, width, x, y) {
                    found.push(Place { level: number, x, y, strength });
                }
            }
        }
    }
    // Coarse before fine where equally strong: it survives more.
    found.sort_by(|a, b| {
        b.strength.total_cmp(&a.strength).then_with(|| (b.level, a.y, a.x).cmp(&(a.level, b.y, b.x)))
    });
    found
}

/// The largest value within two pixels along rows and columns of each pixel but those at the rim.
fn strongest_around(strengths: &[f32], width: usize) -> Vec<f32> {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let mut along_rows = strengths.to_vec();
    for shift in 1..=2 {
        for (out, row) in along_rows.chunks_exact_mut(width).zip(strengths.chunks_exact(width)) {
            let sides = row.iter().zip(&row[2 * shift..]);
            for (out, (&left, &right)) in out[shift..].iter_mut().zip(sides) {
                *out = larger(*out, larger(left, right));
            }
        }
    }
    let mut around = along_rows.clone();
    for shift in 1..=2 {
        let sides = along_rows.iter().zip(&along_rows[2 * shift * width..]);
        for (out, (&above, &below)) in around[shift * width..].iter_mut().zip(sides) {
            *out = larger(*out, larger(above, below));
        }
    }
    around
}

/// Whether none of the pixels within two that come before in reading order is as strong.
fn is_first_of_equals(strengths: &[f32], width: usize, x: usize, y: usize) -> bool {
    let here = strengths[y * width + x];
    (y - 2..=y).all(|v| {
        let row = &strengths[v * width + x - 2..][..5];
        row.iter().zip(x - 2..).all(|(&there, u)| there < here || (v, u) >= (y, x))
    })
}

/// The absolute determinant of the second derivatives of each pixel but those at the rim.
fn determinants(plane: &Plane) -> Vec<f32> {
    let (width, height) = (plane.width, plane.height);
    let mut out = vec![0.0; width * height];
    for y in 1..height - 1 {
        let (above, row, below) = (plane.row(y - 1), plane.row(y), plane.row(y + 1));
        let out = &mut out[y * width + 1..][..width - 2];
        let three = above.windows(3).zip(row.windows(3)).zip(below.windows(3));
        for (out, ((above, row), below)) in out.iter_mut().zip(three) {
            let across = row[0] + row[2] - 2.0 * row[1];
            let down = above[1] + below[1] - 2.0 * row[1];
            let mixed = (below[2] - below[0] - above[2] + above[0]) * 0.25;
            *out = (across * down - mixed * mixed).abs();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_places_are_those_that_nothing_within_two_pixels_exceeds() {
        let (width, height) = (41, 37);
        // Few different values, so that many are equal.
        let value = |k: usize| ((k as u32).wrapping_mul(2_654_435_761) >> 27) as f32;
        let strengths: Vec<f32> = (0..width * height).map(value).collect();
        let strongest = strongest_around(&strengths, width);
        let mut n_peaks = 0;
        for y in 2..height - 2 {
            for x in 2..width - 2 {
                let (here, at) = (strengths[y * width + x], |u: usize, v: usize| strengths[v * width + u]);
                let all = || (y - 2..=y + 2).flat_map(|v| (x - 2..=x + 2).map(move |u| (u, v)));
                let is_peak = all().all(|(u, v)| at(u, v) < here || (at(u, v) == here && (v, u) >= (y, x)));
                let found = here >= strongest[y * width + x] && is_first_of_equals(&strengths, width, x, y);
                assert_eq!(found, is_peak, "{x}, {y}");
                n_peaks += usize::from(is_peak);
            }
        }
        assert!(n_peaks > 20, "{n_peaks}");
    }
}
