//! The index: segments, what was removed from them, and the delta.

use std::sync::Arc;

use touchstone_types::{HammingDistance, Hash256};

use super::chunks::{Bits, ChunkFlips, Probe, bits_of, hash_of};
use super::delta::Delta;
use super::segment::{Plan, Segment};
use super::simd::Level;
use super::{HammingIndex, Neighbour};

/// An exact index of 256-bit hashes that reads little of itself: multi-index hashing over chunks of 16 bits.
///
/// A search looks into the buckets that any hash within the radius must be in (Norouzi, Punjani and Fleet, "Fast search in Hamming
/// space with multi-index hashing", CVPR 2012), rejects most of what is there by the chunk next to the bucket's (Qin and Xiao,
/// "Pigeonring", VLDB 2018) and verifies the rest. Hashes that crowd around one another, as copies of one photo do, lie side by
/// side and are searched by the distance of their centre. Where neither pays (large radii, few hashes, buckets that are nearly the
/// whole) it scans. Every way is exact for every radius, and gives what [`LinearScan`](super::LinearScan) gives.
///
/// Large segments never change. Added hashes go to a small delta that is scanned and removed ones are marked, so the next search
/// sees the change; [`compact`](Self::compact) builds the segments anew. Answers depend on the live items alone, not on how the
/// index came to hold them. A clone shares everything with its original until one of them changes, and the first change then
/// copies the delta, or one bit a hash of a segment.
///
/// It takes about 125 bytes a hash in a segment (32 for the hash, 8 for the item, 80 in tables, and 4 MiB of bucket starts that
/// large segments do not feel), about 45 in a crowd and about 80 in the delta.
///
/// ```
/// use touchstone_image_hash::{DEFAULT_RADIUS, HammingIndex, MultiIndex};
/// use touchstone_types::Hash256;
///
/// let mut index = MultiIndex::new([Hash256::from_words([0; 4]), Hash256::from_words([!0; 4])]);
/// index.insert(9, Hash256::from_words([1, 0, 0, 1]));
/// let found = index.within(&Hash256::from_words([0; 4]), DEFAULT_RADIUS);
/// assert_eq!(found.iter().map(|found| (found.item, found.distance.bits())).collect::<Vec<_>>(), [(0, 0), (9, 2)]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct MultiIndex {
    pub(super) segments: Vec<Base>,
    pub(super) delta: Arc<Delta>,
}

/// A segment and what was removed from it.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) segment: Arc<Segment>,
    /// A bit a position; no words while nothing is removed.
    removed: Arc<Vec<u64>>,
    n_removed: usize,
}

impl MultiIndex {
    /// An index of these hashes; the position of each is its item.
    pub fn new(hashes: impl IntoIterator<Item = Hash256>) -> Self {
        Self::of_items(hashes.into_iter().enumerate())
    }

    /// An index of these items and their hashes. Of an item that comes twice, the later hash counts.
    ///
    /// Takes about half a second for a million, and while it does twice the memory of the index.
    pub fn of_items(items: impl IntoIterator<Item = (usize, Hash256)>) -> Self {
        Self::build(items.into_iter().map(|(item, hash)| (item, bits_of(&hash))).collect(), &Plan::USUAL)
    }

    pub(super) fn build(mut live: Vec<(usize, Bits)>, plan: &Plan) -> Self {
        // The sort is stable, so the last of an item's hashes is the latest.
        live.sort_by_key(|&(item, _)| item);
        live.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                *kept = *later;
            }
            same
        });
        let segments = live.chunks(plan.max_hashes).filter_map(|part| Segment::build(part, plan));
        Self { segments: segments.map(Base::of).collect(), delta: Arc::default() }
    }

    /// How many items are in it.
    pub fn len(&self) -> usize {
        self.delta.len() + self.segments.iter().map(Base::len).sum::<usize>()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many changes [`compact`](Self::compact) would work in. Each addition among them costs every search about a nanosecond;
    /// some ten thousand are a good time for it.
    pub fn n_pending(&self) -> usize {
        self.delta.len() + self.segments.iter().map(|base| base.n_removed).sum::<usize>()
    }

    /// The hash of an item.
    pub fn get(&self, item: usize) -> Option<Hash256> {
        let in_segments = || self.segments.iter().find_map(|base| base.get(item));
        self.delta.get(item).or_else(in_segments).map(hash_of)
    }

    /// Adds an item, in place of its earlier hash if it has one.
    pub fn insert(&mut self, item: usize, hash: Hash256) {
        self.remove(item);
        Arc::make_mut(&mut self.delta).insert(item, bits_of(&hash));
    }

    /// Removes an item; false if it was not there.
    pub fn remove(&mut self, item: usize) -> bool {
        if self.delta.get(item).is_some() {
            return Arc::make_mut(&mut self.delta).remove(item);
        }
        self.segments.iter_mut().any(|base| base.remove(item))
    }

    /// Builds the segments anew from the live items, if anything changed since they were built.
    ///
    /// It takes as long as [`of_items`](Self::of_items): do it on a clone in the background, and swap.
    pub fn compact(&mut self) {
        if self.n_pending() > 0 {
            *self = Self::build(self.live(), &Plan::USUAL);
        }
    }

    pub(super) fn live(&self) -> Vec<(usize, Bits)> {
        self.segments.iter().flat_map(Base::iter).chain(self.delta.iter()).collect()
    }

    /// Visits every item within `radius` of the query once, in no particular order, taking no memory.
    pub fn visit(&self, query: &Hash256, radius: HammingDistance, visit: impl FnMut(Neighbour)) {
        self.search(query, &Probe::exact(radius), visit);
    }

    /// Visits some of the items within `radius` of the query, each once, in no particular order, taking no memory: those of which
    /// one of the sixteen 16-bit chunks differs from the query's in no more bits than `flips`, and that chunk and the next (after
    /// the last, the first) together in at most `radius / 8`.
    ///
    /// That is everything within the radius up to 15 bits with [`ChunkFlips::None`] and up to 31 with [`ChunkFlips::One`]. Beyond,
    /// it is a fixed part of it: of hashes that differ from the query in 50 bits, anywhere, about nine in ten with one flip.
    /// Which part depends on the hashes alone, not on the other items or the state of the index.
    pub fn candidates(
        &self,
        query: &Hash256,
        radius: HammingDistance,
        flips: ChunkFlips,
        visit: impl FnMut(Neighbour),
    ) {
        self.search(query, &Probe::approximate(radius, flips), visit);
    }

    fn search(&self, query: &Hash256, probe: &Probe, mut visit: impl FnMut(Neighbour)) {
        let (level, query) = (Level::detect(), bits_of(query));
        let mut found = |item, distance| {
            if let Some(distance) = HammingDistance::new(distance) {
                visit(Neighbour { distance, item });
            }
        };
        for base in &self.segments {
            base.segment.search(level, &query, probe, |position, distance| {
                if !base.is_removed(position) {
                    found(base.segment.item(position), distance);
                }
            });
        }
        self.delta.search(level, &query, probe, found);
    }
}

impl HammingIndex for MultiIndex {
    fn within(&self, query: &Hash256, radius: HammingDistance) -> Vec<Neighbour> {
        let mut found = Vec::new();
        self.visit(query, radius, |neighbour| found.push(neighbour));
        sorted(&found, radius)
    }
}

/// Sorts neighbours by counting their distances. Those of a crowd come in the order of their items, so that what is left to sort
/// mostly is sorted.
fn sorted(found: &[Neighbour], radius: HammingDistance) -> Vec<Neighbour> {
    let mut starts = [0_usize; 258];
    for neighbour in found {
        starts[usize::from(neighbour.distance.bits()) + 1] += 1;
    }
    for distance in 0..=usize::from(radius.bits()) {
        starts[distance + 1] += starts[distance];
    }
    let mut sorted = found.to_vec();
    for neighbour in found {
        let free = &mut starts[usize::from(neighbour.distance.bits())];
        sorted[*free] = *neighbour;
        *free += 1;
    }
    for equally_far in sorted.chunk_by_mut(|a, b| a.distance == b.distance) {
        equally_far.sort_unstable_by_key(|neighbour| neighbour.item);
    }
    sorted
}

impl Base {
    pub(super) fn of(segment: Segment) -> Self {
        Self { segment: Arc::new(segment), removed: Arc::default(), n_removed: 0 }
    }

    fn len(&self) -> usize {
        self.segment.len() - self.n_removed
    }

    fn iter(&self) -> impl Iterator<Item = (usize, Bits)> + '_ {
        let live = (0..self.segment.len()).filter(|&position| !self.is_removed(position));
        live.map(|position| (self.segment.item(position), *self.segment.hash(position)))
    }

    fn is_removed(&self, position: usize) -> bool {
        self.removed.get(position / 64).is_some_and(|word| word >> (position % 64) & 1 == 1)
    }

    fn live_position(&self, item: usize) -> Option<usize> {
        self.segment.position(item).filter(|&position| !self.is_removed(position))
    }

    fn get(&self, item: usize) -> Option<&Bits> {
        Some(self.segment.hash(self.live_position(item)?))
    }

    fn remove(&mut self, item: usize) -> bool {
        let Some(position) = self.live_position(item) else { return false };
        let removed = Arc::make_mut(&mut self.removed);
        removed.resize(self.segment.len().div_ceil(64), 0);
        removed[position / 64] |= 1 << (position % 64);
        self.n_removed += 1;
        true
    }
}
