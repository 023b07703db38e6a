//! One state of a catalog of a million products after another: a change taken in, and a compiled catalog opened.
//!
//! `cargo bench -p touchstone-benches --bench catalog`

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use touchstone_catalog::{Catalog, Snapshot};
use touchstone_text::{Lexicon, lookup};
use touchstone_types::{CatalogKey, CatalogRecord};

const N_BRANDS: usize = 1_000;
const N_PRODUCTS: usize = 1_000_000;
const NOUNS: [&str; 8] = ["Cartucho", "Perfume", "Tênis", "Bolsa", "Relógio", "Toner", "Garrafa", "Camiseta"];
const COLOURS: [&str; 6] = ["Preto", "Colorido", "Azul", "Branco", "Vermelho", "Verde"];

fn record(json: &str) -> CatalogRecord {
    CatalogRecord::from_json(json.as_bytes()).expect("a record of the documented form")
}

fn product(idx: usize, title: &str) -> CatalogRecord {
    let brand = idx % N_BRANDS;
    record(&format!(r#"{{"kind":"product","brand_id":"b{brand}","product_id":"p{idx}","title":"{title}"}}"#))
}

fn catalog() -> Catalog {
    let brands = (0..N_BRANDS)
        .map(|b| record(&format!(r#"{{"kind":"brand","brand_id":"b{b}","name":"Lumora {b:03}x"}}"#)));
    let products = (0..N_PRODUCTS).map(|idx| {
        let (noun, colour) = (NOUNS[idx / 7 % 8], COLOURS[idx / 3 % 6]);
        product(idx, &format!("{noun} Lumora {:03}x {colour} q{idx}", idx % N_BRANDS))
    });
    brands.chain(products).collect()
}

fn bench(c: &mut Criterion) {
    let lexicon = Arc::new(Lexicon::builtin());
    let mut catalog = catalog();
    let snapshot = catalog.snapshot(&lexicon);
    catalog.take_changes();

    let mut group = c.benchmark_group("catalog/1000000-products");
    group.sample_size(20);
    let key: CatalogKey = product(7, "any").key();
    let mut n = 0;
    group.bench_function("change one product, then find it", |bencher| {
        bencher.iter(|| {
            n += 1;
            catalog.insert(product(7, &format!("Toner Veltrano zq{n}")));
            let next = snapshot.with_changes(&catalog.take_changes());
            let found = lookup(next.text(), &format!("Toner Veltrano zq{n}"), 1);
            assert_eq!(found[0].product_id.as_str(), "p7");
        });
    });
    group.bench_function("delete one product", |bencher| {
        bencher.iter(|| {
            catalog.remove(&key);
            black_box(snapshot.with_changes(&catalog.take_changes()))
        });
    });
    let bytes = Bytes::from(snapshot.to_bytes());
    group.bench_function("open the compiled catalog", |bencher| {
        bencher.iter(|| Snapshot::from_bytes(&bytes, &lexicon).expect("just compiled"));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
