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
        for y in margin..height - margin {
            for x in margin..width - margin {
                let strength = strengths[y * width + x];
                if strength >= MIN_STRENGTH && is_peak(&strengths, width, x, y) {
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

/// Whether nothing within two pixels is stronger; of equals the first in reading order counts.
fn is_peak(strengths: &[f32], width: usize, x: usize, y: usize) -> bool {
    let here = strengths[y * width + x];
    (y - 2..=y + 2).all(|v| {
        let row = &strengths[v * width + x - 2..][..5];
        row.iter().zip(x - 2..).all(|(&there, u)| there < here || (there == here && (v, u) >= (y, x)))
    })
}

/// The absolute determinant of the second derivatives of each pixel but those at the rim.
fn determinants(plane: &Plane) -> Vec<f32> {
    let (width, height) = (plane.width, plane.height);
    let mut out = vec![0.0; width * height];
    for y in 1..height - 1 {
        let (above, row, below) = (plane.row(y - 1), plane.row(y), plane.row(y + 1));
        let out = &mut out[y * width..][..width];
        for x in 1..width - 1 {
            let across = row[x - 1] + row[x + 1] - 2.0 * row[x];
            let down = above[x] + below[x] - 2.0 * row[x];
            let mixed = (below[x + 1] - below[x - 1] - above[x + 1] + above[x - 1]) * 0.25;
            out[x] = (across * down - mixed * mixed).abs();
        }
    }
    out
}
