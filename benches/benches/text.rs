//! The text stage on invented listings: 1,000 brands, and 1,000 or 22,600 products.
//!
//! `cargo bench -p touchstone-benches --bench text`

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use touchstone_text::{Lexicon, TextIndex, analyse, lookup};
use touchstone_types::{BrandRecord, CatalogRecord, Listing, ProductRecord};

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

criterion_group!(benches, bench);
criterion_main!(benches);
