//! What holds for every text.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::json;
use touchstone_text::{Lexicon, TextIndex, analyse, lookup};
use touchstone_types::{BrandRecord, CatalogRecord, Field, ProductRecord};

use crate::data;

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        rng_seed: RngSeed::Fixed(20),
        failure_persistence: None,
        ..Config::default()
    })
}

fn records() -> (Vec<BrandRecord>, Vec<ProductRecord>) {
    let mut brands = Vec::new();
    let mut products = Vec::new();
    let read = |value: serde_json::Value| CatalogRecord::from_json(value.to_string().as_bytes()).unwrap();
    for name in ["Lumora", "Veltrano", "Maison Ardo", "KX", "Zéphir & Fils", "Orinda"] {
        let id = name.to_lowercase().replace(' ', "-");
        let CatalogRecord::Brand(brand) = read(json!({"kind": "brand", "brand_id": id, "name": name})) else {
            panic!()
        };
        brands.push(brand);
        for (n, colour) in [(20, "Preto"), (20, "Colorido"), (300, "Azul")] {
            let title = format!("Cartucho {name} {n} {colour}");
            let product = json!({"kind": "product", "brand_id": id, "product_id": format!("{n}{colour}"), "title": title});
            let CatalogRecord::Product(product) = read(product) else { panic!() };
            products.push(product);
        }
    }
    (brands, products)
}

const PIECES: &[&str] = &[
    "Lumora",
    "lumоra",
    "L u m o r a",
    "Velt*ano",
    "Veltrno",
    "maisonardo",
    "KX",
    "20",
    "300",
    "XL",
    "Preto",
    "Color",
    "azul",
    "kit",
    "2",
    "3",
    "+",
    "e",
    "ou",
    "un",
    "para",
    "compatível",
    "com",
    "não",
    "é",
    "réplica",
    "vazio",
    "1:1",
    "\u{200b}",
    "\u{202e}",
    "⭐",
    ".",
    ",",
    "(",
    ")",
    "original",
    "ml",
    "卢",
    "高仿",
    "𝗹𝘂",
    "x2",
    "4006381333931",
    "\n",
];

fn titles() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    (prop::collection::vec((piece, any::<bool>()), 1..14)).prop_map(|pieces| {
        let text: String = pieces.into_iter().map(|(p, space)| if space { p + " " } else { p }).collect();
        if text.trim().is_empty() { "x".to_owned() } else { text }
    })
}

#[test]
fn the_order_of_records_does_not_matter() {
    let (brands, products) = records();
    let lexicon = Arc::new(Lexicon::builtin());
    let one = TextIndex::build(&lexicon, &brands, &products);
    let other = TextIndex::build(&lexicon, brands.iter().rev(), products.iter().rev());
    runner(400)
        .run(&titles(), |title| {
            let listing = data::titled(&title);
            prop_assert_eq!(analyse(&one, &listing), analyse(&other, &listing));
            prop_assert_eq!(lookup(&one, &title, 5), lookup(&other, &title, 5));
            Ok(())
        })
        .unwrap();
}

#[test]
fn spans_lie_in_the_text_and_findings_are_sorted() {
    let (brands, products) = records();
    let index = TextIndex::build(&Arc::new(Lexicon::builtin()), &brands, &products);
    runner(600)
        .run(&titles(), |title| {
            let found = analyse(
                &index,
                &data::listing(&json!({"title": title, "description": title, "brand": title})),
            );
            let slice = |span: touchstone_types::Span| {
                title
                    .chars()
                    .skip(span.start() as usize)
                    .take((span.end() - span.start()) as usize)
                    .collect::<String>()
            };
            for claim in &found.claims {
                prop_assert_eq!(slice(claim.span), claim.observed.clone());
                prop_assert!(!claim.observed.is_empty());
            }
            let title_spans: Vec<_> = found.claims.iter().filter(|c| c.field == Field::Title).collect();
            for pair in title_spans.windows(2) {
                prop_assert!(pair[0].span <= pair[1].span);
                prop_assert!(!pair[0].span.overlaps(pair[1].span) || pair[0].span == pair[1].span);
            }
            prop_assert!(found.terms.iter().all(|t| !slice(t.span).is_empty()));
            prop_assert!(found.pack_size >= 1);
            prop_assert_eq!(found.matches.len(), found.contents.len());
            prop_assert!(found.state.term_idx().is_none_or(|i| i < found.terms.len()));
            Ok(())
        })
        .unwrap();
}

#[test]
fn nonsense_costs_bounded_time() {
    let (brands, products) = records();
    let index = TextIndex::build(&Arc::new(Lexicon::builtin()), &brands, &products);
    let start = std::time::Instant::now();
    for text in [
        "a".repeat(1_000_000),
        "\u{200b}".repeat(300_000),
        "\u{202e}L".repeat(200_000),
        "Lumora ".repeat(50_000),
        "Lumorra ".repeat(50_000),
        "Lu*o⭐a ".repeat(50_000),
        "not fake aaa ".repeat(50_000),
        "1 ".repeat(200_000),
        "20 preto + 20 azul ".repeat(20_000),
        "e\u{301}".repeat(100_000),
    ] {
        let found =
            analyse(&index, &data::listing(&json!({"title": text, "description": text, "brand": text})));
        assert!(found.claims.len() < 200 && found.terms.len() < 500);
        lookup(&index, &text, 10);
    }
    // Far above what is measured, far below what a cost that grows with the square would take.
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
