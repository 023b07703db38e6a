//! Laws of the features of a pair.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::similarity::{common_subsequence, ratio};
use super::*;

fn prepared(title: &str) -> Prepared {
    Prepared::new(&PairRecord::from_fields([("title", title)]))
}

fn rarity() -> Rarity {
    let mut counter = RarityCounter::default();
    for i in 0..50 {
        counter.add(&prepared(&format!("Lumora ink LM-{i} black cartridge")));
    }
    counter.finish()
}

fn feature(name: &str, a: &str, b: &str) -> f32 {
    let at = pair_feature_names().iter().position(|known| known == name).unwrap();
    pair_features(&prepared(a), &prepared(b), &rarity())[at]
}

#[test]
fn names_are_distinct_and_as_many_as_values() {
    let names = pair_feature_names();
    assert_eq!(names.len(), N_PAIR_FEATURES);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), N_PAIR_FEATURES);
}

#[test]
fn features_see_through_the_way_things_are_written() {
    for (name, a, b, expected) in [
        ("head.cover_left", "Lumora Ink", "lumora ink black", 1.0),
        ("head.soft_left", "lumora cushtop", "lumora cush top", 1.0),
        ("head_code.shared", "Lumora LM-20K", "lumora lm20k", 1.0),
        ("head_code.longest_shared", "Lumora LM-20K", "lumora lm20k", 5.0),
        ("colour.shared", "Lumora schwarz", "Lumora nero", 1.0),
        ("colour.conflict", "Lumora red", "Lumora rouge", 0.0),
        ("colour.conflict", "Lumora red", "Lumora blue", 1.0),
        ("number.unit_agree", "card 2 GB", "card 2000mb", 1.0),
        ("number.unit_conflict", "card 2 GB", "card 4GB", 1.0),
        ("number.unit_conflict", "card 2 GB", "card 4 mm", 0.0),
        ("head.n_left", "\"Lumora ink\"@en \"Ink | Veltrano shop\"@en-US", "x", 2.0),
        ("all.n_left", "\"Lumora ink\"@en \"Ink | Veltrano shop\"@en-US", "x", 4.0),
        ("string.ratio", "Lumora", "lumora", 1.0),
    ] {
        let found = feature(name, a, b);
        assert!((found - expected).abs() < 1e-4, "{name} of {a:?} and {b:?} is {found}");
    }
    assert!(feature("mpn.likeness", "Lumora", "Lumora").is_nan(), "what is missing is missing");
}

#[test]
fn rarity_reads_back_and_refuses_nonsense() {
    let table = rarity();
    let again = Rarity::from_counts(table.n_records(), table.counts().to_vec()).unwrap();
    assert_eq!(again, table);
    assert!(Rarity::from_counts(9, vec![(5, 4), (5, 4)]).is_err());
    assert!(Rarity::from_counts(9, vec![(0, 4)]).is_err());
    assert!(Rarity::from_counts(9, vec![(5, 10)]).is_err());
    assert!(Rarity::from_counts(9, vec![(5, 1)]).is_err());
}

#[test]
fn nonsense_costs_bounded_time() {
    for text in [
        "a".repeat(1 << 20),
        "1-".repeat(1 << 19),
        "\u{200b}".repeat(1 << 18),
        "é".repeat(1 << 18),
        "x y1 ".repeat(1 << 17),
    ] {
        let long = prepared(&text);
        let short = prepared("Lumora \u{202e}LM-20 ink");
        assert!(pair_features(&long, &short, &rarity()).iter().all(|x| !x.is_infinite()));
        assert!(pair_features(&short, &long, &rarity()).iter().all(|x| !x.is_infinite()));
    }
}

/// The textbook table.
fn plain_subsequence(a: &[u8], b: &[u8]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for &x in a {
        let mut diagonal = 0;
        for (j, &y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(16), failure_persistence: None, cases: 300, ..Default::default()
    })]

    #[test]
    fn bits_count_the_subsequence_that_the_table_counts(a in "[a-d ]{0,200}", b in "[a-d ]{0,200}") {
        prop_assert_eq!(common_subsequence(a.as_bytes(), b.as_bytes()), plain_subsequence(a.as_bytes(), b.as_bytes()));
        prop_assert_eq!(ratio(a.as_bytes(), b.as_bytes()), ratio(b.as_bytes(), a.as_bytes()));
    }

    #[test]
    fn any_text_has_finite_or_missing_features(a in "\\PC{0,80}", b in "([a-z0-9 .,|/\"@-]|é|\u{200b}){0,80}") {
        let found = pair_features(&prepared(&a), &prepared(&b), &rarity());
        prop_assert!(found.iter().all(|x| !x.is_infinite()));
        let same = pair_features(&prepared(&b), &prepared(&b), &rarity());
        let at = pair_feature_names().iter().position(|name| name == "all.max_unshared_left").unwrap();
        prop_assert_eq!(same[at], 0.0);
    }
}
