//! A closer look: the windows of a reference, hashed where they should lie in the photo.
//!
//! The layout of a reference sees large forms. Its windows see finer ones where they lie, and only there; and where the
//! place is known, nothing has to be found again: the photo is hashed right there.

use crate::align::Pose;
use crate::detail::Detail;
use crate::layout::Canvas;
use crate::plane::Plane;
use crate::windows::{HALO, SIDE, Window, hash_of_middle};

/// A window looks unlike if the photo's hash differs in more of 128 bits: those of two pictures of unlike things differ in about half.
const UNLIKE: u32 = 32;

/// With fewer pixels of the photo to one of the window the photo is too coarse to say anything.
const MIN_FOOTPRINT: f32 = 0.8;

/// What the windows say of a reference that lies in a photo.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Closer {
    /// Windows that lie inside the photo, which is fine enough to show them.
    n_seen: usize,
    /// How many of these look unlike.
    n_denied: usize,
    /// Bits, of 128 each, in which all of them differ together.
    n_bits: u32,
}

impl Closer {
    pub(crate) fn of(detail: &Detail, pose: &Pose, canvas: &Canvas) -> Self {
        let size = (f32::from(detail.width), f32::from(detail.height));
        let mut closer = Self::default();
        for window in &detail.windows {
            if let Some(hash) = seen(window, size, pose, canvas) {
                let bits = (hash ^ window.hashes[0]).count_ones();
                closer.n_seen += 1;
                closer.n_denied += usize::from(bits > UNLIKE);
                closer.n_bits += bits;
            }
        }
        closer
    }

    /// The share of windows that look unlike; 0 where none is seen.
    pub(crate) fn denied(&self) -> f32 {
        self.n_denied as f32 / self.n_seen.max(1) as f32
    }

    /// The mean of the bits in which a window differs, in sixteens; 1 where none is seen.
    pub(crate) fn unlike(&self) -> f32 {
        if self.n_seen == 0 { 1.0 } else { self.n_bits as f32 / self.n_seen as f32 / 16.0 }
    }
}

/// The hash of the photo where this window should lie; `None` if it reaches beyond the photo, or the photo is too coarse.
/// `size` is that of the reference, to which the window's place refers.
fn seen(window: &Window, size: (f32, f32), pose: &Pose, canvas: &Canvas) -> Option<u128> {
    let scale = window.scale();
    let (across, down) = pose.sides();
    let footprint = (across / size.0).min(down / size.1) * scale * canvas.working_per_pixel();
    let at = |right: f32, below: f32| {
        pose.apply((window.x + right * scale) / size.0, (window.y + below * scale) / size.1)
    };
    let rim = SIDE as f32 / 2.0;
    let is_inside = [(-rim, -rim), (rim, -rim), (-rim, rim), (rim, rim)].into_iter().all(|(right, below)| {
        let (x, y) = at(right, below);
        canvas.holds(x, y)
    });
    // A damaged detail can have a place that is none: nothing is inside of it then.
    if !is_inside || footprint < MIN_FOOTPRINT {
        return None;
    }
    let level = canvas.working_level(footprint);
    let middle = (HALO / 2) as f32;
    let samples = (0..HALO * HALO).map(|k| {
        let (x, y) = at((k % HALO) as f32 - middle, (k / HALO) as f32 - middle);
        level.at(x, y)
    });
    Some(hash_of_middle(&Plane { width: HALO, height: HALO, values: samples.collect() }.smoothed()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;
    use crate::plane::Planes;
    use crate::windows::pyramid;

    /// Boxes of many sizes, others for each seed, `shrunk` times smaller and mirrored or not.
    fn planes(seed: u32, shrunk: u32, is_mirrored: bool) -> Planes {
        let (width, height) = (300 / shrunk, 400 / shrunk);
        let value = |x: u32, y: u32| {
            let x = shrunk * if is_mirrored { width - 1 - x } else { x };
            let (column, row) = (x / (9 + seed), shrunk * y / (7 + seed));
            (column.wrapping_mul(7919 + seed) % 83 * (row.wrapping_mul(104_729) % (61 + seed)) % 230) as u8
        };
        let grey = (0..height).flat_map(|y| (0..width).map(move |x| value(x, y))).collect();
        Planes::of(&Picture::from_grey(width, height, grey).unwrap())
    }

    fn look(photo: &Planes, is_mirrored: bool) -> Closer {
        let reference = planes(0, 1, false);
        let detail = Detail::of(&reference, &pyramid(&reference.luma));
        let canvas = Canvas::of(photo);
        let (width, height) = (canvas.width() as f32, canvas.height() as f32);
        let pose = if is_mirrored {
            Pose { a: [-width, 0.0, 0.0, height], b: [width, 0.0] }
        } else {
            Pose { a: [width, 0.0, 0.0, height], b: [0.0, 0.0] }
        };
        Closer::of(&detail, &pose, &canvas)
    }

    #[test]
    fn the_same_picture_is_confirmed_however_it_lies_and_another_denied() {
        for is_mirrored in [false, true] {
            let same = look(&planes(0, 1, is_mirrored), is_mirrored);
            assert!(same.n_seen >= 30, "{same:?}");
            assert!(same.denied() < 0.05 && same.unlike() < 0.75, "{same:?}");
            let other = look(&planes(3, 1, is_mirrored), is_mirrored);
            assert!(other.denied() > 0.8 && other.unlike() > 2.5, "{other:?}");
        }
        let turned_wrong = look(&planes(0, 1, true), false);
        assert!(turned_wrong.denied() > 0.8, "{turned_wrong:?}");
    }

    #[test]
    fn what_the_photo_is_too_coarse_for_says_nothing() {
        let (fine, coarse) = (look(&planes(0, 1, false), false), look(&planes(0, 4, false), false));
        assert!(coarse.n_seen < fine.n_seen, "{coarse:?}");
        let none = look(&planes(0, 20, false), false);
        assert_eq!((none.n_seen, none.denied(), none.unlike()), (0, 0.0, 1.0));
    }
}
