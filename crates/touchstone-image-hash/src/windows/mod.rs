//! Windows: small parts of a picture, hashed where there is something to see.
//!
//! A whole-picture hash finds nothing of a cropped, framed or collaged copy. So PDQ's idea (the signs of the low frequencies of a
//! discrete cosine transform) is applied to windows of 17x17 pixels at many scales, placed where the second derivatives are strong
//! (the determinant of the Hessian, as in H. Bay et al., "SURF: Speeded Up Robust Features", ECCV 2006). A window of a coarse scale
//! spans half the picture, one of a fine scale a button. Windows stand upright; turned and mirrored copies are found because one
//! transform gives the hashes of all eight symmetries, and copies turned by a few degrees because low frequencies hardly change.

mod detect;
mod hash;
mod layers;
mod tables;
mod votes;

pub(crate) use detect::{Level, pyramid};
pub(crate) use hash::{SIDE, WindowHash};
pub(crate) use layers::{Layers, RemovedWindows};
pub(crate) use tables::{WindowIndex, piece_bits};
pub(crate) use votes::{Hit, WindowSource, hits, matrix};

use crate::plane::Plane;

/// A hashed window of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Window {
    /// The middle, in pixels of the working size from the left.
    pub(crate) x: f32,
    /// The middle, in pixels of the working size from the top.
    pub(crate) y: f32,
    /// The level of the pyramid: each is [`detect::STEP`] times as large as the one before.
    pub(crate) level: u8,
    /// The hash of the window as it stands, and transposed.
    pub(crate) hashes: [WindowHash; 2],
}

impl Window {
    /// Pixels of the working size to one pixel of the window.
    pub(crate) fn scale(&self) -> f32 {
        detect::scale_of(self.level)
    }
}

/// The best windows of a picture, at most `max`, strongest first.
///
/// No level gives more than its share, so that fine texture does not crowd out what survives a change of scale, and windows of
/// similar scale keep a distance of `spacing` of their own pixels.
pub(crate) fn windows(levels: &[Level], max: usize, spacing: f32) -> Vec<Window> {
    let quota = (max * LEVEL_SHARE_PERCENT).div_ceil(100);
    let mut left = vec![quota; levels.len()];
    let mut chosen: Vec<Window> = Vec::new();
    for place in detect::places(levels) {
        if chosen.len() == max {
            break;
        }
        let level = &levels[place.level];
        let (x, y) = level.to_working(place.x, place.y);
        let window = Window { x, y, level: place.level as u8, hashes: [0; 2] };
        if left[place.level] == 0 || chosen.iter().any(|other| are_close(other, &window, spacing)) {
            continue;
        }
        left[place.level] -= 1;
        chosen.push(Window { hashes: hash::upright(&level.plane, place.x, place.y), ..window });
    }
    chosen
}

/// Pixels along a side of what [`hash_of_middle`] is given once it is smoothed: a window, and what smoothing draws from around it.
pub(crate) const HALO: usize = SIDE + 4;

/// The hash of the window in the middle of a plane of [`HALO`] pixels a side.
pub(crate) fn hash_of_middle(plane: &Plane) -> WindowHash {
    hash::upright(plane, HALO / 2, HALO / 2)[0]
}

const LEVEL_SHARE_PERCENT: usize = 15;

fn are_close(a: &Window, b: &Window, spacing: f32) -> bool {
    let reach = spacing * a.scale().max(b.scale());
    let (dx, dy) = (a.x - b.x, a.y - b.y);
    a.level.abs_diff(b.level) <= 1 && dx * dx + dy * dy < reach * reach
}
