//! Exact radius search among 256-bit hashes at radius 31, one thread, on the two sets that `peers/hamming_search.py` times Faiss on.
//!
//! `uniform`: hashes of random bits; a query is one of them with 0 to 31 bits flipped. `real`: hashes drawn from those of the
//! photos of `fashion/references` with 0 to 8 bits flipped, queries in the same way; set `TOUCHSTONE_PHOTOS` to another folder of
//! pictures if it lies elsewhere. Every set's answers are compared with the plain scan's before it is timed.
//!
//! For the ratio to Faiss run both, one after the other, on an idle machine, and compare within the run only:
//!
//! ```text
//! python ../shared/peers/hamming_search.py
//! python ../shared/peers/hamming_search.py --photos ../shared/data/photos/fashion/references
//! cargo bench -p touchstone-benches --bench hamming -- 1000000
//! ```

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use touchstone_image_hash::{
    ChunkFlips, DEFAULT_RADIUS, DecodeLimits, HammingIndex, LinearScan, MultiIndex, photo,
};
use touchstone_types::{HammingDistance, Hash256};

const SIZES: [usize; 3] = [100_000, 1_000_000, 10_000_000];
const N_QUERIES: usize = 1000;
/// So many of them are checked against the plain scan.
const N_CHECKED: usize = 20;

/// A linear congruential generator (the multiplier of Knuth's MMIX): even enough for inputs of a bench.
struct Lcg(u64);

impl Lcg {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 32
    }

    fn below(&mut self, n: usize) -> usize {
        ((self.next() * n as u64) >> 32) as usize
    }

    fn hash(&mut self) -> Hash256 {
        Hash256::from_words(std::array::from_fn(|_| self.next() << 32 | self.next()))
    }

    /// A hash that differs in exactly so many bits.
    fn near(&mut self, hash: &Hash256, n_bits: usize) -> Hash256 {
        let mut words = *hash.words();
        let mut left = n_bits;
        while left > 0 {
            let bit = self.below(256);
            if (words[bit / 64] ^ hash.words()[bit / 64]) >> (bit % 64) & 1 == 0 {
                words[bit / 64] ^= 1 << (bit % 64);
                left -= 1;
            }
        }
        Hash256::from_words(words)
    }

    fn queries(&mut self, hashes: &[Hash256]) -> Vec<Hash256> {
        (0..N_QUERIES)
            .map(|_| {
                let target = hashes[self.below(hashes.len())];
                let n_bits = self.below(32);
                self.near(&target, n_bits)
            })
            .collect()
    }
}

/// The hashes of the photos below a folder; none if it is not there.
fn photo_hashes() -> Vec<Hash256> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/photos/fashion/references");
    let folder = std::env::var_os("TOUCHSTONE_PHOTOS").map_or(usual, PathBuf::from);
    let Ok(entries) = std::fs::read_dir(&folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let read = |file: &PathBuf| photo(&std::fs::read(file).ok()?, &DecodeLimits::default()).ok();
    files.iter().filter_map(read).map(|photo| photo.features.pdq).collect()
}

/// `n` of these hashes, with a bit flipped up to eight times: surely the first time, seven times in eight the second, and so on.
fn resampled(base: &[Hash256], n: usize, random: &mut Lcg) -> Vec<Hash256> {
    let mut hashes: Vec<Hash256> = (0..n).map(|_| base[random.below(base.len())]).collect();
    for hash in &mut hashes {
        let mut words = *hash.words();
        for k in 0..8 {
            let bit = random.below(256);
            if random.below(8) < 8 - k {
                words[bit / 64] ^= 1 << (bit % 64);
            }
        }
        *hash = Hash256::from_words(words);
    }
    hashes
}

#[expect(clippy::print_stderr, reason = "quality and memory belong beside the times")]
fn set(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, hashes: Vec<Hash256>, random: &mut Lcg) {
    let queries = random.queries(&hashes);
    let started = Instant::now();
    let index = MultiIndex::new(hashes.iter().copied());
    let built = started.elapsed();
    let started = Instant::now();
    let bytes = index.to_bytes().into();
    let written = started.elapsed();
    let started = Instant::now();
    let index = MultiIndex::from_bytes(&bytes).expect("what was written opens");
    let opened = started.elapsed();

    let n = hashes.len();
    let scan = LinearScan::new(hashes);
    let mut n_found = 0;
    for query in &queries[..N_CHECKED] {
        let expected = scan.within(query, DEFAULT_RADIUS);
        assert_eq!(index.within(query, DEFAULT_RADIUS), expected, "recall must be 1.000");
        n_found += expected.len();
    }
    eprintln!(
        "{name}_{n}: recall 1.000, {:.1} neighbours a query, {:.1} bytes a hash, built in {built:.1?}, \
         written in {written:.1?}, opened in {opened:.1?}",
        n_found as f64 / N_CHECKED as f64,
        bytes.len() as f64 / n as f64,
    );
    let mut next = (0..N_QUERIES).cycle();
    let mut query = || &queries[next.next().expect("a cycle does not end")];
    group.bench_function(format!("{name}_{n}_radius_31"), |b| {
        b.iter(|| index.within(black_box(query()), DEFAULT_RADIUS));
    });
    if n > 1_000_000 {
        return;
    }
    let radius = HammingDistance::new(60).expect("at most 256");
    for (flips, words) in [(ChunkFlips::None, "equal_chunk"), (ChunkFlips::One, "one_flip")] {
        group.bench_function(format!("{name}_{n}_candidates_{words}_radius_60"), |b| {
            b.iter(|| {
                let mut n_found = 0;
                index.candidates(black_box(query()), radius, flips, |_| n_found += 1);
                n_found
            });
        });
    }
    group.bench_function(format!("{name}_{n}_radius_60"), |b| {
        b.iter(|| index.within(black_box(query()), radius));
    });
    let radius = HammingDistance::new(100).expect("at most 256");
    group.bench_function(format!("{name}_{n}_radius_100"), |b| {
        b.iter(|| index.within(black_box(query()), radius));
    });
}

#[expect(clippy::print_stderr, reason = "a set that is not there must not pass for one that was timed")]
fn hamming(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hamming");
    let wanted: Vec<String> =
        std::env::args().filter(|word| SIZES.iter().any(|n| n.to_string() == *word)).collect();
    let base = photo_hashes();
    if base.is_empty() {
        eprintln!(
            "\n*** SKIPPED: no photos found, so nothing is measured on real hashes. Set TOUCHSTONE_PHOTOS. ***\n"
        );
    }
    for n in SIZES {
        // Sets take long to make, so those that a filter by size excludes are not.
        if !wanted.is_empty() && !wanted.contains(&n.to_string()) {
            continue;
        }
        let mut random = Lcg(7);
        let uniform = (0..n).map(|_| random.hash()).collect();
        set(&mut group, "uniform", uniform, &mut random);
        if !base.is_empty() {
            let real = resampled(&base, n, &mut random);
            set(&mut group, "real", real, &mut random);
        }
    }
    group.finish();
}

criterion_group!(benches, hamming);
criterion_main!(benches);
