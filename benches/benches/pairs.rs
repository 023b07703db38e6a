//! The pair matcher on invented offers and products, tokenising included.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use touchstone_pipeline::{LabelledPair, PairMatcher};
use touchstone_text::{PairRecord, Prepared, pair_features};

const N_PRODUCTS: usize = 400;

/// Each offer with its own product and with two neighbours.
fn pairs() -> Vec<LabelledPair> {
    let colours = ["black", "red", "blue", "silver", "green"];
    let product = |i: usize| {
        let title =
            format!("Lumora PhotoMaster ink cartridge LM-{}K {} 2 pack 450 pages", 100 + i, colours[i % 5]);
        let code = format!("LM-{}K", 100 + i);
        PairRecord::from_fields([
            ("title", title.as_str()),
            ("mpn", code.as_str()),
            ("brand", "Lumora"),
            ("price", "39.90"),
        ])
    };
    let offer = |i: usize| {
        let title = format!(
            "new cartridge lumora lm{}k {} for photomaster printers fast shipping",
            100 + i,
            colours[i % 5]
        );
        let description = "High yield ink for sharp text and long lasting photos, tested in 25 printers, 12 months warranty";
        PairRecord::from_fields([("title", title.as_str()), ("description", description), ("price", "35.00")])
    };
    let pair = |i: usize, step: usize| LabelledPair {
        left: offer(i),
        right: product((i + step) % N_PRODUCTS),
        is_match: step == 0,
    };
    (0..N_PRODUCTS).flat_map(|i| [0, 1, 5].map(|step| pair(i, step))).collect()
}

fn matcher(c: &mut Criterion) {
    let pairs = pairs();
    let (matcher, _) = PairMatcher::train(&pairs, 1).expect("both labels occur");
    let records: Vec<(&PairRecord, &PairRecord)> =
        pairs.iter().map(|pair| (&pair.left, &pair.right)).collect();
    let prepared: Vec<(Prepared, Prepared)> =
        records.iter().map(|(a, b)| (Prepared::new(a), Prepared::new(b))).collect();

    let mut group = c.benchmark_group("pairs");
    group.throughput(Throughput::Elements(pairs.len() as u64));
    group.bench_function("prepare/1200", |b| {
        b.iter(|| {
            for (left, right) in &records {
                black_box((Prepared::new(left), Prepared::new(right)));
            }
        });
    });
    group.bench_function("features/1200", |b| {
        b.iter(|| {
            for (left, right) in &prepared {
                black_box(pair_features(left, right, matcher.rarity()));
            }
        });
    });
    group.bench_function("score_with_tokenising/1200", |b| {
        b.iter(|| matcher.probabilities(black_box(&records).iter().copied()));
    });
    group.sample_size(10);
    group.bench_function("train/1200", |b| b.iter(|| PairMatcher::train(black_box(&pairs), 1)));
    group.finish();
}

criterion_group!(benches, matcher);
criterion_main!(benches);
