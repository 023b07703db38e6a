//! The golden files in `fixtures/golden/wire`: one of each form with every field, and one with no field that is not needed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use boon::{Compiler, Schemas};
use serde_json::{Value, json};
use touchstone_types::{Flag, ListingId, Verdict, flag_id, schema};

use crate::{FORMS, Form, form, value};

/// The golden files: the form, and the name of the file without its end.
const GOLDENS: [(&str, &str); 16] = [
    ("listing", "listing"),
    ("listing", "listing-minimal"),
    ("catalog", "brand"),
    ("catalog", "brand-minimal"),
    ("catalog", "product"),
    ("catalog", "product-minimal"),
    ("catalog", "fake"),
    ("catalog", "fake-minimal"),
    ("catalog", "benign"),
    ("catalog", "benign-minimal"),
    ("verdict", "verdict"),
    ("verdict", "verdict-minimal"),
    ("flag", "flag"),
    ("flag", "flag-minimal"),
    ("decision", "decision"),
    ("decision", "decision-minimal"),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/golden/wire")
}

fn read(name: &str) -> Vec<u8> {
    let path = folder().join(format!("{name}.json"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every golden file: form, name, bytes.
pub(crate) fn goldens() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    GOLDENS.iter().map(|(form, name)| (*form, *name, read(name))).collect()
}

#[test]
fn every_file_of_the_folder_is_tested() {
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let named: BTreeSet<String> = GOLDENS.iter().map(|(_, name)| format!("{name}.json")).collect();
    assert_eq!(files, named);
}

#[test]
fn what_is_read_is_written_again_and_a_minimal_form_stays_minimal() {
    for (name, file, bytes) in goldens() {
        let written = (form(name).rewrite)(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(value(&written), value(&bytes), "{file}");
        assert!(!written.contains('\n'), "a message is one line");
    }
}

#[test]
fn defaults_and_unknown_fields_and_empty_texts_change_nothing() {
    let check = |name: &str, json: Value, file: &str| {
        let written = (form(name).rewrite)(json.to_string().as_bytes()).unwrap();
        assert_eq!(value(written), value(read(file)), "{json}");
    };
    let bare = json!({"listing_id": "EX-1002", "title": "Veltrano jug", "seller": {"seller_id": "S-2"}});
    check("listing", bare.clone(), "listing-minimal");
    let mut loose = bare;
    for (field, nothing) in [
        ("url", json!("")),
        ("brand", json!(" \t")),
        ("observed_at", json!(null)),
        ("images", json!(null)),
        ("attributes", json!({"color": "", "size": null})),
        ("signals", json!({"rating": 0, "complaints": []})),
        ("price", json!(null)),
        ("marketplace", json!(null)),
        ("made_up", json!({"a": [1, {"b": null}]})),
    ] {
        loose[field] = nothing;
    }
    check("listing", loose, "listing-minimal");
    let record = json!({"name": "Veltrano", "brand_id": "veltrano", "aliases": [""], "marks": null, "made_up": 1, "kind": "brand"});
    check("catalog", record, "brand-minimal");
}

#[test]
fn a_golden_uses_every_field_of_its_schema() {
    // By what the schema calls a property, in whatever part of it.
    fn properties(schema: &Value, into: &mut BTreeSet<String>) {
        match schema {
            Value::Object(object) => {
                if let Some(Value::Object(properties)) = object.get("properties") {
                    into.extend(properties.keys().cloned());
                }
                object.values().for_each(|value| properties(value, into));
            }
            Value::Array(items) => items.iter().for_each(|value| properties(value, into)),
            _ => {}
        }
    }
    fn keys(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => object.iter().for_each(|(key, value)| {
                into.insert(key.clone());
                keys(value, into);
            }),
            Value::Array(items) => items.iter().for_each(|value| keys(value, into)),
            _ => {}
        }
    }
    for Form { name, .. } in &FORMS {
        let (mut declared, mut used) = (BTreeSet::new(), BTreeSet::new());
        properties(&schema(name).unwrap(), &mut declared);
        goldens()
            .iter()
            .filter(|(form, ..)| form == name)
            .for_each(|(.., bytes)| keys(&value(bytes), &mut used));
        let unused: Vec<&String> = declared.difference(&used).collect();
        let expected: &[&str] = match *name {
            // The golden verdict's prices are in one currency, and a flag has no inline pictures.
            "verdict" => &["list_currency"],
            "flag" => &["data", "list_currency"],
            _ => &[],
        };
        assert_eq!(unused, expected, "{name}");
    }
}

#[test]
fn every_golden_is_valid_by_its_schema_and_a_broken_one_is_not() {
    for (name, file, bytes) in goldens() {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        compiler.add_resource("schema.json", schema(name).unwrap()).unwrap();
        let index = compiler.compile("schema.json", &mut schemas).unwrap();
        let golden = value(&bytes);
        if let Err(error) = schemas.validate(&golden, index) {
            panic!("{file} against the schema of {name}: {error:#}");
        }
        for key in golden.as_object().unwrap().keys() {
            let mut broken = golden.clone();
            broken[key] = json!({"a": [false]});
            // Signals are an object in which nothing is required.
            assert!(
                key == "signals" || schemas.validate(&broken, index).is_err(),
                "{file}: {key} may be anything"
            );
        }
    }
}

#[test]
fn the_golden_flag_keeps_the_promises_of_its_form() {
    let flag = Flag::from_json(&read("flag")).unwrap();
    let verdict = Verdict::from_json(&read("verdict")).unwrap();
    assert_eq!(flag.verdict(), &verdict, "a flag is the verdict and more");
    assert_eq!(verdict.flag_id, flag_id("example", &ListingId::new("EX-1001").unwrap(), 3));
    assert!(verdict.evidence.is_sorted_by(|a, b| a.order(b).is_le()));
    assert!(verdict.reasons.is_sorted_by_key(|reason| std::cmp::Reverse(reason.weight())));
    assert!(flag.listing().images.iter().all(|image| image.data.is_none()), "no inline bytes");
}
