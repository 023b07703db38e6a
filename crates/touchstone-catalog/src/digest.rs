//! A digest of the set of live records that follows a change without reading the other records.

use sha2::{Digest, Sha256, Sha512};
use touchstone_types::CatalogRecord;

/// The length of [`SetDigest::to_bytes`].
pub(crate) const DIGEST_BYTES: usize = 72;

/// The sum of the hashes of a set's records, lane by lane and modulo 2^64, with their number: the additive multiset hash
/// (Clarke et al., 2003). It tells states of one catalog apart; it does not withstand an owner who searches for collisions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SetDigest {
    lanes: [u64; 8],
    n: u64,
}

impl SetDigest {
    pub(crate) fn add(&mut self, record: &CatalogRecord) {
        self.lanes = combine(self.lanes, lanes_of(record), u64::wrapping_add);
        self.n += 1;
    }

    /// Takes out a record that was added before.
    pub(crate) fn remove(&mut self, record: &CatalogRecord) {
        self.lanes = combine(self.lanes, lanes_of(record), u64::wrapping_sub);
        self.n = self.n.saturating_sub(1);
    }

    /// How many records are in the set.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.n).unwrap_or(usize::MAX)
    }

    /// 16 hexadecimal digits.
    pub(crate) fn text(&self) -> String {
        Sha256::digest(self.to_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn to_bytes(&self) -> [u8; DIGEST_BYTES] {
        let mut out = [0; DIGEST_BYTES];
        for (place, lane) in out.chunks_exact_mut(8).zip(self.lanes.iter().chain([&self.n])) {
            place.copy_from_slice(&lane.to_le_bytes());
        }
        out
    }

    pub(crate) fn from_bytes(bytes: &[u8; DIGEST_BYTES]) -> Self {
        let lane = |idx: usize| crate::bytes::u64_at(bytes, idx * 8).expect("nine lanes of eight bytes");
        Self { lanes: std::array::from_fn(lane), n: lane(8) }
    }
}

fn combine(a: [u64; 8], b: [u64; 8], with: fn(u64, u64) -> u64) -> [u64; 8] {
    std::array::from_fn(|idx| with(a[idx], b[idx]))
}

fn lanes_of(record: &CatalogRecord) -> [u64; 8] {
    let hash = Sha512::digest(record.to_json());
    std::array::from_fn(|idx| crate::bytes::u64_at(&hash, idx * 8).expect("SHA-512 has eight lanes"))
}
