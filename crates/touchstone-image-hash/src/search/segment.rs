//! An immutable set of hashes with what finds them, lying in one run of bytes.
//!
//! ```text
//! items      the item of each hash: those that stand alone, ascending, then crowd by crowd
//! hashes     in the same order
//! by_item    the positions of the crowds' members in the order of their items
//! centres    of the crowds
//! starts     where the members of each crowd start, and in the end the number of hashes
//! reaches    of the crowds
//! tables     of the hashes that stand alone, unless they are few
//! ```
//!
//! Numbers are little-endian and need no alignment, so a segment is searched where it was read or mapped.

use std::ops::Range;

use bytes::Bytes;

use super::chunks::{Bits, Probe};
use super::crowds::find_crowds;
use super::simd::{self, Level};
use super::tables::{MAX_TABLED, Tables};

/// When a segment has what. Tests make everything small.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Fewer hashes have no tables: to scan them is as fast, and the tables take 4 MiB at least.
    pub(super) min_tabled: usize,
    /// Fewer near-identical hashes are no crowd.
    pub(super) min_crowd: usize,
    /// More hashes are spread over several segments.
    pub(super) max_hashes: usize,
}

impl Plan {
    pub(super) const USUAL: Self = Self { min_tabled: 1 << 14, min_crowd: 64, max_hashes: MAX_TABLED };
}

/// The numbers that say how long each part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) n_singles: usize,
    pub(super) n_members: usize,
    pub(super) n_crowds: usize,
    pub(super) tabled: bool,
}

const N_PARTS: usize = 9;

impl Counts {
    /// The length in bytes of each part; `None` if no segment is so large.
    fn lengths(&self) -> Option<[usize; N_PARTS]> {
        let n = self.n_singles.checked_add(self.n_members)?;
        let tables = if self.tabled { Tables::lengths(self.n_singles)? } else { [0; 3] };
        Some([
            n.checked_mul(8)?,
            n.checked_mul(32)?,
            self.n_members.checked_mul(4)?,
            self.n_crowds.checked_mul(32)?,
            self.n_crowds.checked_add(1)?.checked_mul(4)?,
            self.n_crowds.checked_mul(2)?,
            tables[0],
            tables[1],
            tables[2],
        ])
    }

    /// The length in bytes of the segment.
    pub(super) fn n_bytes(&self) -> Option<usize> {
        self.lengths()?.into_iter().try_fold(0_usize, usize::checked_add)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) counts: Counts,
    pub(super) bytes: Bytes,
    items: Bytes,
    hashes: Bytes,
    by_item: Bytes,
    centres: Bytes,
    starts: Bytes,
    reaches: Bytes,
    max_reach: u16,
    tables: Option<Tables>,
}

impl Segment {
    /// A segment of these items, which ascend.
    pub(super) fn build(live: &[(usize, Bits)], plan: &Plan) -> Option<Self> {
        let hashes: Vec<Bits> = live.iter().map(|(_, hash)| *hash).collect();
        let crowds = find_crowds(&hashes, plan.min_crowd);
        let mut alone = vec![true; live.len()];
        let crowded = || crowds.iter().flat_map(|crowd| &crowd.members).map(|&member| member as usize);
        crowded().for_each(|member| alone[member] = false);
        let order: Vec<usize> = (0..live.len()).filter(|&idx| alone[idx]).chain(crowded()).collect();
        let n_members = crowded().count();
        let n_singles = live.len() - n_members;
        let tabled = n_singles >= plan.min_tabled;
        let counts = Counts { n_singles, n_members, n_crowds: crowds.len(), tabled };

        let mut out = Vec::with_capacity(counts.n_bytes()?);
        out.extend(order.iter().flat_map(|&idx| (live[idx].0 as u64).to_le_bytes()));
        out.extend(order.iter().flat_map(|&idx| hashes[idx]));
        let mut by_item: Vec<usize> = (n_singles..live.len()).collect();
        by_item.sort_unstable_by_key(|&position| order[position]);
        out.extend(by_item.iter().flat_map(|&position| (position as u32).to_le_bytes()));
        out.extend(crowds.iter().flat_map(|crowd| crowd.centre));
        let mut start = n_singles;
        for crowd in &crowds {
            out.extend((start as u32).to_le_bytes());
            start += crowd.members.len();
        }
        out.extend((start as u32).to_le_bytes());
        out.extend(crowds.iter().flat_map(|crowd| crowd.reach.to_le_bytes()));
        if tabled {
            let singles: Vec<Bits> = order[..n_singles].iter().map(|&idx| hashes[idx]).collect();
            Tables::write(&singles, &mut out);
        }
        Self::open(counts, Bytes::from(out))
    }

    /// The segment that lies in these bytes; `None` if their number does not fit.
    pub(super) fn open(counts: Counts, bytes: Bytes) -> Option<Self> {
        if counts.n_bytes()? != bytes.len() {
            return None;
        }
        let mut rest = bytes.clone();
        let [items, hashes, by_item, centres, starts, reaches, a, b, c] =
            counts.lengths()?.map(|length| rest.split_to(length));
        let max_reach = reaches.as_chunks().0.iter().map(|reach| u16::from_le_bytes(*reach)).max();
        let max_reach = max_reach.unwrap_or(0);
        let tables = counts.tabled.then(|| Tables::of_parts([a, b, c]));
        Some(Self { counts, bytes, items, hashes, by_item, centres, starts, reaches, max_reach, tables })
    }

    pub(super) fn len(&self) -> usize {
        self.counts.n_singles + self.counts.n_members
    }

    pub(super) fn item(&self, position: usize) -> usize {
        u64::from_le_bytes(self.items.as_chunks().0[position]) as usize
    }

    pub(super) fn hash(&self, position: usize) -> &Bits {
        &self.hashes()[position]
    }

    fn hashes(&self) -> &[Bits] {
        self.hashes.as_chunks().0
    }

    /// Where the item is.
    pub(super) fn position(&self, item: usize) -> Option<usize> {
        let (singles, _) = self.items.as_chunks::<8>().0.split_at(self.counts.n_singles);
        let item_of = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes) as usize;
        if let Ok(position) = singles.binary_search_by_key(&item, item_of) {
            return Some(position);
        }
        let by_item = self.by_item.as_chunks::<4>().0;
        let position_at = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes) as usize;
        let item_at = |bytes: &[u8; 4]| self.items.as_chunks().0.get(position_at(bytes)).map(item_of);
        let found = by_item.binary_search_by_key(&Some(item), item_at).ok()?;
        Some(position_at(&by_item[found]))
    }

    /// Visits the hashes that `probe` is for, by position and distance, each once.
    pub(super) fn search(
        &self,
        level: Level,
        query: &Bits,
        probe: &Probe,
        mut visit: impl FnMut(usize, u16),
    ) {
        let singles = &self.hashes()[..self.counts.n_singles];
        let tables = self.tables.as_ref().filter(|tables| {
            tables.cost(query, probe).is_some_and(|cost| cost < singles.len() / SCANNED_A_NANO)
        });
        match tables {
            Some(tables) => tables.search(level, singles, query, probe, &mut visit),
            None => self.scan(level, 0..self.counts.n_singles, query, probe, &mut visit),
        }
        self.search_crowds(level, query, probe, visit);
    }

    fn search_crowds(&self, level: Level, query: &Bits, probe: &Probe, mut visit: impl FnMut(usize, u16)) {
        let starts = self.starts.as_chunks::<4>().0;
        let farthest = probe.radius.saturating_add(self.max_reach);
        simd::scan(level, self.centres.as_chunks().0, query, farthest, |crowd, distance| {
            let reach = u16::from_le_bytes(self.reaches.as_chunks().0[crowd]);
            if distance <= probe.radius.saturating_add(reach) {
                let [start, end] = [starts[crowd], starts[crowd + 1]].map(u32::from_le_bytes);
                self.scan(level, start as usize..end as usize, query, probe, &mut visit);
            }
        });
    }

    fn scan(
        &self,
        level: Level,
        range: Range<usize>,
        query: &Bits,
        probe: &Probe,
        mut visit: impl FnMut(usize, u16),
    ) {
        let first = range.start;
        let hashes = self.hashes().get(range).unwrap_or_default();
        simd::scan(level, hashes, query, probe.radius, |idx, distance| {
            if probe.accepts(query, &hashes[idx]) {
                visit(first + idx, distance);
            }
        });
    }
}

/// Hashes scanned in a nanosecond. Measured.
const SCANNED_A_NANO: usize = 1;
