//! Decoding and hashing an invented photo of 900x1200 pixels and the real ones of the test data, hashing alone, and the plain search
//! among 100,000 hashes.
//!
//! The peer is the faster of the rows with pdqhash of `shared/peers/photo_hash.py`, on the same photos, in the same session.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, Rgb, RgbImage};
use touchstone_image_hash::{
    DEFAULT_RADIUS, DecodeLimits, HammingIndex, LinearScan, Pdq, Picture, decode, features, photo,
};
use touchstone_types::Hash256;

const WIDTH: u32 = 900;
const HEIGHT: u32 = 1200;

/// A linear congruential generator (the multiplier of Knuth's MMIX): even enough for inputs of a bench.
struct Lcg(u64);

impl Lcg {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 32
    }

    fn hash(&mut self) -> Hash256 {
        Hash256::from_words(std::array::from_fn(|_| self.next() << 32 | self.next()))
    }
}

/// A studio photo as far as a decoder can tell: white ground, a few hundred blots of colour, a little grain.
fn product_photo() -> RgbImage {
    let mut random = Lcg(42);
    let mut photo = RgbImage::from_pixel(WIDTH, HEIGHT, Rgb([250; 3]));
    for _ in 0..300 {
        let (x, y) = (150 + random.next() % 600, 150 + random.next() % 900);
        let (w, h) = (1 + random.next() % 120, 1 + random.next() % 120);
        let colour = Rgb([random.next() as u8, random.next() as u8, random.next() as u8]);
        for y in y..(y + h).min(HEIGHT.into()) {
            for x in x..(x + w).min(WIDTH.into()) {
                photo.put_pixel(x as u32, y as u32, colour);
            }
        }
    }
    for sample in photo.iter_mut() {
        *sample = sample.saturating_sub((random.next() % 6) as u8);
    }
    photo
}

fn photos(criterion: &mut Criterion) {
    let rgb = product_photo();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 85)
        .encode(&rgb, WIDTH, HEIGHT, ExtendedColorType::Rgb8)
        .expect("an RGB picture can be encoded");
    let picture = Picture::from_rgb(WIDTH, HEIGHT, rgb.into_raw()).expect("three bytes a pixel");
    let limits = DecodeLimits::default();

    let mut group = criterion.benchmark_group("photo_900x1200");
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode_and_pdq", |b| b.iter(|| photo(black_box(&jpeg), &limits)));
    group.bench_function("decode_all_colours", |b| b.iter(|| decode(black_box(&jpeg), &limits)));
    group.bench_function("pdq", |b| b.iter(|| Pdq::of(black_box(&picture))));
    group.bench_function("pdq_full_size", |b| b.iter(|| Pdq::of_full_size(black_box(&picture))));
    group.finish();
}

/// The references of 900x1200 pixels in the test data: `TOUCHSTONE_DATA`, or `shared/data` beside the workspace.
fn references() -> Vec<Vec<u8>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let data = std::env::var_os("TOUCHSTONE_DATA").map_or_else(beside, PathBuf::from);
    let folder = std::fs::read_dir(data.join("photos/fashion/references"));
    let mut paths: Vec<PathBuf> = folder.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let is_large = |path: &PathBuf| image::image_dimensions(path).is_ok_and(|sides| sides == (WIDTH, HEIGHT));
    paths.iter().filter(|path| is_large(path)).filter_map(|path| std::fs::read(path).ok()).collect()
}

/// The figures of the comparison with the peer; the time is that of all references.
fn real_photos(criterion: &mut Criterion) {
    let references = references();
    if references.is_empty() {
        let problem = "SKIPPED: no photos of 900x1200 pixels in the test data (TOUCHSTONE_DATA)";
        std::io::Write::write_all(&mut std::io::stderr(), format!("{problem}\n").as_bytes())
            .unwrap_or_default();
        return;
    }
    let limits = DecodeLimits::default();
    let mut group = criterion.benchmark_group("references_900x1200");
    group.throughput(Throughput::Elements(references.len() as u64)).sample_size(20);
    let mut bench = |name: &str, job: &dyn Fn(&[u8])| {
        group.bench_function(name, |b| b.iter(|| references.iter().for_each(|file| job(black_box(file)))));
    };
    bench("decode_and_pdq", &|file| drop(black_box(features(file, &limits))));
    bench("photo", &|file| drop(black_box(photo(file, &limits))));
    bench("decode_all_colours", &|file| drop(black_box(decode(file, &limits))));
    bench("decode_all_colours_and_pdq", &|file| {
        drop(black_box(decode(file, &limits).map(|picture| Pdq::of(&picture))));
    });
    group.finish();
}

fn search(criterion: &mut Criterion) {
    let mut random = Lcg(7);
    let scan = LinearScan::new((0..100_000).map(|_| random.hash()).collect());
    let query = random.hash();
    let mut group = criterion.benchmark_group("search_100000");
    group.throughput(Throughput::Elements(1));
    group.bench_function("linear_scan_radius_31", |b| {
        b.iter(|| scan.within(black_box(&query), DEFAULT_RADIUS));
    });
    group.finish();
}

criterion_group!(benches, photos, real_photos, search);
criterion_main!(benches);
