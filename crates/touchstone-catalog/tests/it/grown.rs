//! A snapshot that followed the changes equals one built of what is left.

use std::ops::Range;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};
use touchstone_catalog::{Catalog, Snapshot};
use touchstone_text::Lexicon;
use touchstone_types::CatalogRecord;

use crate::market::{Change, answers, apply, change, lexicon, record};
use crate::pictures::features;

fn check_growing(batches: &[Vec<Change>], through_file: bool, lexicon: &Arc<Lexicon>) {
    let mut catalog = Catalog::new();
    let mut snapshot = catalog.snapshot(lexicon);
    for (idx, batch) in batches.iter().enumerate() {
        for change in batch {
            apply(&mut catalog, change);
        }
        snapshot = snapshot.with_changes(&catalog.take_changes());
        if idx % 3 == 1 {
            snapshot = snapshot.merged();
        }
        if through_file && idx % 2 == 0 {
            snapshot = Snapshot::from_bytes(&snapshot.to_bytes().into(), lexicon).unwrap();
        }
        let fresh = catalog.snapshot(lexicon);
        assert_eq!(answers(&snapshot), answers(&fresh));
        assert_eq!(snapshot.to_bytes(), fresh.to_bytes(), "the compiled form");
    }
}

fn run(through_file: bool) {
    let lexicon = lexicon();
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let batches = prop::collection::vec(prop::collection::vec(change(), 1..12), 1..6);
    TestRunner::new_with_rng(config, rng)
        .run(&batches, |batches| {
            check_growing(&batches, through_file, &lexicon);
            Ok(())
        })
        .unwrap();
}

#[test]
fn grown_equals_fresh() {
    run(false);
}

#[test]
fn grown_over_a_compiled_file_equals_fresh() {
    run(true);
}

/// So many at once are not taken into the delta, but built in.
#[test]
fn a_bulk_change_equals_fresh() {
    let lexicon = lexicon();
    let mut catalog = Catalog::from_iter([record(r#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#)]);
    let before = catalog.snapshot(&lexicon);
    catalog.take_changes();
    for n in 0..5_000 {
        catalog.insert(record(&format!(
            r#"{{"kind":"product","brand_id":"lumora","product_id":"{n}","title":"Lumora Cartucho q{n}"}}"#
        )));
    }
    let after = before.with_changes(&catalog.take_changes());
    assert_eq!(after.to_bytes(), catalog.snapshot(&lexicon).to_bytes());
    assert!(!after.wants_merge());
}

#[test]
fn products_follow_their_brand() {
    let lexicon = lexicon();
    let brand = record(r#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#);
    let product = record(r#"{"kind":"product","brand_id":"lumora","product_id":"P","title":"Lumora 20"}"#);
    let mut catalog = Catalog::from_iter([product]);
    let without = catalog.snapshot(&lexicon);
    assert_eq!((without.n_records(), without.n_products()), (1, 0));

    catalog.take_changes();
    catalog.insert(brand.clone());
    let with = without.with_changes(&catalog.take_changes());
    assert_eq!((with.n_records(), with.n_products()), (2, 1));
    assert_eq!(touchstone_text::lookup(with.text(), "Lumora 20", 3).len(), 1);

    catalog.remove(&brand.key());
    let again = with.with_changes(&catalog.take_changes());
    assert_eq!(answers(&again), answers(&without));
    // Whoever still holds the state between is not disturbed.
    assert_eq!(with.n_products(), 1);
}

/// A product of `brand` with one photo: an invented picture from 900 on, else one that only has a hash.
fn pictured(brand: &str, id: usize, hash: usize) -> CatalogRecord {
    let photo = format!(r#"{{"features":{{"version":1,"pdq":"{hash:064x}","quality":90}}}}"#);
    let named = format!(r#""brand_id":"{brand}","product_id":"{id:04}","title":"Lumora {id}""#);
    let mut record = record(&format!(r#"{{"kind":"product",{named},"images":[{photo}]}}"#));
    if (900..1_000).contains(&hash) {
        record.images_mut()[0].features = Some(features("genuine-lm-20k.jpg"));
    }
    record
}

/// So many photos that changes lie beside a base and are merged; what is asked of all photos follows.
#[test]
fn photos_follow_their_records() {
    let lexicon = lexicon();
    let brand = |id: &str| record(&format!(r#"{{"kind":"brand","brand_id":"{id}","name":"{id}"}}"#));
    let mut catalog: Catalog = ["lumora", "veltrano"].map(brand).into_iter().collect();
    for id in 0..300 {
        catalog.insert(pictured("lumora", id, id));
    }
    let mut snapshot = catalog.snapshot(&lexicon);
    catalog.take_changes();
    let photographed = |snapshot: &Snapshot| -> Vec<String> {
        snapshot.photographed_brands().map(|brand| brand.brand_id.to_string()).collect()
    };
    let mut follow = |catalog: &mut Catalog, expected: &[&str]| {
        snapshot = snapshot.with_changes(&catalog.take_changes());
        let fresh = catalog.snapshot(&lexicon);
        assert_eq!(answers(&snapshot), answers(&fresh));
        assert_eq!(photographed(&snapshot), expected);
        assert_eq!(answers(&snapshot.merged()), answers(&fresh));
    };
    for (id, hash) in [(0, 900), (7, 901), (299, 902), (150, 0)] {
        catalog.insert(pictured("lumora", id, hash));
        follow(&mut catalog, &["lumora"]);
    }
    catalog.insert(pictured("veltrano", 1, 5));
    catalog.insert(pictured("veltrano", 2, 5));
    follow(&mut catalog, &["lumora", "veltrano"]);
    catalog.remove(&pictured("veltrano", 1, 5).key());
    follow(&mut catalog, &["lumora", "veltrano"]);
    catalog.remove(&pictured("veltrano", 2, 5).key());
    follow(&mut catalog, &["lumora"]);
    // A brand takes its photos with it, and a product that changed meanwhile comes back as it is then.
    catalog.remove(&brand("lumora").key());
    follow(&mut catalog, &[]);
    catalog.insert(pictured("lumora", 8, 903));
    catalog.insert(brand("lumora"));
    follow(&mut catalog, &["lumora"]);
}

#[test]
fn thousands_of_changed_photos_are_worth_a_merge() {
    let lexicon = lexicon();
    let mut catalog = Catalog::from_iter([record(r#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#)]);
    let put = |catalog: &mut Catalog, ids: Range<usize>, hash: usize| {
        ids.for_each(|id| catalog.insert(pictured("lumora", id, hash + id)));
    };
    put(&mut catalog, 0..3_000, 0);
    let mut snapshot = catalog.snapshot(&lexicon);
    catalog.take_changes();
    assert!(!snapshot.wants_merge());
    put(&mut catalog, 0..1_500, 10_000);
    snapshot = snapshot.with_changes(&catalog.take_changes());
    assert!(snapshot.wants_merge(), "1,500 photos went and as many came");
    let merged = snapshot.merged();
    assert!(!merged.wants_merge());
    assert_eq!(answers(&merged), answers(&snapshot));
}
