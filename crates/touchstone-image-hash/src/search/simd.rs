//! The two inner loops of the index, for the instructions that the processor has.
//!
//! Each is written once in plain Rust, which serves every processor. On x86-64 the same lines are compiled a second time for
//! processors with AVX2 and `popcnt`, and for those that count bits in vectors (AVX-512 with VPOPCNTDQ and BITALG) there is a
//! version by hand. All give the same whole numbers in the same order; the tests compare them.

use super::chunks::{Bits, distance};

/// What the processor can do. Made by [`Level::detect`] only, so that having one is proof.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level(Kind);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The best that this processor can do.
    pub(super) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vpopcntdq")
                && is_x86_feature_detected!("avx512bitalg")
            {
                return Self(Kind::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
                return Self(Kind::Avx2);
            }
        }
        Self(Kind::Plain)
    }

    /// All that this processor can do, for tests.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Self> {
        match Self::detect().0 {
            Kind::Plain => vec![Self(Kind::Plain)],
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => vec![Self(Kind::Plain), Self(Kind::Avx2)],
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => vec![Self(Kind::Plain), Self(Kind::Avx2), Self(Kind::Avx512)],
        }
    }
}

/// Visits the hashes within `radius` of the query, by position and distance, in their order.
#[inline]
pub(super) fn scan(level: Level, hashes: &[Bits], query: &Bits, radius: u16, visit: impl FnMut(usize, u16)) {
    match level.0 {
        Kind::Plain => scan_plain(hashes, query, radius, visit),
        // SAFETY: `detect` found the instructions that the function is compiled for.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => unsafe { x86::scan_avx2(hashes, query, radius, visit) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unsafe { x86::scan_avx512(hashes, query, radius, visit) },
    }
}

/// Entries of a table to look at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    pub(super) start: usize,
    pub(super) end: usize,
    /// In how many bits the next chunk may differ.
    pub(super) limit: u16,
}

/// Visits the entries of the buckets whose next chunk is near enough to the query's, by their number in the table.
///
/// A bucket that does not lie in the table is empty.
#[inline]
pub(super) fn filter(
    level: Level,
    next_chunks: &[[u8; 2]],
    query: u16,
    buckets: &[Bucket],
    visit: impl FnMut(usize),
) {
    match level.0 {
        Kind::Plain => filter_plain(next_chunks, query, buckets, visit),
        // SAFETY: `detect` found the instructions that the function is compiled for.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => unsafe { x86::filter_avx2(next_chunks, query, buckets, visit) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unsafe { x86::filter_avx512(next_chunks, query, buckets, visit) },
    }
}

/// Asks for a value to be brought near, if there is one. Changes nothing but the time that reading it takes.
#[inline]
pub(super) fn prefetch<T>(value: Option<&T>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(value) = value {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 has the instruction, and it takes any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

#[inline(always)]
fn scan_plain(hashes: &[Bits], query: &Bits, radius: u16, mut visit: impl FnMut(usize, u16)) {
    for (position, hash) in hashes.iter().enumerate() {
        let distance = distance(query, hash);
        if distance <= radius {
            visit(position, distance);
        }
    }
}

#[inline(always)]
fn filter_plain(next_chunks: &[[u8; 2]], query: u16, buckets: &[Bucket], mut visit: impl FnMut(usize)) {
    for bucket in buckets {
        let Some(entries) = next_chunks.get(bucket.start..bucket.end) else { continue };
        for (idx, chunk) in entries.iter().enumerate() {
            if (u16::from_le_bytes(*chunk) ^ query).count_ones() <= u32::from(bucket.limit) {
                visit(bucket.start + idx);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Bits, Bucket, filter_plain, scan_plain};
    use std::arch::x86_64::*;

    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn scan_avx2(hashes: &[Bits], query: &Bits, radius: u16, visit: impl FnMut(usize, u16)) {
        scan_plain(hashes, query, radius, visit);
    }

    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn filter_avx2(
        next_chunks: &[[u8; 2]],
        query: u16,
        buckets: &[Bucket],
        visit: impl FnMut(usize),
    ) {
        filter_plain(next_chunks, query, buckets, visit);
    }

    /// Eight hashes at a time: two to a vector of eight words, so that word `w` of hash `2 * v + half` is in lane `4 * half + w`
    /// of vector `v`. Counts of a word are at most 64 and their sum at most 256: four vectors pack into one with 16 bits a count.
    #[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq,popcnt,avx2")]
    pub(super) fn scan_avx512(hashes: &[Bits], query: &Bits, radius: u16, mut visit: impl FnMut(usize, u16)) {
        // SAFETY: 32 readable bytes, at any alignment.
        let query_twice = _mm512_broadcast_i64x4(unsafe { _mm256_loadu_si256(query.as_ptr().cast()) });
        let radii = _mm512_set1_epi16(radius as i16);
        let (blocks, rest) = hashes.as_chunks::<8>();
        for (block_idx, block) in blocks.iter().enumerate() {
            let pairs: &[[u8; 64]] = block.as_flattened().as_chunks().0;
            let counts = |pair: usize| {
                // SAFETY: 64 readable bytes, at any alignment.
                let pair = unsafe { _mm512_loadu_si512(pairs[pair].as_ptr().cast()) };
                _mm512_popcnt_epi64(_mm512_xor_si512(pair, query_twice))
            };
            let low = _mm512_or_si512(counts(0), _mm512_slli_epi64::<16>(counts(1)));
            let high = _mm512_or_si512(counts(2), _mm512_slli_epi64::<16>(counts(3)));
            let words = _mm512_or_si512(low, _mm512_slli_epi64::<32>(high));
            let halves = _mm512_add_epi16(words, _mm512_permutex_epi64::<0b10_11_00_01>(words));
            let sums = _mm512_add_epi16(halves, _mm512_permutex_epi64::<0b01_00_11_10>(halves));
            let near = _mm512_cmple_epu16_mask(sums, radii) & 0x000f_000f;
            if near == 0 {
                continue;
            }
            let mut distances = [0_u16; 32];
            // SAFETY: 64 writable bytes, at any alignment.
            unsafe { _mm512_storeu_si512(distances.as_mut_ptr().cast(), sums) };
            for idx in 0..8 {
                let lane = 16 * (idx & 1) + idx / 2;
                if near >> lane & 1 == 1 {
                    visit(8 * block_idx + idx, distances[lane]);
                }
            }
        }
        let n_done = hashes.len() - rest.len();
        scan_plain(rest, query, radius, |position, distance| visit(n_done + position, distance));
    }

    /// 32 entries at a time.
    #[target_feature(enable = "avx512f,avx512bw,avx512bitalg,popcnt,avx2")]
    pub(super) fn filter_avx512(
        next_chunks: &[[u8; 2]],
        query: u16,
        buckets: &[Bucket],
        mut visit: impl FnMut(usize),
    ) {
        let query = _mm512_set1_epi16(query as i16);
        for bucket in buckets {
            let limit = _mm512_set1_epi16(bucket.limit as i16);
            let mut start = bucket.start;
            let Some(entries) = next_chunks.get(start..bucket.end) else { continue };
            for part in entries.chunks(32) {
                let present = u32::MAX >> (32 - part.len());
                // SAFETY: reads only the first `part.len()` pairs of bytes, at any alignment.
                let chunks = unsafe { _mm512_maskz_loadu_epi16(present, part.as_ptr().cast()) };
                let differing = _mm512_popcnt_epi16(_mm512_xor_si512(chunks, query));
                let mut near = _mm512_mask_cmple_epu16_mask(present, differing, limit);
                while near != 0 {
                    visit(start + near.trailing_zeros() as usize);
                    near &= near - 1;
                }
                start += part.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, rng_seed: proptest::test_runner::RngSeed::Fixed(11), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_level_scans_as_the_plain_loop(
            query in any::<Bits>(),
            flips in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..60),
            radius in 0_u16..=256,
        ) {
            let hashes: Vec<Bits> = flips.iter().map(|flips| {
                let mut hash = query;
                flips.iter().for_each(|&bit| hash[usize::from(bit) / 8] ^= 1 << (bit % 8));
                hash
            }).collect();
            let mut expected = Vec::new();
            scan_plain(&hashes, &query, radius, |position, distance| expected.push((position, distance)));
            for level in Level::all() {
                let mut found = Vec::new();
                scan(level, &hashes, &query, radius, |position, distance| found.push((position, distance)));
                prop_assert_eq!(&found, &expected, "{:?}", level);
            }
        }

        #[test]
        fn every_level_filters_as_the_plain_loop(
            chunks in prop::collection::vec(any::<[u8; 2]>(), 0..200),
            query in any::<u16>(),
            buckets in prop::collection::vec((0_usize..210, 0_usize..90, 0_u16..=16), 0..6),
        ) {
            let buckets: Vec<Bucket> =
                buckets.iter().map(|&(start, len, limit)| Bucket { start, end: start + len, limit }).collect();
            let mut expected = Vec::new();
            filter_plain(&chunks, query, &buckets, |entry| expected.push(entry));
            for level in Level::all() {
                let mut found = Vec::new();
                filter(level, &chunks, query, &buckets, |entry| found.push(entry));
                prop_assert_eq!(&found, &expected, "{:?}", level);
            }
        }
    }

    #[test]
    fn complements_are_at_distance_256_on_every_level() {
        for level in Level::all() {
            let mut found = Vec::new();
            scan(level, &[[0xff; 32]; 17], &[0; 32], 256, |_, distance| found.push(distance));
            assert_eq!(found, [256; 17], "{level:?}");
        }
    }
}
