//! One state of a catalog with many reference photos after another: a photo changed, with and without changes pending, the merge of
//! these, a photo searched for in each state, and the compiled catalog opened.
//!
//! `cargo bench -p touchstone-benches --bench photos`

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use image::{Rgb, RgbImage};
use touchstone_catalog::{Catalog, Snapshot};
use touchstone_image_hash::{DEFAULT_RADIUS, DecodeLimits, MatchSettings, PhotoScore, photo};
use touchstone_text::Lexicon;
use touchstone_types::{CatalogRecord, Hash256, PhotoDetail, PhotoFeatures};

const N_HASHES: usize = 100_000;
const N_DETAILS: usize = 20_000;
/// So many photos changed since the last merge: nearly as many as a merge waits for.
const N_PENDING: usize = 1_000;
const N_PICTURES: u64 = 40;

/// Where the windows of a detail begin, the bytes of one, and where its hash begins in them.
const WINDOWS: (usize, usize, usize) = (710, 20, 4);

/// A linear congruential generator (the multiplier of Knuth's MMIX): even enough for inputs of a bench.
struct Lcg(u64);

impl Lcg {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 32
    }

    /// A word in which one bit of four is set.
    fn flips(&mut self) -> u64 {
        (self.next() << 32 | self.next()) & (self.next() << 32 | self.next())
    }
}

/// The file of a picture with blots, another for each seed.
fn picture(seed: u64) -> Vec<u8> {
    let mut random = Lcg(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut picture = RgbImage::from_pixel(360, 480, Rgb([250; 3]));
    for _ in 0..80 {
        let (x, y) = (random.next() as u32 % 320, random.next() as u32 % 440);
        let (w, h) = (10 + random.next() as u32 % 80, 10 + random.next() as u32 % 80);
        let colour = Rgb([random.next() as u8, random.next() as u8, random.next() as u8]);
        for (x, y) in (y..(y + h).min(480)).flat_map(|y| (x..(x + w).min(360)).map(move |x| (x, y))) {
            picture.put_pixel(x, y, colour);
        }
    }
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, image::ImageFormat::Png).expect("a picture in memory can be encoded");
    file.into_inner()
}

/// The features of a reference with other hashes, as if it were of another picture.
fn varied(original: &PhotoFeatures, random: &mut Lcg) -> PhotoFeatures {
    let pdq = Hash256::from_words(original.pdq.words().map(|word| word ^ random.flips()));
    let detail = original.detail.as_ref().map(|detail| {
        let mut bytes = detail.as_bytes().to_vec();
        let (start, n_bytes, hash) = WINDOWS;
        for window in bytes[start..].chunks_exact_mut(n_bytes) {
            window[hash..].iter_mut().for_each(|byte| *byte ^= random.flips() as u8);
        }
        PhotoDetail::new(bytes).expect("as long as before")
    });
    PhotoFeatures { pdq, detail, ..original.clone() }
}

fn record(json: &str) -> CatalogRecord {
    CatalogRecord::from_json(json.as_bytes()).expect("a record of the documented form")
}

fn product(idx: usize, features: PhotoFeatures) -> CatalogRecord {
    let named = format!(r#""brand_id":"b","product_id":"p{idx}","title":"Cartucho q{idx}""#);
    let mut record = record(&format!(
        r#"{{"kind":"product",{named},"images":[{{"url":"https://images.example/{idx}.jpg"}}]}}"#
    ));
    record.images_mut()[0].features = Some(features);
    record
}

fn changes(c: &mut Criterion) {
    let originals: Vec<PhotoFeatures> = (0..N_PICTURES)
        .map(|seed| photo(&picture(seed), &DecodeLimits::default()).expect("just written").features)
        .collect();
    let hashes: Vec<_> = originals.iter().map(|f| PhotoFeatures { detail: None, ..f.clone() }).collect();
    states(c, &format!("photos/{N_HASHES}-hashes"), N_HASHES, &hashes);
    states(c, &format!("photos/{N_DETAILS}-details"), N_DETAILS, &originals);
}

fn states(c: &mut Criterion, name: &str, n: usize, originals: &[PhotoFeatures]) {
    let lexicon = Arc::new(Lexicon::builtin());
    let mut random = Lcg(11);
    let mut other = move |idx: usize| varied(&originals[idx % originals.len()], &mut random);
    let mut catalog = Catalog::from_iter([record(r#"{"kind":"brand","brand_id":"b","name":"Lumora"}"#)]);
    (0..n).for_each(|idx| catalog.insert(product(idx, other(idx))));
    let fresh = catalog.snapshot(&lexicon);
    catalog.take_changes();
    (0..N_PENDING).for_each(|idx| catalog.insert(product(idx * 7, other(idx * 7))));
    let pending = fresh.with_changes(&catalog.take_changes());
    assert!(!pending.wants_merge());

    let shown = photo(&picture(3), &DecodeLimits::default()).expect("just written");
    let score = PhotoScore::default();
    let settings = MatchSettings { radius: DEFAULT_RADIUS, score: &score, only_proposed: false };
    let mut group = c.benchmark_group(name);
    group.sample_size(10);
    for (state, snapshot) in [("after a merge", &fresh), (&*format!("{N_PENDING} pending"), &pending)] {
        group.bench_function(format!("change one photo, {state}"), |bencher| {
            bencher.iter_batched(
                || {
                    catalog.insert(product(7, other(7)));
                    catalog.take_changes()
                },
                |changes| snapshot.with_changes(&changes),
                criterion::BatchSize::LargeInput,
            );
        });
        let search = |snapshot: &Snapshot| snapshot.photo_matches(0, &shown, &settings, &[]);
        group.bench_function(format!("search for one photo, {state}"), |bencher| {
            bencher.iter(|| black_box(search(snapshot)));
        });
    }
    group.bench_function(format!("merge {N_PENDING} pending"), |bencher| bencher.iter(|| pending.merged()));
    let bytes = Bytes::from(fresh.to_bytes());
    group.bench_function("open the compiled catalog", |bencher| {
        bencher.iter(|| Snapshot::from_bytes(&bytes, &lexicon).expect("just compiled"));
    });
    group.finish();
}

criterion_group!(benches, changes);
criterion_main!(benches);
