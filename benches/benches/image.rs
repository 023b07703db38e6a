//! Decoding and hashing an invented photo of 900x1200 pixels and the real ones of the test data, hashing alone, both tiers with their
//! search (recall printed), and the plain search among 100,000 hashes.
//!
//! The peer is the faster of the rows with pdqhash of `shared/peers/photo_hash.py`, on the same photos, in the same session.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, Rgb, RgbImage};
use touchstone_image_hash::{
    DEFAULT_RADIUS, DecodeLimits, HammingIndex, LinearScan, MatchSettings, Pdq, PhotoIndex, PhotoScore,
    Picture, decode, features, hash, photo,
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
        say(problem);
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

/// A JPEG file of 540x720 pixels with blots, another for each seed.
fn invented(seed: u64) -> RgbImage {
    let mut random = Lcg(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut picture = RgbImage::from_pixel(540, 720, Rgb([250; 3]));
    for _ in 0..80 {
        let (x, y) = (random.next() as u32 % 480, random.next() as u32 % 640);
        let (w, h) = (20 + random.next() as u32 % 120, 20 + random.next() as u32 % 120);
        let colour = Rgb([random.next() as u8, random.next() as u8, random.next() as u8]);
        for y in y..(y + h).min(720) {
            for x in x..(x + w).min(540) {
                picture.put_pixel(x, y, colour);
            }
        }
    }
    picture
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 85).encode_image(picture).expect("a picture can be encoded");
    file
}

/// Both tiers, from files to matches, and tier one alone: the time is that of all photos, the recall is printed.
fn matching(criterion: &mut Criterion) {
    const N_PHOTOS: u64 = 40;
    let crop = |seed| jpeg(&image::imageops::crop_imm(&invented(seed), 40, 50, 460, 600).to_image());
    let cropped: Vec<Vec<u8>> = (0..N_PHOTOS).map(crop).collect();
    let made: Vec<Vec<u8>> = (0..650).map(|seed| jpeg(&invented(seed))).collect();
    for n in [65, 650] {
        match_all(criterion, &format!("crops_540x720_in_{n}_invented"), &made[..n], &cropped);
    }
    let real = references();
    if real.is_empty() {
        return;
    }
    // Cropped as the invented ones are; every reference of that size is in the index.
    let crop = |file: &Vec<u8>| {
        let picture = image::load_from_memory(file).expect("the references can be decoded").to_rgb8();
        jpeg(&image::imageops::crop_imm(&picture, 67, 83, 766, 1000).to_image())
    };
    let cropped: Vec<Vec<u8>> = real.iter().take(N_PHOTOS as usize).map(crop).collect();
    match_all(criterion, &format!("crops_766x1000_in_{}_real", real.len()), &real, &cropped);
}

/// `photos[i]` shows `references[i]`.
fn match_all(criterion: &mut Criterion, name: &str, references: &[Vec<u8>], photos: &[Vec<u8>]) {
    let limits = DecodeLimits::default();
    let made: Vec<_> = references
        .iter()
        .map(|file| features(file, &limits).expect("a file just written can be decoded"))
        .collect();
    let scan = LinearScan::new(made.iter().map(|features| features.pdq).collect());
    let index = PhotoIndex::new(made);
    let score = PhotoScore::default();
    let settings = MatchSettings { radius: DEFAULT_RADIUS, score: &score, only_proposed: false };
    let both = |file: &[u8]| photo(file, &limits).map(|photo| index.matches(&photo, &settings, &[]));
    let is_found = |(own, file): (usize, &Vec<u8>)| {
        both(file).is_ok_and(|found| found.iter().any(|found| found.reference == own))
    };
    let tier_one = |file: &[u8]| {
        hash(file, &limits).map(|pdq| {
            pdq.dihedral.iter().map(|turned| scan.within(turned, DEFAULT_RADIUS)).collect::<Vec<_>>()
        })
    };
    let n = photos.len();
    let n_both = photos.iter().enumerate().filter(|&row| is_found(row)).count();
    let by_hash = |(own, file): (usize, &Vec<u8>)| {
        tier_one(file).is_ok_and(|found| found.iter().flatten().any(|near| near.item == own))
    };
    let n_hash = photos.iter().enumerate().filter(|&row| by_hash(row)).count();
    say(&format!("{name}: recall of both tiers {n_both}/{n}, of tier one {n_hash}/{n}"));
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(n as u64)).sample_size(10);
    group.bench_function("both_tiers", |b| {
        b.iter(|| photos.iter().for_each(|file| drop(black_box(both(file)))));
    });
    group.bench_function("tier_one", |b| {
        b.iter(|| photos.iter().for_each(|file| drop(black_box(tier_one(file)))));
    });
    group.finish();
}

fn say(text: &str) {
    std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes()).unwrap_or_default();
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

criterion_group!(benches, photos, real_photos, matching, search);
criterion_main!(benches);
