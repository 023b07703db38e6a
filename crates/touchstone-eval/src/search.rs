//! The `search` form: titles as sellers write them, and the product of the catalog that each is about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;
use touchstone_catalog::Snapshot;
use touchstone_text::{Candidate, Lexicon, lookup};

use crate::form_report::{FormReport, absent, quantile, set_name};
use crate::shares::Shares;
use crate::{EvalError, rows};

/// The depths at which recall is told.
const DEPTHS: [usize; 3] = [1, 10, 50];

const EXPECTED: &str = "one title a line: {\"title\":…,\"product_id\":…}";

#[derive(Deserialize)]
struct Row {
    title: String,
    product_id: String,
}

/// Reads `catalog.jsonl` and `queries.jsonl` of a folder and says how often the right product is among the first.
///
/// - `recall_at_1`, `recall_at_10`, `recall_at_50`: the share of the queries with the product, or one of the very same title
///   (trimmed, lower case), among so many.
/// - `ms_per_query_p50`, `ms_per_query_p99`: for the first 50, on one thread, the cutting of the query included.
/// - `bytes_per_product`: the bytes of the segment in which the products are searched, by the number of products; the records
///   themselves, from which verdicts are explained, are not part of it.
///
/// A query whose product is not in the catalog cannot be answered and counts so; the report warns of it.
///
/// # Errors
/// A file that is missing or empty, or a line that is malformed, with file and line.
pub fn eval_search(folder: &Path, lexicon: &Arc<Lexicon>) -> Result<FormReport, EvalError> {
    // The parsed catalog goes as soon as its snapshot stands.
    let snapshot = rows::catalog(folder)?.snapshot(lexicon);
    eval_search_in(folder, &snapshot)
}

/// As [`eval_search`] over a catalog that is open already, for example a compiled one, which stays on disk: of the folder only
/// `queries.jsonl` is read.
///
/// # Errors
/// As [`eval_search`].
pub fn eval_search_in(folder: &Path, snapshot: &Snapshot) -> Result<FormReport, EvalError> {
    let rows: Vec<Row> = rows::read(&folder.join("queries.jsonl"), EXPECTED)?;
    let titles = Titles::new(snapshot, &rows);
    let mut shares = Shares::default();
    for row in &rows {
        let found = lookup(snapshot.text(), &row.title, DEPTHS[2]);
        let place = found.iter().position(|c| titles.is_right(c, &row.product_id));
        for depth in DEPTHS {
            shares.add(&format!("recall_at_{depth}"), place.is_some_and(|p| p < depth));
        }
    }
    let mut metrics = shares.finish();
    metrics.extend(times(snapshot, &rows));
    let index = snapshot.text();
    if index.n_products() > 0 {
        // The index is searched in the very bytes that are written to disk.
        let bytes = index.products_to_bytes().len() as f64;
        metrics.insert("bytes_per_product".to_owned(), bytes / index.n_products() as f64);
    }
    let warnings = absent(folder, "queries.jsonl", "product_id", titles.absent).into_iter().collect();
    Ok(FormReport {
        form: "search",
        set: set_name(folder),
        on: "queries".to_owned(),
        metrics,
        words: BTreeMap::new(),
        warnings,
    })
}

/// How long queries take, in milliseconds; the caller has asked all of them once before.
fn times(snapshot: &Snapshot, rows: &[Row]) -> Vec<(String, f64)> {
    let mut ms = Vec::with_capacity(rows.len());
    for row in rows {
        let started = Instant::now();
        std::hint::black_box(lookup(snapshot.text(), &row.title, DEPTHS[2]));
        ms.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    ms.sort_by(f64::total_cmp);
    [("ms_per_query_p50", 0.5), ("ms_per_query_p99", 0.99)]
        .into_iter()
        .filter_map(|(name, q)| Some((name.to_owned(), quantile(&ms, q)?)))
        .collect()
}

/// Which products answer a query: the one asked for, and those of its very title. Only titles that are asked for are kept, so
/// that a catalog of millions costs no memory here.
struct Titles<'a> {
    snapshot: &'a Snapshot,
    /// The titles of all products of an id that is asked for, which several brands may have given.
    of_id: BTreeMap<&'a str, BTreeSet<String>>,
    /// The ids asked for that no product has, once for each row.
    absent: Vec<&'a str>,
}

impl<'a> Titles<'a> {
    fn new(snapshot: &'a Snapshot, rows: &'a [Row]) -> Self {
        let mut of_id: BTreeMap<&str, BTreeSet<String>> =
            rows.iter().map(|row| (row.product_id.as_str(), BTreeSet::new())).collect();
        for product in snapshot.products() {
            if let Some(titles) = of_id.get_mut(product.product_id.as_str()) {
                titles.insert(plain_title(&product.title));
            }
        }
        let ids = rows.iter().map(|row| row.product_id.as_str());
        let absent = ids.filter(|id| of_id[id].is_empty()).collect();
        Self { snapshot, of_id, absent }
    }

    fn is_right(&self, candidate: &Candidate, product_id: &str) -> bool {
        let title = || {
            let product = self.snapshot.product(&candidate.brand_id, &candidate.product_id)?;
            Some(plain_title(&product.title))
        };
        let wanted = &self.of_id[product_id];
        candidate.product_id.as_str() == product_id || title().is_some_and(|title| wanted.contains(&title))
    }
}

fn plain_title(title: &str) -> String {
    title.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const CATALOG: &str = r#"
{"kind":"brand","brand_id":"lumora","name":"Lumora"}
{"kind":"product","brand_id":"lumora","product_id":"A","title":"Lumora Red Shirt"}
{"kind":"product","brand_id":"lumora","product_id":"B","title":" lumora red shirt "}
{"kind":"product","brand_id":"lumora","product_id":"C","title":"Lumora Steel Watch"}
"#;

    fn check(queries: &str) -> Result<FormReport, EvalError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("catalog.jsonl"), CATALOG).unwrap();
        fs::write(folder.path().join("queries.jsonl"), queries).unwrap();
        eval_search(folder.path(), &Arc::new(Lexicon::builtin()))
    }

    #[test]
    fn a_product_of_the_same_title_is_as_good() {
        let queries = [
            r#"{"title":"new Lumora Shirt red","product_id":"B"}"#,
            r#"{"title":"Lumora Watch of Steel","product_id":"C"}"#,
            r#"{"title":"Lumora Watch of Steel","product_id":"gone"}"#,
        ];
        let report = check(&queries.join("\n")).unwrap();
        let expected = 2.0 / 3.0;
        for depth in DEPTHS {
            assert_eq!(report.metrics[&format!("recall_at_{depth}")], expected);
        }
        assert!(report.metrics["ms_per_query_p50"] <= report.metrics["ms_per_query_p99"]);
        assert!(report.warnings[0].contains("product_id that the catalog lacks (\"gone\")"));
        let one = check(r#"{"title":"Lumora Red Shirt","product_id":"B"}"#).unwrap();
        assert_eq!(one.metrics["recall_at_1"], 1.0);
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        let error = check(r#"{"title":"Lumora"}"#).unwrap_err().to_string();
        assert!(error.contains("queries.jsonl:1: missing field `product_id`"), "{error}");
        assert!(check(" ").unwrap_err().to_string().contains("queries.jsonl: the file has no rows"));
    }
}
