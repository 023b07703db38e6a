//! Which references share windows with a photo, and where in it they would lie.

use touchstone_types::Transform;

use super::Window;
use super::hash::{self, WindowHash};
use crate::pdq::{SYMMETRIES, undone_by};

/// Of one reference in one orientation at most so many pairs are weighed, the nearest.
const MAX_PAIRS: usize = 40;

/// So many pairs at least must agree on a place.
const MIN_VOTES: usize = 2;

/// How far, in pixels of the window's own scale, a window may lie from where the place says.
const SLACK: f32 = 4.0;

/// How far besides, as a share of the distance of the two windows that are compared: scales are known to a level only.
const STRETCH: f32 = 0.15;

/// The references that votes are for.
pub(crate) trait WindowSource {
    /// The windows of a reference.
    fn windows(&self, reference: usize) -> &[Window];
    /// Where a reference stands in the order of all.
    fn rank(&self, reference: usize) -> u64;
    /// Visits windows whose hash is nearly `hash`: reference, number of the window and distance, perhaps more than once.
    fn look_up(&self, hash: WindowHash, found: impl FnMut(usize, u16, u32));
}

/// A reference some of whose windows lie in a photo as if it had been laid there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hit {
    pub(crate) reference: usize,
    pub(crate) transform: Transform,
    /// How many of its windows agree on the place.
    pub(crate) votes: usize,
    /// The sum of the distances of those windows.
    distances: u32,
    /// Where a point of the reference lies in the photo, both in pixels of their working sizes: `a` times the point, plus `b`.
    pub(crate) a: [f32; 4],
    pub(crate) b: [f32; 2],
}

/// A window of the photo and one of a reference with nearly the same hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    reference: u32,
    transform: u8,
    distance: u32,
    window: u16,
    of_photo: u16,
}

/// The references that the photo's windows speak for, at most `max`, those with most votes first, then the nearest, then by rank.
/// Only references that are `wanted` count, and in one orientation each only the `max_groups` with most pairs are weighed. Of those
/// that are `proposed` there are up to `max` more, whatever else has more votes.
pub(crate) fn hits(
    photo: &[Window],
    source: &impl WindowSource,
    wanted: impl Fn(usize) -> bool,
    proposed: &[usize],
    max_groups: usize,
    max: usize,
) -> Vec<Hit> {
    let pairs = pairs(photo, source, wanted);
    let mut groups: Vec<&[Pair]> = pairs
        .chunk_by(|a, b| (a.reference, a.transform) == (b.reference, b.transform))
        .filter(|pairs| pairs.len() >= MIN_VOTES)
        .collect();
    // Stable, so that of groups of one size and reference those of the first transforms stay.
    groups.sort_by_key(|pairs| (usize::MAX - pairs.len().min(MAX_PAIRS), source.rank(pairs[0].reference())));
    let is_proposed = |pairs: &&[Pair]| proposed.contains(&pairs[0].reference());
    let others = groups.split_off(groups.len().min(max_groups));
    let weighed = groups.into_iter().chain(others.into_iter().filter(is_proposed));
    let places = weighed.filter_map(|pairs| best_place(pairs, photo, source));
    let mut hits: Vec<Hit> = places.collect();
    hits.sort_by_key(|hit| (usize::MAX - hit.votes, hit.distances, source.rank(hit.reference)));
    let others = hits.split_off(hits.len().min(max));
    hits.extend(others.into_iter().filter(|hit| proposed.contains(&hit.reference)).take(max));
    hits
}

/// All pairs of windows found, by reference and transform, the nearest first.
fn pairs(photo: &[Window], source: &impl WindowSource, wanted: impl Fn(usize) -> bool) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (window_of_photo, of_photo) in photo.iter().zip(0_u16..) {
        for (transform, number) in SYMMETRIES.into_iter().zip(0_u8..) {
            let hash = hash::transformed(window_of_photo.hashes, undone_by(transform));
            source.look_up(hash, |reference, window, distance| {
                if wanted(reference) {
                    let reference = reference as u32;
                    pairs.push(Pair { reference, transform: number, distance, window, of_photo });
                }
            });
        }
    }
    // A pair is found once for each piece that it has in common.
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

impl Pair {
    fn reference(&self) -> usize {
        self.reference as usize
    }
}

/// The place on which most pairs of one reference in one orientation agree.
fn best_place(pairs: &[Pair], photo: &[Window], source: &impl WindowSource) -> Option<Hit> {
    let reference = pairs[0].reference();
    let transform = SYMMETRIES[usize::from(pairs[0].transform)];
    let windows = source.windows(reference);
    let pairs = &pairs[..pairs.len().min(MAX_PAIRS)];
    let sides = |pair: &Pair| (&windows[usize::from(pair.window)], &photo[usize::from(pair.of_photo)]);
    let mut best: Option<(usize, u32, Vec<&Pair>)> = None;
    for pair in pairs {
        let place = Place::of(sides(pair), transform);
        // Each window of the reference votes once, by its nearest pair: pairs come the nearest first.
        let mut agreeing: Vec<&Pair> = Vec::new();
        for other in pairs {
            if place.agrees(sides(other)) && agreeing.iter().all(|a| a.window != other.window) {
                agreeing.push(other);
            }
        }
        let distances = agreeing.iter().map(|pair| pair.distance).sum();
        let better = best.as_ref().is_none_or(|(votes, d, _)| (agreeing.len(), *d) > (*votes, distances));
        if better {
            best = Some((agreeing.len(), distances, agreeing));
        }
    }
    let (votes, distances, agreeing) = best.filter(|(votes, ..)| *votes >= MIN_VOTES)?;
    let place = match agreeing.as_slice() {
        [first, _] => Place::of(sides(first), transform),
        many => Place::least_squares(many.iter().map(|pair| sides(pair)), transform)
            .unwrap_or_else(|| Place::of(sides(many[0]), transform)),
    };
    Some(Hit { reference, transform, votes, distances, a: place.a, b: place.b })
}

/// Where a reference lies in a photo, as one pair of windows has it.
struct Place {
    a: [f32; 4],
    b: [f32; 2],
    scale: f32,
    /// The window of the reference that it comes from.
    from: (f32, f32),
    slack: f32,
}

impl Place {
    fn of((reference, photo): (&Window, &Window), transform: Transform) -> Self {
        let scale = photo.scale() / reference.scale();
        let a = matrix(transform).map(|v| v * scale);
        let b = [
            photo.x - (a[0] * reference.x + a[1] * reference.y),
            photo.y - (a[2] * reference.x + a[3] * reference.y),
        ];
        Self { a, b, scale, from: (reference.x, reference.y), slack: SLACK * photo.scale() }
    }

    fn agrees(&self, (reference, photo): (&Window, &Window)) -> bool {
        let scale = photo.scale() / reference.scale();
        let (dx, dy) = (reference.x - self.from.0, reference.y - self.from.1);
        let slack = self.slack.max(SLACK * photo.scale()) + STRETCH * self.scale * (dx * dx + dy * dy).sqrt();
        let x = self.a[0] * reference.x + self.a[1] * reference.y + self.b[0] - photo.x;
        let y = self.a[2] * reference.x + self.a[3] * reference.y + self.b[1] - photo.y;
        (0.7..=1.4).contains(&(scale / self.scale)) && x * x + y * y < slack * slack
    }

    /// The rotation, scale and shift (after `transform`) that fit the middles of the windows best.
    fn least_squares<'a>(
        pairs: impl Iterator<Item = (&'a Window, &'a Window)> + Clone,
        transform: Transform,
    ) -> Option<Self> {
        let m = matrix(transform);
        let points = pairs.map(|(reference, photo)| {
            let (x, y) = (reference.x, reference.y);
            ((m[0] * x + m[1] * y, m[2] * x + m[3] * y), (photo.x, photo.y))
        });
        let (mut n, mut from, mut to) = (0.0_f32, (0.0, 0.0), (0.0, 0.0));
        for (p, q) in points.clone() {
            n += 1.0;
            from = (from.0 + p.0, from.1 + p.1);
            to = (to.0 + q.0, to.1 + q.1);
        }
        let (from, to) = ((from.0 / n, from.1 / n), (to.0 / n, to.1 / n));
        let (mut along, mut across, mut spread) = (0.0_f32, 0.0, 0.0);
        for (p, q) in points {
            let (p, q) = ((p.0 - from.0, p.1 - from.1), (q.0 - to.0, q.1 - to.1));
            along += p.0 * q.0 + p.1 * q.1;
            across += p.0 * q.1 - p.1 * q.0;
            spread += p.0 * p.0 + p.1 * p.1;
        }
        if spread < 1.0 {
            return None;
        }
        let (c, s) = (along / spread, across / spread);
        let a = [c * m[0] - s * m[2], c * m[1] - s * m[3], s * m[0] + c * m[2], s * m[1] + c * m[3]];
        let b = [to.0 - (c * from.0 - s * from.1), to.1 - (s * from.0 + c * from.1)];
        Some(Self { a, b, scale: (c * c + s * s).sqrt(), from: (0.0, 0.0), slack: 0.0 })
    }
}

/// What a symmetry does to a point, with x to the right and y downwards.
pub(crate) const fn matrix(transform: Transform) -> [f32; 4] {
    match transform {
        Transform::None => [1.0, 0.0, 0.0, 1.0],
        Transform::Mirror => [-1.0, 0.0, 0.0, 1.0],
        Transform::Flip => [1.0, 0.0, 0.0, -1.0],
        Transform::Rotate90 => [0.0, 1.0, -1.0, 0.0],
        Transform::Rotate180 => [-1.0, 0.0, 0.0, -1.0],
        Transform::Rotate270 => [0.0, -1.0, 1.0, 0.0],
        Transform::Transpose => [0.0, 1.0, 1.0, 0.0],
        Transform::Transverse => [0.0, -1.0, -1.0, 0.0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::windows::tables::RADIUS;

    impl WindowSource for Vec<Vec<Window>> {
        fn windows(&self, reference: usize) -> &[Window] {
            &self[reference]
        }

        fn rank(&self, reference: usize) -> u64 {
            reference as u64
        }

        fn look_up(&self, hash: WindowHash, mut found: impl FnMut(usize, u16, u32)) {
            for (reference, windows) in self.iter().enumerate() {
                for (window, number) in windows.iter().zip(0..) {
                    let distance = (window.hashes[0] ^ hash).count_ones();
                    if distance <= RADIUS {
                        found(reference, number, distance);
                    }
                }
            }
        }
    }

    fn window(x: f32, y: f32, level: u8, hash: WindowHash) -> Window {
        Window { x, y, level, hashes: [hash, hash.reverse_bits()] }
    }

    /// Windows with unlike hashes at places that no symmetry exchanges.
    fn reference() -> Vec<Window> {
        let hash = |k: u64| {
            u128::from(k.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64
                | u128::from(k.wrapping_mul(0xbf58_476d_1ce4_e5b9))
        };
        let places =
            [(40.0, 60.0, 0), (200.0, 90.0, 1), (120.0, 300.0, 0), (260.0, 350.0, 3), (80.0, 210.0, 2)];
        (1..).zip(places).map(|(k, (x, y, level))| window(x, y, level, hash(k))).collect()
    }

    #[test]
    fn votes_tell_where_a_larger_copy_lies() {
        let references = vec![Vec::new(), reference()];
        // Two levels larger, which is a factor of 1 / 0.64, and moved.
        let shifted: Vec<Window> = references[1]
            .iter()
            .map(|w| Window { level: w.level + 2, x: w.x / 0.64 + 5.0, y: w.y / 0.64 + 9.0, ..*w })
            .collect();
        let found = hits(&shifted, &references, |_| true, &[], 8, 4);
        assert_eq!((found[0].reference, found[0].transform, found[0].votes), (1, Transform::None, 5));
        let near = |value: f32, expected: f32| (value - expected).abs() < 0.01;
        let expected = [1.0 / 0.64, 0.0, 0.0, 1.0 / 0.64];
        assert!(found[0].a.iter().zip(expected).all(|(a, e)| near(*a, e)), "{:?}", found[0]);
        assert!(near(found[0].b[0], 5.0) && near(found[0].b[1], 9.0), "{:?}", found[0]);
        assert_eq!(hits(&shifted, &references, |reference| reference == 0, &[], 8, 4), []);
    }

    #[test]
    fn windows_at_places_that_do_not_agree_do_not_add_up() {
        let references = vec![reference()];
        let scattered: Vec<Window> = (0..)
            .zip(&references[0])
            .map(|(k, w)| Window { x: 400.0 - w.x * (k as f32 - 2.0), y: w.x, ..*w })
            .collect();
        let votes = hits(&scattered, &references, |_| true, &[], 8, 4).first().map_or(0, |hit| hit.votes);
        assert!(votes <= 2, "{votes}");
    }
}
