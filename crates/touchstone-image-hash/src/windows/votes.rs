//! Which references share windows with a photo, and where in it they would lie.

use touchstone_types::Transform;

use super::Window;
use super::hash::{self, WindowHash};
use crate::pdq::{SYMMETRIES, undone_by};

/// Two windows that differ in more of 128 bits are not taken for the same.
const RADIUS: u32 = 28;

/// Of one reference in one orientation at most so many pairs are weighed, the nearest.
const MAX_PAIRS: usize = 40;

/// So many references, in one orientation each, are weighed: those with most pairs.
const MAX_GROUPS: usize = 1_024;

/// A piece that so many windows have in common tells none of them from the others, as a word that stands in every text.
const MAX_COMMON: usize = 4_096;

/// So many pairs at least must agree on a place.
const MIN_VOTES: usize = 2;

/// How far, in pixels of the window's own scale, a window may lie from where the place says.
const SLACK: f32 = 4.0;

/// How far besides, as a share of the distance of the two windows that are compared: scales are known to a level only.
const STRETCH: f32 = 0.15;

/// The windows of every reference, to be looked up by a part of their hash.
///
/// A hash is cut into pieces, and a table of each piece holds the windows with that value: windows with one piece in common are
/// compared in full. This finds most windows within the radius and not all (M. Norouzi et al., "Fast Search in Hamming Space with
/// Multi-Index Hashing", CVPR 2012, say how many); a reference needs a few of its windows found, not each.
#[derive(Debug, Clone, Default)]
pub(crate) struct WindowIndex {
    /// Bits of one piece.
    piece_bits: u32,
    tables: Vec<Table>,
    items: Vec<Item>,
}

#[derive(Debug, Clone, Copy)]
struct Item {
    hash: WindowHash,
    reference: u32,
    window: u16,
}

/// `items[starts[value]..starts[value + 1]]` have that value.
#[derive(Debug, Clone)]
struct Table {
    starts: Vec<u32>,
    items: Vec<u32>,
}

/// Gives the windows of a reference by its position.
pub(crate) trait WindowSource {
    fn windows(&self, reference: usize) -> &[Window];
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

impl WindowIndex {
    /// An index of the windows of references 0 to `n`.
    pub(crate) fn new(n: usize, source: &(impl WindowSource + ?Sized)) -> Self {
        let items: Vec<Item> = (0..n)
            .flat_map(|reference| {
                source.windows(reference).iter().zip(0_u16..).map(move |(window, number)| Item {
                    hash: window.hashes[0],
                    reference: reference as u32,
                    window: number,
                })
            })
            .collect();
        // Some windows for each value: fewer buckets would be crowded, more would be empty.
        let piece_bits = (items.len().max(1).ilog2() - u32::from(items.len() > 1)).clamp(10, 16);
        let tables =
            (0..hash_bits() / piece_bits).map(|piece| Table::new(&items, piece, piece_bits)).collect();
        Self { piece_bits, tables, items }
    }

    /// How many windows there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The references that the photo's windows speak for, at most `max`, those with most votes first, then the nearest, then by
    /// position. Only references that are `wanted` count. Of those that are `proposed` there are up to `max` more, whatever else has
    /// more votes.
    pub(crate) fn hits(
        &self,
        photo: &[Window],
        source: &(impl WindowSource + ?Sized),
        wanted: impl Fn(usize) -> bool,
        proposed: &[usize],
        max: usize,
    ) -> Vec<Hit> {
        let pairs = self.pairs(photo, wanted);
        let mut groups: Vec<&[Pair]> = pairs
            .chunk_by(|a, b| (a.reference, a.transform) == (b.reference, b.transform))
            .filter(|pairs| pairs.len() >= MIN_VOTES)
            .collect();
        // Stable, so that of groups of one size those of the first references stay.
        groups.sort_by_key(|pairs| usize::MAX - pairs.len().min(MAX_PAIRS));
        let is_proposed = |pairs: &&[Pair]| proposed.contains(&(pairs[0].reference as usize));
        let others = groups.split_off(groups.len().min(MAX_GROUPS));
        let weighed = groups.into_iter().chain(others.into_iter().filter(is_proposed));
        let places = weighed.filter_map(|pairs| best_place(pairs, photo, source));
        let mut hits: Vec<Hit> = places.collect();
        hits.sort_by_key(|hit| (usize::MAX - hit.votes, hit.distances, hit.reference));
        let others = hits.split_off(hits.len().min(max));
        hits.extend(others.into_iter().filter(|hit| proposed.contains(&hit.reference)).take(max));
        hits
    }

    /// All pairs of windows found, by reference and transform, the nearest first.
    fn pairs(&self, photo: &[Window], wanted: impl Fn(usize) -> bool) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for (window, of_photo) in photo.iter().zip(0_u16..) {
            for (transform, number) in SYMMETRIES.into_iter().zip(0_u8..) {
                let hash = hash::transformed(window.hashes, undone_by(transform));
                self.look_up(hash, |item, distance| {
                    if wanted(item.reference as usize) {
                        let Item { reference, window, .. } = *item;
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

    fn look_up(&self, hash: WindowHash, mut found: impl FnMut(&Item, u32)) {
        for (piece, table) in self.tables.iter().enumerate() {
            let common = table.with(piece_of(hash, piece as u32, self.piece_bits));
            if common.len() > MAX_COMMON {
                continue;
            }
            for &item in common {
                let item = &self.items[item as usize];
                let distance = (item.hash ^ hash).count_ones();
                if distance <= RADIUS {
                    found(item, distance);
                }
            }
        }
    }
}

impl Table {
    fn new(items: &[Item], piece: u32, piece_bits: u32) -> Self {
        let value = |item: &Item| piece_of(item.hash, piece, piece_bits);
        let mut starts = vec![0_u32; (1 << piece_bits) + 1];
        for item in items {
            starts[value(item) + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut sorted = vec![0; items.len()];
        for (number, item) in items.iter().enumerate() {
            let place = &mut next[value(item)];
            sorted[*place as usize] = number as u32;
            *place += 1;
        }
        Self { starts, items: sorted }
    }

    fn with(&self, value: usize) -> &[u32] {
        &self.items[self.starts[value] as usize..self.starts[value + 1] as usize]
    }
}

const fn hash_bits() -> u32 {
    WindowHash::BITS
}

fn piece_of(hash: WindowHash, piece: u32, piece_bits: u32) -> usize {
    (hash >> (piece * piece_bits)) as usize & ((1 << piece_bits) - 1)
}

/// The place on which most pairs of one reference in one orientation agree.
fn best_place(pairs: &[Pair], photo: &[Window], source: &(impl WindowSource + ?Sized)) -> Option<Hit> {
    let reference = pairs[0].reference as usize;
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
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    impl WindowSource for Vec<Vec<Window>> {
        fn windows(&self, reference: usize) -> &[Window] {
            &self[reference]
        }
    }

    fn window(x: f32, y: f32, level: u8, hash: WindowHash) -> Window {
        Window { x, y, level, hashes: [hash, hash.reverse_bits()] }
    }

    /// Every window of `references` that shares a piece with `hash` and is within the radius, in the plainest way.
    fn look_up_plainly(
        index: &WindowIndex,
        references: &[Vec<Window>],
        hash: WindowHash,
    ) -> Vec<(u32, u16, u32)> {
        let pieces = 0..hash_bits() / index.piece_bits;
        let mut found = Vec::new();
        for (reference, windows) in (0..).zip(references) {
            for (number, window) in (0..).zip(windows) {
                let piece = |hash, piece| piece_of(hash, piece, index.piece_bits);
                let shares = pieces.clone().any(|p| piece(hash, p) == piece(window.hashes[0], p));
                let distance = (hash ^ window.hashes[0]).count_ones();
                if shares && distance <= RADIUS {
                    found.push((reference, number, distance));
                }
            }
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_tables_find_what_shares_a_piece_and_nothing_else(
            base in any::<WindowHash>(),
            flips in prop::collection::vec(prop::collection::vec(0..128_u32, 0..40), 0..120),
            query in prop::collection::vec(0..128_u32, 0..30),
        ) {
            let flipped = |flips: &[u32]| flips.iter().fold(base, |hash, bit| hash ^ 1 << bit);
            let windows: Vec<Window> = flips.iter().map(|flips| window(1.0, 1.0, 0, flipped(flips))).collect();
            let references: Vec<Vec<Window>> = windows.chunks(7).map(<[Window]>::to_vec).collect();
            let index = WindowIndex::new(references.len(), &references);
            let hash = flipped(&query);
            let mut found = Vec::new();
            index.look_up(hash, |item, distance| found.push((item.reference, item.window, distance)));
            found.sort_unstable();
            found.dedup();
            prop_assert_eq!(found, look_up_plainly(&index, &references, hash));
        }
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
        let index = WindowIndex::new(references.len(), &references);
        let hits = index.hits(&shifted, &references, |_| true, &[], 4);
        assert_eq!((hits[0].reference, hits[0].transform, hits[0].votes), (1, Transform::None, 5));
        let near = |value: f32, expected: f32| (value - expected).abs() < 0.01;
        let expected = [1.0 / 0.64, 0.0, 0.0, 1.0 / 0.64];
        assert!(hits[0].a.iter().zip(expected).all(|(a, e)| near(*a, e)), "{:?}", hits[0]);
        assert!(near(hits[0].b[0], 5.0) && near(hits[0].b[1], 9.0), "{:?}", hits[0]);
        assert_eq!(index.hits(&shifted, &references, |reference| reference == 0, &[], 4), []);
    }

    #[test]
    fn windows_at_places_that_do_not_agree_do_not_add_up() {
        let references = vec![reference()];
        let index = WindowIndex::new(1, &references);
        let scattered: Vec<Window> = (0..)
            .zip(&references[0])
            .map(|(k, w)| Window { x: 400.0 - w.x * (k as f32 - 2.0), y: w.x, ..*w })
            .collect();
        let votes = index.hits(&scattered, &references, |_| true, &[], 4).first().map_or(0, |hit| hit.votes);
        assert!(votes <= 2, "{votes}");
    }
}
