//! Search among hashes by Hamming distance.

mod scan;

pub use scan::LinearScan;

use touchstone_types::{HammingDistance, Hash256};

/// A hash found near another.
///
/// Neighbours are ordered by distance, then by item: an order that does not depend on how they were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// The bits in which it differs from the query.
    pub distance: HammingDistance,
    /// Its position among the hashes that the index was made of, from 0.
    pub item: usize,
}

/// An exact radius search among 256-bit hashes.
pub trait HammingIndex {
    /// All hashes that differ from `query` in at most `radius` bits, nearest first, ties by item.
    fn within(&self, query: &Hash256, radius: HammingDistance) -> Vec<Neighbour>;
}
