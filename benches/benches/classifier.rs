//! Scoring and training of the classifier on seeded rows of 60 features, one value in ten missing.
//!
//! Beside LightGBM on rows drawn alike: `tools/peers/boosting_speed.py`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use touchstone_classifier::{
    BoostSettings, BoostTable, Booster, Bundle, Classifier, Dataset, FeatureNames, LogisticRegression,
    ModelKind, TrainSettings, train,
};

const N_FEATURES: usize = 60;

/// A linear congruential generator (the multiplier of Knuth's MMIX): even enough for inputs of a bench.
struct Lcg(u64);

impl Lcg {
    /// A number in [0, 1).
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Rows of which about a third are positive, told apart by every third feature.
fn table(n_rows: usize) -> Dataset {
    let mut random = Lcg(42);
    let names = FeatureNames::new((0..N_FEATURES).map(|i| format!("feature_{i}"))).expect("distinct names");
    let mut data = Dataset::new(names);
    for row_idx in 0..n_rows {
        let label = random.next() < 0.33;
        let shift = if label { 0.15 } else { 0.0 };
        let row: Vec<Option<f64>> = (0..N_FEATURES)
            .map(|i| {
                let x = random.next() + if i % 3 == 0 { shift } else { 0.0 };
                (random.next() >= 0.1).then_some(x)
            })
            .collect();
        data.push(&row, label, Some(&format!("group-{}", row_idx / 4))).expect("60 values a row");
    }
    data
}

fn trained() -> (Classifier, Dataset) {
    let data = table(10_000);
    let (classifier, report) = train(&data, &TrainSettings::default()).expect("the table can be learned");
    #[expect(clippy::print_stderr, reason = "quality stands beside time")]
    {
        eprintln!("out of fold: {:?}", report.out_of_fold);
    }
    (classifier, data)
}

fn classifier(c: &mut Criterion) {
    let (classifier, data) = trained();

    let mut group = c.benchmark_group("classifier");
    group.bench_function("score/1x60", |b| b.iter(|| classifier.probability(black_box(data.row(0)))));
    group.bench_function("contributions/1x60", |b| {
        b.iter(|| classifier.contributions(black_box(data.row(0)), 5));
    });
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("score/10000x60", |b| b.iter(|| classifier.probabilities(black_box(&data).rows())));
    group.finish();

    let mut bundle = Bundle::new();
    bundle.set_classifier(&classifier);
    let bytes = bundle.to_bytes();
    c.bench_function("classifier/load/60", |b| {
        b.iter(|| Bundle::from_bytes(black_box(&bytes)).and_then(|read| read.classifier(data.names())));
    });

    let mut group = c.benchmark_group("classifier/train");
    group.sample_size(10);
    group.bench_function("fit/10000x60", |b| {
        b.iter(|| LogisticRegression::fit(black_box(&data), 1.0));
    });
    group.bench_function("train_5_fold/10000x60", |b| {
        b.iter(|| train(black_box(&data), &TrainSettings::default()));
    });
    group.finish();
}

/// The trees, of the larger kind that a training tries.
fn trees(c: &mut Criterion) {
    let data = table(100_000);
    let boost_table = BoostTable::from(&data);
    let mut group = c.benchmark_group("trees");
    group.sample_size(10);
    group.bench_function("fit/100000x60", |b| {
        b.iter(|| Booster::fit(black_box(&boost_table), &BoostSettings::default()));
    });
    let settings = TrainSettings { kinds: &[ModelKind::LargeTrees], ..TrainSettings::default() };
    let few = table(10_000);
    let (classifier, _) = train(&few, &settings).expect("the table can be learned");
    group.bench_function("score/1x60", |b| b.iter(|| classifier.probability(black_box(few.row(0)))));
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("score/10000x60", |b| b.iter(|| classifier.probabilities(black_box(&few).rows())));
    group.finish();
    let mut bundle = Bundle::new();
    bundle.set_classifier(&classifier);
    let bytes = bundle.to_bytes();
    c.bench_function("trees/load/60", |b| {
        b.iter(|| Bundle::from_bytes(black_box(&bytes)).and_then(|read| read.classifier(few.names())));
    });
}

criterion_group!(benches, classifier, trees);
criterion_main!(benches);
