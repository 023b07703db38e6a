//! `touchstone eval` over folders of labelled data.

use std::fs;
use std::path::Path;

use crate::support::{check_status, command, data, stderr, stdout};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const CATALOG: &str = r#"
{"kind":"brand","brand_id":"lumora","name":"Lumora"}
{"kind":"product","brand_id":"lumora","product_id":"LM-20K","title":"Cartucho Lumora 20 Preto"}
{"kind":"product","brand_id":"lumora","product_id":"LM-30C","title":"Cartucho Lumora 30 Ciano"}
"#;

fn eval(form: &str, folder: &Path) -> serde_json::Value {
    let output = command().args(["eval", form]).arg(folder).arg("--json").output().unwrap();
    check_status(&output, 0);
    let line = stdout(&output);
    assert_eq!(line.lines().count(), 1, "one object: {line}");
    let report: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(report["form"], form);
    assert_eq!(report["set"].as_str(), folder.canonicalize().unwrap().file_name().unwrap().to_str());
    for version in ["engine", "lexicon"] {
        assert!(report["versions"][version].is_string(), "{report}");
    }
    report
}

#[test]
fn brands_are_counted_by_how() {
    let cases = concat!(
        r#"{"text":"Lumоra bag","brand_id":"lumora","role":"sold_as","how":"confusable"}"#,
        "\n",
        r#"{"text":"wooden spoon","brand_id":null,"role":null,"how":"other_brand"}"#,
    );
    let folder = folder(&[("catalog.jsonl", CATALOG), ("cases.jsonl", cases)]);
    let report = eval("brands", folder.path());
    let metrics = &report["metrics"];
    assert_eq!((&metrics["recall.confusable"], &metrics["role_accuracy"]), (&1.0.into(), &1.0.into()));
    assert_eq!(metrics["false_claim_rate"], 0.0);
    let output = command().args(["eval", "brands"]).arg(folder.path()).output().unwrap();
    check_status(&output, 0);
    assert!(stdout(&output).contains("recall.confusable") && stderr(&output).contains("lexicon"));
}

#[test]
fn searches_are_counted_by_depth() {
    let queries = r#"{"title":"novo cartucho preto Lumora 20","product_id":"LM-20K"}"#;
    let folder = folder(&[("catalog.jsonl", CATALOG), ("queries.jsonl", queries)]);
    let report = eval("search", folder.path());
    for key in ["recall_at_1", "recall_at_10", "recall_at_50"] {
        assert_eq!(report["metrics"][key], 1.0, "{report}");
    }
    for key in ["ms_per_query_p50", "ms_per_query_p99", "bytes_per_product"] {
        assert!(report["metrics"][key].as_f64().unwrap() > 0.0, "{report}");
    }
}

#[test]
fn wrong_input_is_exit_2_with_file_and_line() {
    let folder =
        folder(&[("catalog.jsonl", CATALOG), ("cases.jsonl", "\n{\"text\":7}\n"), ("queries.jsonl", "\n")]);
    let check = |args: &[&str], expected: &str| {
        let output = command().arg("eval").args(args).output().unwrap();
        check_status(&output, 2);
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        assert!(stdout(&output).is_empty());
    };
    let path = folder.path().to_str().unwrap();
    check(&["brands", path], "cases.jsonl:2: ");
    check(&["search", path], "queries.jsonl: the file has no rows");
    check(&["search", "none"], "none is not a folder");
    check(&["nothing", path], "nothing");
    check(&["brands", path, "--model", "none.json"], "none.json");
    let empty = tempfile::tempdir().unwrap();
    check(&["brands", empty.path().to_str().unwrap()], "catalog.jsonl");
}

#[test]
fn real_brands_are_seen_through_their_disguises() {
    let Some(folder) = data("brands") else { return };
    let metrics = &eval("brands", &folder)["metrics"];
    for (key, least) in
        [("exact", 0.995), ("confusable", 0.985), ("leet", 0.98), ("spaced", 0.96), ("typo", 0.94)]
    {
        assert!(metrics[format!("recall.{key}")].as_f64().unwrap() >= least, "{metrics}");
    }
    assert!(metrics["false_claim_rate"].as_f64().unwrap() <= 0.02, "{metrics}");
}
