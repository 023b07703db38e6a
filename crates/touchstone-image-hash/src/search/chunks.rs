//! The sixteen 16-bit chunks of a hash, and what nearness of two hashes says about them.
//!
//! If two hashes differ in at most `r` bits then one of their 16 chunks differs in at most `r / 16`: the pigeonhole principle, on
//! which Norouzi, Punjani and Fleet built multi-index hashing ("Fast search in Hamming space with multi-index hashing", CVPR
//! 2012). More is true. Put the chunks in a ring: from one of them on, every stretch of `l` chunks differs in at most `l * r / 16`
//! bits (Qin and Xiao, "Pigeonring: a principle for faster thresholded similarity search", VLDB 2018). Here `l = 1` chooses the
//! buckets to look into, and `l = 2` rejects nearly all that is in them before a hash is read. Distances of chunks are whole
//! numbers, so both bounds round down.

use touchstone_types::{HammingDistance, Hash256};

/// A hash as it lies in an index: its bits in their order, most significant first.
pub(super) type Bits = [u8; 32];

pub(super) const N_CHUNKS: usize = 16;

/// The most flips of a chunk that buckets are looked into for; above, a scan is faster at any size that fits one segment.
pub(super) const MAX_FLIPS: u16 = 3;

/// The number of 16-bit masks with at most 0, 1, 2, 3 bits.
pub(super) const N_MASKS: [usize; MAX_FLIPS as usize + 1] = [1, 17, 137, 697];

/// The masks with at most [`MAX_FLIPS`] bits, those of fewer bits first.
pub(super) const MASKS: [u16; N_MASKS[MAX_FLIPS as usize]] = masks();

const fn masks() -> [u16; N_MASKS[MAX_FLIPS as usize]] {
    let mut masks = [0; N_MASKS[MAX_FLIPS as usize]];
    let (mut n, mut bits) = (0, 0);
    while bits <= MAX_FLIPS as u32 {
        let mut mask = 0;
        while mask <= u16::MAX as u32 {
            if mask.count_ones() == bits {
                masks[n] = mask as u16;
                n += 1;
            }
            mask += 1;
        }
        bits += 1;
    }
    masks
}

pub(super) fn bits_of(hash: &Hash256) -> Bits {
    let mut bits = [0; 32];
    for (bytes, word) in bits.as_chunks_mut().0.iter_mut().zip(hash.words()) {
        *bytes = word.to_be_bytes();
    }
    bits
}

pub(super) fn hash_of(bits: &Bits) -> Hash256 {
    let words = bits.as_chunks().0;
    Hash256::from_words(std::array::from_fn(|i| u64::from_be_bytes(words[i])))
}

/// The chunk number `idx`, counted around the ring.
pub(super) fn chunk(bits: &Bits, idx: usize) -> u16 {
    u16::from_le_bytes(bits.as_chunks().0[idx % N_CHUNKS])
}

pub(super) fn distance(a: &Bits, b: &Bits) -> u16 {
    let words = a.as_chunks().0.iter().zip(b.as_chunks().0);
    words.map(|(a, b)| (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b)).count_ones() as u16).sum()
}

/// How many bits may differ in the chunk that [`MultiIndex::candidates`](super::MultiIndex::candidates) looks hashes up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkFlips {
    /// None: the chunks are equal. 16 buckets are read.
    None,
    /// At most one. 272 buckets are read.
    One,
}

/// Which hashes a search is for: those within a radius of which some chunk, and the pair of that and the next, are near enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    pub(super) radius: u16,
    /// The bits that may differ in one chunk.
    pub(super) flips: u16,
    /// The bits that may differ in that chunk and the next together; at least twice `flips`.
    pub(super) pair: u16,
    /// Whether every hash within the radius has such a chunk, so that a scan need not look for it.
    pub(super) exact: bool,
}

impl Probe {
    /// All hashes within the radius.
    pub(super) fn exact(radius: HammingDistance) -> Self {
        let radius = radius.bits();
        Self { radius, flips: radius / 16, pair: radius / 8, exact: true }
    }

    /// Those of them that a look at few buckets finds.
    pub(super) fn approximate(radius: HammingDistance, flips: ChunkFlips) -> Self {
        let exact = Self::exact(radius);
        let flips = exact.flips.min(match flips {
            ChunkFlips::None => 0,
            ChunkFlips::One => 1,
        });
        Self { flips, exact: flips == exact.flips, ..exact }
    }

    /// The first chunk by which this finds `hash`. A search that meets a hash in several tables reports it in that one.
    pub(super) fn first_chunk(&self, query: &Bits, hash: &Bits) -> Option<usize> {
        let differing: [u16; N_CHUNKS] =
            std::array::from_fn(|idx| (chunk(query, idx) ^ chunk(hash, idx)).count_ones() as u16);
        (0..N_CHUNKS).find(|&idx| {
            let one = differing[idx];
            one <= self.flips && one + differing[(idx + 1) % N_CHUNKS] <= self.pair
        })
    }

    /// Whether a hash that is within the radius is one of those searched for.
    pub(super) fn accepts(&self, query: &Bits, hash: &Bits) -> bool {
        self.exact || self.first_chunk(query, hash).is_some()
    }
}
