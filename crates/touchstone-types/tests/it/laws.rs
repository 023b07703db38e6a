//! Laws of the wire forms, on values and bytes that nobody thought of.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::{Value, json};
use touchstone_types::{
    BenignRecord, CatalogRecord, Hash256, KeptPhoto, PhotoDetail, PhotoFeatures, Quality, RecordId,
    ReferenceImage,
};

use crate::golden::goldens;
use crate::{FORMS, form, value, wire_values};

fn runner(cases: u32) -> TestRunner {
    let rng_seed = RngSeed::Fixed(0x70_75_63_68);
    TestRunner::new(Config { cases, rng_seed, failure_persistence: None, ..Config::default() })
}

/// Reads a value of the form `name`, writes it, and finds nothing lost or added; so also a second time.
fn check_lossless(name: &str, values: &BoxedStrategy<Value>, cases: u32) {
    runner(cases)
        .run(values, |wire| {
            let written = (form(name).rewrite)(wire.to_string().as_bytes())
                .map_err(|error| TestCaseError::fail(format!("{error}: {wire}")))?;
            prop_assert_eq!(value(&written), wire);
            prop_assert_eq!((form(name).rewrite)(written.as_bytes()), Ok(written));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_listing_loses_nothing() {
    check_lossless("listing", &wire_values::listing(), 500);
}

#[test]
fn a_catalog_record_loses_nothing() {
    check_lossless("catalog", &wire_values::catalog(), 500);
}

#[test]
fn the_features_of_a_photo_take_two_kib_at_most() {
    let image = ReferenceImage {
        url: None,
        features: Some(PhotoFeatures {
            version: u32::MAX,
            pdq: Hash256::from_words([u64::MAX; 4]),
            quality: Quality::new(100).unwrap(),
            detail: PhotoDetail::new([0xff; PhotoDetail::MAX_BYTES]),
        }),
    };
    let record =
        BenignRecord { id: RecordId::new("x").unwrap(), images: vec![image], text: None, note: None };
    let written = value(CatalogRecord::Benign(record).to_json());
    let features = written["images"][0]["features"].to_string();
    assert!(features.len() <= 2 << 10, "{} bytes", features.len());
    assert!(features.len() > 1_900, "with its detail: {features}");
}

#[test]
fn a_verdict_loses_nothing() {
    check_lossless("verdict", &wire_values::verdict(), 500);
}

#[test]
fn a_flag_loses_nothing() {
    check_lossless("flag", &wire_values::flag(), 300);
}

#[test]
fn a_review_decision_loses_nothing() {
    check_lossless("decision", &wire_values::decision(), 500);
}

#[test]
fn a_kept_photo_loses_nothing_and_is_refused_where_a_hash_is_none() {
    let rewrite = |wire: &Value| KeptPhoto::from_json(wire.to_string().as_bytes()).map(|p| p.to_json());
    runner(300)
        .run(&(wire_values::kept_photo(), 0..8_usize), |(mut wire, idx)| {
            prop_assert_eq!(rewrite(&wire).map(value), Ok(wire.clone()));
            let hashes = wire["turned"].as_array_mut().unwrap();
            hashes[idx] = json!("0f");
            let error = rewrite(&wire).unwrap_err().to_string();
            prop_assert!(error.starts_with(&format!("turned[{idx}]: ")), "{error}");
            wire["turned"].as_array_mut().unwrap().pop();
            prop_assert!(rewrite(&wire).is_err());
            Ok(())
        })
        .unwrap();
}

/// Whatever the bytes, every form reads them or says why not; what it read, it can write and read again, unchanged.
fn check_any_bytes(bytes: &[u8]) -> Result<(), TestCaseError> {
    for form in &FORMS {
        match (form.rewrite)(bytes) {
            Ok(written) => prop_assert_eq!((form.rewrite)(written.as_bytes()), Ok(written)),
            Err(error) => {
                prop_assert!(error.to_string().chars().count() < 3000, "an error is a line, not a document");
            }
        }
    }
    Ok(())
}

#[test]
fn any_bytes_are_read_or_refused() {
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..64),
        "[\\[\\]{}\",:0-9eE+. truefalsn\\\\u-]{0,64}".prop_map(String::into_bytes),
    ];
    runner(2000).run(&bytes, |bytes| check_any_bytes(&bytes)).unwrap();
}

#[test]
fn any_bytes_in_place_of_a_golden_s_are_read_or_refused() {
    let goldens = goldens();
    let changes = proptest::collection::vec((any::<Index>(), 0..4_usize, any::<Vec<u8>>()), 1..4);
    runner(2000)
        .run(&(any::<Index>(), changes), |(which, changes)| {
            let mut bytes = which.get(&goldens).2.clone();
            for (at, n_removed, added) in changes {
                let at = at.index(bytes.len() + 1);
                let end = (at + n_removed).min(bytes.len());
                bytes.splice(at..end, added.into_iter().take(3));
            }
            check_any_bytes(&bytes)
        })
        .unwrap();
}

/// Every place of a value that holds something, as JSON pointers.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| {
            places(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), into);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(idx, value)| places(value, &format!("{at}/{idx}"), into));
        }
        _ => {}
    }
}

#[test]
fn any_value_in_any_place_of_a_golden_is_read_or_refused() {
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let odd = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(-1e-300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!(" "),
        json!("\0"),
        json!("NaN"),
        json!("1e-20"),
        json!("1E+15"),
        json!("-0"),
        json!("0.1000000000000000000000000000000001"),
        json!("９"),
        json!("2026-02-30"),
        json!("2026-03-02T10:15:60Z"),
        json!("-009999-01-02T01:59:59Z"),
        json!("9999-12-30T22:00:00.999999999Z"),
        json!("+262142-01-01T00:00:00Z"),
        json!("image 18446744073709551616: timeout"),
        json!("attributes."),
        json!("brand/lumora#0"),
        json!("fake/a/%2F#0"),
        json!("x".repeat(600)),
        json!("卢".repeat(5000)),
        json!({"卢".repeat(5000): []}),
        json!(["S-1", "a", 1]),
        json!([]),
        json!({}),
        json!([[]]),
        json!({"": {}}),
        deep,
    ];
    for (_, file, bytes) in goldens() {
        let golden = value(bytes);
        let mut all = Vec::new();
        places(&golden, "", &mut all);
        for place in all {
            for odd in &odd {
                let mut changed = golden.clone();
                *changed.pointer_mut(&place).expect("the place is there") = odd.clone();
                if let Err(error) = check_any_bytes(changed.to_string().as_bytes()) {
                    panic!("{file}, {odd} at {place}: {error}");
                }
            }
        }
    }
}
