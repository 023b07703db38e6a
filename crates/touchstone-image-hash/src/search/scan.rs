//! The plain scan, which every faster search is compared with.

use touchstone_types::{HammingDistance, Hash256};

use super::{HammingIndex, Neighbour};

/// The plain index: it compares the query with every hash, in 32 bytes a hash and time proportional to their number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinearScan {
    hashes: Vec<Hash256>,
}

impl LinearScan {
    /// An index of these hashes; the position of each is its item.
    pub fn new(hashes: Vec<Hash256>) -> Self {
        Self { hashes }
    }
}

impl HammingIndex for LinearScan {
    fn within(&self, query: &Hash256, radius: HammingDistance) -> Vec<Neighbour> {
        let mut found = Vec::new();
        for (item, hash) in self.hashes.iter().enumerate() {
            let distance = query.distance(hash);
            if distance <= radius {
                found.push(Neighbour { distance, item });
            }
        }
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits(count: u16) -> HammingDistance {
        HammingDistance::new(count).unwrap()
    }

    fn near(hash: Hash256, flips: &[u8]) -> Hash256 {
        let mut words = *hash.words();
        for &bit in flips {
            words[usize::from(bit) / 64] ^= 1 << (bit % 64);
        }
        Hash256::from_words(words)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, rng_seed: proptest::test_runner::RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_scan_finds_exactly_the_hashes_within_the_radius_nearest_first(
            query in any::<[u64; 4]>(),
            flips in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..40),
            radius in 0u16..=256,
        ) {
            let query = Hash256::from_words(query);
            let hashes: Vec<_> = flips.iter().map(|flips| near(query, flips)).collect();
            let found = LinearScan::new(hashes.clone()).within(&query, bits(radius));
            let mut expected = Vec::new();
            for distance in 0..=radius {
                for (item, hash) in hashes.iter().enumerate() {
                    let differing = (0..256).filter(|bit| {
                        let word = |h: &Hash256| h.words()[bit / 64] >> (bit % 64) & 1;
                        word(hash) != word(&query)
                    });
                    if differing.count() == usize::from(distance) {
                        expected.push(Neighbour { distance: bits(distance), item });
                    }
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
