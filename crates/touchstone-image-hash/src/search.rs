//! Search among hashes by Hamming distance: the plain scan, and an index that is exact as well and does not read everything.
//!
//! ```text
//! MultiIndex ──▶ Segment (large, immutable) ──▶ Tables   hashes that stand alone, by their 16-bit chunks
//!     │              │                    └───▶ Crowds   near-identical hashes, lying together around a centre
//!     │              └ which of it was removed           (simd: the two inner loops of both)
//!     └────────▶ Delta (small, scanned)
//! ```

mod chunks;
mod crowds;
mod delta;
mod file;
mod multi_index;
mod scan;
mod segment;
#[expect(
    unsafe_code,
    reason = "instructions that a build for every x86-64 cannot assume; checked against the plain loops"
)]
mod simd;
mod tables;
#[cfg(test)]
mod tests;

pub use chunks::ChunkFlips;
pub use file::IndexFileError;
pub use multi_index::MultiIndex;
pub use scan::LinearScan;

use touchstone_types::{HammingDistance, Hash256};

/// A hash found near another.
///
/// Neighbours are ordered by distance, then by item: an order that does not depend on how they were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// The bits in which it differs from the query.
    pub distance: HammingDistance,
    /// What it was put into the index as: its position among the hashes that the index was made of, from 0, or the item named
    /// on insertion.
    pub item: usize,
}

/// An exact radius search among 256-bit hashes.
pub trait HammingIndex {
    /// All hashes that differ from `query` in at most `radius` bits, nearest first, ties by item.
    fn within(&self, query: &Hash256, radius: HammingDistance) -> Vec<Neighbour>;
}
