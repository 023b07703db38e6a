//! The text stage on invented listings: 1,000 brands, and 1,000 or 22,600 products; and product search among 22,600 and
//! 1,000,000 products, on real titles where `shared/data` (or `TOUCHSTONE_DATA`) has them, else on invented ones.
//!
//! `cargo bench -p touchstone-benches --bench text`

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use touchstone_text::{Bytes, Change, Lexicon, TextIndex, analyse, lookup};
use touchstone_types::{BrandRecord, CatalogRecord, Listing, ProductId, ProductRecord};

const SYLLABLES: [&str; 20] = [
    "lu", "mo", "ra", "vel", "tra", "no", "zi", "kan", "dor", "pel", "mis", "que", "bri", "fon", "tal",
    "ges", "hul", "wex", "jo", "ny",
];
const NOUNS: [&str; 8] = ["Cartucho", "Perfume", "Tênis", "Bolsa", "Relógio", "Toner", "Garrafa", "Camiseta"];
const COLOURS: [&str; 6] = ["Preto", "Colorido", "Azul", "Branco", "Vermelho", "Verde"];

/// A small generator with a fixed seed: the bench needs variety, not randomness.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % n
    }

    fn word(&mut self) -> String {
        let n = 2 + self.below(3);
        let word: String = (0..n).map(|_| SYLLABLES[self.below(SYLLABLES.len())]).collect();
        word[..1].to_uppercase() + &word[1..]
    }
}

struct Market {
    brands: Vec<BrandRecord>,
    products: Vec<ProductRecord>,
    listings: Vec<Listing>,
}

fn market(n_brands: usize, n_products: usize) -> Market {
    let mut lcg = Lcg(7);
    let names: Vec<String> = (0..n_brands).map(|_| lcg.word()).collect();
    let mut market = Market { brands: Vec::new(), products: Vec::new(), listings: Vec::new() };
    let read =
        |json: String| CatalogRecord::from_json(json.as_bytes()).expect("a record of the documented form");
    for (i, name) in names.iter().enumerate() {
        let json = format!(r#"{{"kind":"brand","brand_id":"b{i}","name":"{name}"}}"#);
        if let CatalogRecord::Brand(brand) = read(json) {
            market.brands.push(brand);
        }
    }
    let mut titles = Vec::new();
    for i in 0..n_products {
        let b = lcg.below(n_brands);
        let (noun, colour) = (NOUNS[lcg.below(8)], COLOURS[lcg.below(6)]);
        let title = format!("{noun} {} {} {} {colour}", names[b], lcg.word(), 10 + lcg.below(900));
        let json = format!(
            r#"{{"kind":"product","brand_id":"b{b}","product_id":"p{i}","title":"{title}","mpn":"T{i:05}AB"}}"#
        );
        if let CatalogRecord::Product(product) = read(json) {
            market.products.push(product);
        }
        titles.push(title);
    }
    for i in 0..500 {
        let title = &titles[lcg.below(titles.len())];
        let title = match i % 4 {
            0 => format!("Kit 2 {title} Original Lacrado"),
            1 => title.replacen('a', "а", 1),
            2 => format!("{title} Frete Grátis Promoção {}", lcg.word()),
            _ => title.clone(),
        };
        let json = format!(
            r#"{{"listing_id":"EX-{i}","title":"{title}","brand":"{}","seller":{{"seller_id":"S-1"}}}}"#,
            names[lcg.below(n_brands)]
        );
        market.listings.push(Listing::from_json(json.as_bytes()).expect("a listing of the documented form"));
    }
    market
}

fn bench(c: &mut Criterion) {
    let lexicon = Arc::new(Lexicon::builtin());
    for n_products in [1_000, 22_600] {
        let market = market(1_000, n_products);
        let index = TextIndex::build(&lexicon, &market.brands, &market.products);
        let mut group = c.benchmark_group(format!("text/1000-brands/{n_products}-products"));
        group.throughput(Throughput::Elements(market.listings.len() as u64));
        group.bench_function("analyse-500-listings", |b| {
            b.iter(|| {
                market.listings.iter().map(|l| analyse(&index, black_box(l)).claims.len()).sum::<usize>()
            });
        });
        group.bench_function("lookup-500-titles", |b| {
            b.iter(|| {
                market.listings.iter().map(|l| lookup(&index, black_box(&l.title), 10).len()).sum::<usize>()
            });
        });
        group.finish();
        let mut group = c.benchmark_group(format!("text/build/{n_products}-products"));
        group.sample_size(10);
        group.bench_function("build", |b| {
            b.iter(|| TextIndex::build(&lexicon, black_box(&market.brands), black_box(&market.products)));
        });
        group.finish();
    }
}

/// A data file, if it is there.
fn data(path: &str) -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let root = std::env::var_os("TOUCHSTONE_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    std::fs::read_to_string(root.join(path)).ok()
}

fn read_market(path: &str, catalog: &str) -> Market {
    let mut market = Market { brands: Vec::new(), products: Vec::new(), listings: Vec::new() };
    for line in catalog.lines() {
        match CatalogRecord::from_json(line.as_bytes()) {
            Ok(CatalogRecord::Brand(brand)) => market.brands.push(brand),
            Ok(CatalogRecord::Product(product)) => market.products.push(product),
            _ => {}
        }
    }
    // A query is a listing of which only the title is known.
    let head = r#"{"listing_id":"EX-1","seller":{"seller_id":"S-1"},"#;
    let queries = data(&format!("{path}/queries.jsonl")).unwrap_or_default();
    market.listings = queries
        .lines()
        .filter_map(|line| Listing::from_json(format!("{head}{}", line.strip_prefix('{')?).as_bytes()).ok())
        .collect();
    market
}

/// The search market: real, if the data is there, else invented.
fn search_market() -> (&'static str, Market) {
    match data("search/fashion/catalog.jsonl") {
        Some(catalog) => ("real", read_market("search/fashion", &catalog)),
        None => ("invented", market(1_000, 22_600)),
    }
}

/// Adds variants of the first products, a letter and a number behind their titles, until there are `n`.
fn grow(products: &mut Vec<ProductRecord>, n: usize) {
    let mut lcg = Lcg(11);
    let n_first = products.len();
    while products.len() < n {
        let mut variant = products[lcg.below(n_first)].clone();
        let letter = ["a", "b", "c", "d", "e", "f", "g", "h"][lcg.below(8)];
        variant.title = format!("{} {letter}{}", variant.title, lcg.below(1_000_000));
        let id = format!("{}-{}", variant.product_id.as_str(), products.len());
        variant.product_id = ProductId::new(id).expect("a short identifier");
        products.push(variant);
    }
}

fn bench_search(c: &mut Criterion) {
    let lexicon = Arc::new(Lexicon::builtin());
    let (kind, mut market) = search_market();
    for n in [market.products.len(), 1_000_000] {
        grow(&mut market.products, n);
        let index = TextIndex::build(&lexicon, &market.brands, &market.products);
        let segment = Bytes::from(index.products_to_bytes());
        let index =
            TextIndex::from_segment(&lexicon, &market.brands, segment.clone()).expect("a sound segment");
        let mut group = c.benchmark_group(format!("text/search/{kind}/{n}-products"));
        group.sample_size(10);
        group.throughput(Throughput::Elements(market.listings.len() as u64));
        group.bench_function(format!("lookup-{}-titles-top-10", market.listings.len()), |b| {
            b.iter(|| {
                market.listings.iter().map(|l| lookup(&index, black_box(&l.title), 10).len()).sum::<usize>()
            });
        });
        group.throughput(Throughput::Elements(1));
        let mut new = market.products[0].clone();
        new.product_id = ProductId::new("new").expect("a short identifier");
        group.bench_function("insert-1", |b| {
            b.iter(|| index.with_changes([Change::Product(black_box(&new))]));
        });
        let many: Vec<ProductRecord> = market.products.iter().step_by(7).take(1_000).cloned().collect();
        let grown = index.with_changes(many.iter().map(Change::Product));
        group.bench_function("insert-1-after-1000", |b| {
            b.iter(|| grown.with_changes([Change::Product(black_box(&new))]));
        });
        group.bench_function("open", |b| {
            b.iter(|| TextIndex::from_segment(&lexicon, &market.brands, black_box(segment.clone())));
        });
        group.finish();
    }
}

/// The whole text stage on real listings of one catalog, among the brands and products of others.
fn bench_stage(c: &mut Criterion) {
    let (Some(listings), Some(brands), Some(products)) = (
        data("listings/ink-cartridges/listings.jsonl"),
        data("brands/catalog.jsonl"),
        data("search/fashion/catalog.jsonl"),
    ) else {
        return;
    };
    let brands = read_market("brands", &brands).brands;
    let products = read_market("search/fashion", &products).products;
    let listings: Vec<Listing> =
        listings.lines().filter_map(|line| Listing::from_json(line.as_bytes()).ok()).collect();
    let index = TextIndex::build(&Arc::new(Lexicon::builtin()), &brands, &products);
    let mut group =
        c.benchmark_group(format!("text/stage/{}-brands/{}-products", brands.len(), products.len()));
    group.throughput(Throughput::Elements(listings.len() as u64));
    group.bench_function(format!("analyse-{}-real-listings", listings.len()), |b| {
        b.iter(|| listings.iter().map(|l| analyse(&index, black_box(l)).claims.len()).sum::<usize>());
    });
    group.finish();
}

criterion_group!(benches, bench, bench_search, bench_stage);
criterion_main!(benches);
