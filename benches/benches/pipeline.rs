//! The pipeline from parsed listing to verdict, and from bytes to bytes, without photos, over the invented listings.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use touchstone_catalog::Feed;
use touchstone_pipeline::{Context, Model, Policy, judge};
use touchstone_text::Lexicon;
use touchstone_types::Listing;

fn read(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).expect("a file of the repository")
}

fn context() -> Context {
    let mut feed = Feed::default();
    feed.read("catalog.jsonl", &read("fixtures/catalog.jsonl"));
    let lexicon = Arc::new(Lexicon::builtin());
    let model = Model::from_bytes(&read("models/touchstone.json")).expect("the shipped model");
    let snapshot = Arc::new(feed.catalog.snapshot(&lexicon));
    Context::new(snapshot, &lexicon, Some(Arc::new(model)), Arc::new(Policy::builtin()))
}

fn pipeline(criterion: &mut Criterion) {
    let context = context();
    let text = String::from_utf8(read("fixtures/listings.jsonl")).expect("JSON Lines");
    let listings: Vec<Listing> = text
        .lines()
        .map(|line| Listing::from_json(line.as_bytes()).expect("an invented listing"))
        .map(|listing| Listing { images: Vec::new(), ..listing })
        .collect();
    let lines: Vec<String> = listings.iter().map(Listing::to_json).collect();

    let mut group = criterion.benchmark_group("pipeline");
    group.throughput(Throughput::Elements(listings.len() as u64));
    group.bench_function("judge/99 listings, 30 products", |bencher| {
        bencher.iter(|| {
            for listing in &listings {
                black_box(judge(listing, &[], &context));
            }
        });
    });
    group.bench_function("bytes to bytes/99 listings, 30 products", |bencher| {
        bencher.iter(|| {
            for line in &lines {
                let listing = Listing::from_json(line.as_bytes()).expect("an invented listing");
                black_box(judge(&listing, &[], &context).verdict.to_json());
            }
        });
    });
    group.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
