//! The `brands` form: titles in which a brand is named, openly or in disguise, or in which none of the catalog's is.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use touchstone_text::{Lexicon, TextFindings, TextIndex, analyse};
use touchstone_types::{Listing, Role};

use crate::form_report::{FormReport, absent, set_name};
use crate::shares::Shares;
use crate::{EvalError, rows};

#[derive(Deserialize)]
struct Row {
    text: String,
    /// The key must stand there, or a mistyped one would make a row without a brand.
    #[serde(deserialize_with = "text_or_null")]
    brand_id: Option<String>,
    #[serde(default, deserialize_with = "role_or_null")]
    role: Option<Role>,
    how: String,
}

const EXPECTED: &str = "one title a line: {\"text\":…,\"brand_id\":…|null,\"role\":…|null,\"how\":…}";

fn text_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

fn role_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Role>, D::Error> {
    let known = || Role::ALL.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
    let role = text_or_null(deserializer)?;
    role.map(|word| {
        Role::parse(&word).ok_or_else(|| D::Error::custom(format!("role {word:?} is none of {}", known())))
    })
    .transpose()
}

/// Reads `catalog.jsonl` and `cases.jsonl` of a folder and says how many of the brands named are found.
///
/// - `recall.<how>`: of the rows with that `how` and a brand, the share in which some claim has the brand; `recall` over all.
/// - `role_accuracy`: of the rows whose brand is found and whose role is given, the share in which a claim of the brand has
///   that role.
/// - `false_claim_rate`: of the rows without a brand, the share with any claim.
/// - `texts_per_s`: titles read in a second by one thread, the whole text stage included.
///
/// A row whose brand is not in the catalog cannot be found and counts so; the report warns of it.
///
/// # Errors
/// A file that is missing or empty, or a line that is malformed, with file and line.
pub fn eval_brands(folder: &Path, lexicon: &Arc<Lexicon>) -> Result<FormReport, EvalError> {
    let snapshot = rows::catalog(folder)?.snapshot(lexicon);
    let rows: Vec<Row> = rows::read(&folder.join("cases.jsonl"), EXPECTED)?;
    let titles = titled(&rows);
    let mut metrics = figures(&rows, &titles, snapshot.text());
    // A second round, so that the speed is that of a process that has begun long ago.
    let started = Instant::now();
    for title in &titles {
        std::hint::black_box(analyse(snapshot.text(), title));
    }
    metrics.insert("texts_per_s".to_owned(), titles.len() as f64 / started.elapsed().as_secs_f64());
    let is_absent = |id: &&str| !snapshot.brands().any(|b| b.brand_id.as_str() == *id);
    let absent_ids = rows.iter().filter_map(|row| row.brand_id.as_deref()).filter(is_absent).collect();
    let warnings = absent(folder, "cases.jsonl", "brand_id", absent_ids).into_iter().collect();
    Ok(FormReport {
        form: "brands",
        set: set_name(folder),
        on: "cases".to_owned(),
        metrics,
        words: BTreeMap::new(),
        warnings,
    })
}

/// Listings of a title alone.
fn titled(rows: &[Row]) -> Vec<Listing> {
    let plain = br#"{"listing_id":"row","title":"row","seller":{"seller_id":"unknown"}}"#;
    let plain = Listing::from_json(plain).expect("the listing has every field that must be there");
    rows.iter().map(|row| Listing { title: row.text.clone(), ..plain.clone() }).collect()
}

fn figures(rows: &[Row], titles: &[Listing], index: &TextIndex) -> BTreeMap<String, f64> {
    let mut shares = Shares::default();
    for (row, title) in rows.iter().zip(titles) {
        let found = analyse(index, title);
        let Some(brand) = &row.brand_id else {
            shares.add("false_claim_rate", !found.claims.is_empty());
            continue;
        };
        let roles = roles_of(&found, brand);
        shares.add("recall", !roles.is_empty());
        shares.add(&format!("recall.{}", row.how), !roles.is_empty());
        if let (false, Some(role)) = (roles.is_empty(), row.role) {
            shares.add("role_accuracy", roles.contains(&role));
        }
    }
    shares.finish()
}

fn roles_of(found: &TextFindings, brand: &str) -> Vec<Role> {
    found.claims.iter().filter(|c| c.brand_id.as_str() == brand).map(|c| c.role).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const CATALOG: &str = r#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#;

    fn folder(cases: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("catalog.jsonl"), CATALOG).unwrap();
        fs::write(folder.path().join("cases.jsonl"), cases).unwrap();
        folder
    }

    #[test]
    fn shares_are_counted_by_how_and_by_role() {
        let cases = r#"
{"text":"Lumora bag","brand_id":"lumora","role":"sold_as","how":"exact"}
{"text":"case for Lumora phone","brand_id":"lumora","role":"sold_as","how":"exact"}
{"text":"Veltrano bag","brand_id":"lumora","role":"sold_as","how":"typo"}
{"text":"old lamp","brand_id":"gone","role":null,"how":"hidden"}
{"text":"wooden spoon","brand_id":null,"role":null,"how":"other_brand"}
"#;
        let folder = folder(cases);
        let report = eval_brands(folder.path(), &Arc::new(Lexicon::builtin())).unwrap();
        let get = |key: &str| report.metrics.get(key).copied();
        assert_eq!((get("recall.exact"), get("recall.typo")), (Some(1.0), Some(0.0)));
        assert_eq!((get("role_accuracy"), get("false_claim_rate")), (Some(0.5), Some(0.0)));
        assert_eq!((get("recall.leet"), get("recall.other_brand")), (None, None));
        assert!(get("texts_per_s").unwrap() > 0.0);
        assert_eq!(report.warnings.len(), 1);
        let part = "cases.jsonl: 1 rows name a brand_id that the catalog lacks (\"gone\")";
        assert!(report.warnings[0].contains(part), "{:?}", report.warnings);
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        let check = |cases: &str, expected: &str| {
            let folder = folder(cases);
            let error = eval_brands(folder.path(), &Arc::new(Lexicon::builtin())).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("", "cases.jsonl: the file has no rows");
        check("\n{\"text\":7}", "cases.jsonl:2: invalid type: integer `7`, expected a string");
        check("{\"text\":\"Lumora\",\"how\":\"exact\"}", "cases.jsonl:1: missing field `brand_id`");
        check("[\"Lumora\",null,null,\"exact\"]", "cases.jsonl:1: expected a JSON object");
        let role = "{\"text\":\"x\",\"brand_id\":\"lumora\",\"role\":\"seller\",\"how\":\"x\"}";
        check(role, "cases.jsonl:1: role \"seller\" is none of sold_as, compatible_with");
        let lone = "{\"text\":\"\\ud800\",\"brand_id\":null,\"role\":null,\"how\":\"x\"}";
        check(lone, "cases.jsonl:1: ");
        let empty = tempfile::tempdir().unwrap();
        let error = eval_brands(empty.path(), &Arc::new(Lexicon::builtin())).unwrap_err();
        assert!(
            error.to_string().contains("catalog.jsonl: there is no such file; expected is a catalog"),
            "{error}"
        );
        fs::write(empty.path().join("catalog.jsonl"), CATALOG).unwrap();
        let error = eval_brands(empty.path(), &Arc::new(Lexicon::builtin())).unwrap_err();
        assert!(
            error.to_string().contains("cases.jsonl: there is no such file; expected is one title a line"),
            "{error}"
        );
    }
}
