//! The tables that find windows by a part of their hash.

use super::Window;
use super::hash::WindowHash;

/// Two windows that differ in more of 128 bits are not taken for the same.
pub(super) const RADIUS: u32 = 28;

/// The windows of references, to be looked up by a part of their hash.
///
/// A hash is cut into pieces, and a table of each piece holds the windows with that value: windows with one piece in common are
/// compared in full. This finds most windows within the radius and not all (M. Norouzi et al., "Fast Search in Hamming Space with
/// Multi-Index Hashing", CVPR 2012, say how many); a reference needs a few of its windows found, not each.
#[derive(Debug, Default)]
pub(crate) struct WindowIndex {
    piece_bits: u32,
    tables: Vec<Table>,
    items: Vec<Item>,
}

/// A window of a reference.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) hash: WindowHash,
    pub(super) reference: u32,
    pub(super) window: u16,
}

/// `items[starts[value]..starts[value + 1]]` have that value.
#[derive(Debug)]
struct Table {
    starts: Vec<u32>,
    items: Vec<u32>,
}

/// The bits of one piece where there are so many windows. Some windows for each value: fewer buckets would be crowded, more would
/// be empty.
pub(crate) fn piece_bits(n_windows: usize) -> u32 {
    (n_windows.max(1).ilog2() - u32::from(n_windows > 1)).clamp(10, 16)
}

impl WindowIndex {
    /// An index of the windows of references 0 and up, in pieces of `piece_bits`.
    pub(crate) fn new<'w>(references: impl IntoIterator<Item = &'w [Window]>, piece_bits: u32) -> Self {
        let of_one = |(windows, reference): (&'w [Window], u32)| {
            let items = windows.iter().zip(0_u16..);
            items.map(move |(window, number)| Item { hash: window.hashes[0], reference, window: number })
        };
        let items: Vec<Item> = references.into_iter().zip(0_u32..).flat_map(of_one).collect();
        let n_tables = if items.is_empty() { 0 } else { WindowHash::BITS / piece_bits };
        let tables = (0..n_tables).map(|piece| Table::new(&items, piece, piece_bits)).collect();
        Self { piece_bits, tables, items }
    }

    /// How many windows there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The bits of one piece.
    pub(crate) fn piece_bits(&self) -> u32 {
        self.piece_bits
    }

    pub(super) fn n_pieces(&self) -> u32 {
        WindowHash::BITS.checked_div(self.piece_bits).unwrap_or(0)
    }

    /// The bucket of windows that have a piece in common with `hash`.
    pub(super) fn bucket(&self, hash: WindowHash, piece: u32) -> &[u32] {
        let Some(table) = self.tables.get(piece as usize) else { return &[] };
        table.with(piece_of(hash, piece, self.piece_bits))
    }

    /// The window with a number out of a bucket.
    pub(super) fn item(&self, number: u32) -> &Item {
        &self.items[number as usize]
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

pub(super) fn piece_of(hash: WindowHash, piece: u32, piece_bits: u32) -> usize {
    (hash >> (piece * piece_bits)) as usize & ((1 << piece_bits) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::Marks;
    use crate::windows::{Layers, RemovedWindows};
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    /// Every window of `references` that shares a piece with `hash` and is within the radius, in the plainest way.
    fn look_up_plainly(
        references: &[Vec<Window>],
        hash: WindowHash,
        piece_bits: u32,
    ) -> Vec<(usize, u16, u32)> {
        let pieces = 0..WindowHash::BITS / piece_bits;
        let mut found = Vec::new();
        for (reference, windows) in references.iter().enumerate() {
            for (number, window) in (0..).zip(windows) {
                let piece = |hash, piece| piece_of(hash, piece, piece_bits);
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
            n_base in any::<prop::sample::Index>(),
        ) {
            let flipped = |flips: &[u32]| flips.iter().fold(base, |hash, bit| hash ^ 1 << bit);
            let window = |flips: &Vec<u32>| Window { x: 1.0, y: 1.0, level: 0, hashes: [flipped(flips), 0] };
            let windows: Vec<Window> = flips.iter().map(window).collect();
            let references: Vec<Vec<Window>> = windows.chunks(7).map(<[Window]>::to_vec).collect();
            let n_base = n_base.index(references.len() + 1);
            let bits = piece_bits(windows.len());
            let index = |references: &[Vec<Window>]| WindowIndex::new(references.iter().map(Vec::as_slice), bits);
            let (base, delta) = (index(&references[..n_base]), index(&references[n_base..]));
            let (removed, removed_windows) = (&Marks::default(), &RemovedWindows::default());
            let layers = Layers { base: &base, n_base, removed, removed_windows, delta: &delta, max_common: 4_096 };
            let hash = flipped(&query);
            let mut found = Vec::new();
            layers.look_up(hash, |reference, window, distance| found.push((reference, window, distance)));
            found.sort_unstable();
            found.dedup();
            prop_assert_eq!(found, look_up_plainly(&references, hash, bits));
        }
    }
}
