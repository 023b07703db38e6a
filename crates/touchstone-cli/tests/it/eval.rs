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
fn a_search_may_run_over_a_compiled_catalog() {
    let queries = concat!(
        r#"{"title":"novo cartucho preto Lumora 20","product_id":"LM-20K"}"#,
        "\n",
        r#"{"title":"novo cartucho Lumora 99","product_id":"gone"}"#,
    );
    let folder = folder(&[("catalog.jsonl", CATALOG), ("queries.jsonl", queries)]);
    let parsed = eval("search", folder.path());
    let (feed, compiled) = (folder.path().join("catalog.jsonl"), folder.path().join("catalog.tsc"));
    let output =
        command().args(["catalog", "compile"]).arg(&feed).arg("--out").arg(&compiled).output().unwrap();
    check_status(&output, 0);
    fs::remove_file(&feed).unwrap();
    let mapped = eval("search", folder.path());
    for key in ["recall_at_1", "recall_at_10", "recall_at_50", "bytes_per_product"] {
        assert_eq!(parsed["metrics"][key], mapped["metrics"][key], "{key}");
    }
    let output = command().args(["eval", "search"]).arg(folder.path()).output().unwrap();
    assert!(
        stderr(&output).contains("warning: ") && stderr(&output).contains("\"gone\""),
        "{}",
        stderr(&output)
    );
}

/// The worker's model must not quietly take the place of the learning that `pairs` measures.
#[test]
fn only_a_model_asked_for_judges_pairs() {
    let pair = |i: usize, other: usize| {
        let (left, right) = (format!("lumora ink lm{}k", 100 + i), format!("Lumora LM-{}K ink", 100 + other));
        let same = i == other;
        format!(r#"{{"left":{{"title":"{left}"}},"right":{{"title":"{right}"}},"match":{same}}}"#)
    };
    let lines: Vec<String> = (0..80).flat_map(|i| [pair(i, i), pair(i, i + 1)]).collect();
    let (train, valid) = (lines[..120].join("\n"), lines[120..].join("\n"));
    let model = crate::support::root().join("models/touchstone.json");
    let config = format!("[models]\npath = {:?}\n", model.to_str().unwrap());
    let folder = folder(&[("train.jsonl", &train), ("valid.jsonl", &valid), ("worker.toml", &config)]);
    let run = |args: &[&str]| {
        let output =
            command().args(["eval", "pairs", "--json"]).arg(folder.path()).args(args).output().unwrap();
        check_status(&output, 0);
        serde_json::from_str::<serde_json::Value>(&stdout(&output)).unwrap()
    };
    let config = folder.path().join("worker.toml");
    assert_eq!(run(&["--config", config.to_str().unwrap()])["on"], "5-fold");
    assert_eq!(run(&["--model", model.to_str().unwrap()])["on"], "train and valid");
}

/// A lexicon that lacks a part of itself would leave slang or roles unseen without a word.
#[test]
fn half_a_lexicon_is_refused() {
    let cases = r#"{"text":"Lumora bag","brand_id":"lumora","role":"sold_as","how":"exact"}"#;
    let folder = folder(&[("catalog.jsonl", CATALOG), ("cases.jsonl", cases)]);
    let lexicon = folder.path().join("lexicon");
    fs::create_dir(&lexicon).unwrap();
    let config = folder.path().join("worker.toml");
    fs::write(&config, format!("[lexicon]\npath = {:?}\n", lexicon.to_str().unwrap())).unwrap();
    let check = |expected: &str| {
        let output = command()
            .args(["eval", "brands"])
            .arg(folder.path())
            .arg("--config")
            .arg(&config)
            .output()
            .unwrap();
        check_status(&output, 2);
        let said = stderr(&output);
        assert!(said.contains(expected) && said.contains("copy config/lexicon"), "{said}");
    };
    check("has no .toml file");
    fs::write(lexicon.join("mine.toml"), "[words.en]\nordinary = 'bag'").unwrap();
    check("has nothing in [roles.*], [terms.*]");
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
    check(
        &["brands", empty.path().to_str().unwrap()],
        "catalog.jsonl: there is no such file; expected is a catalog",
    );
    check(&["pairs", path], "train.jsonl: there is no such file; expected is one pair a line");
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

#[test]
fn real_photos_are_found_however_they_were_altered() {
    let Some(folder) = data("photos/fashion") else { return };
    let metrics = &eval("photos", &folder)["metrics"];
    let at_least = |transform: &str, least: f64| {
        let recall = metrics[format!("recall.{transform}")].as_f64().unwrap();
        assert!(recall >= least, "{transform}: {metrics}");
    };
    // At most one miss in 60.
    let plain =
        ["none", "jpeg30", "blur2", "grey", "bright", "downscale96", "mirror", "rotate90", "rotate180"];
    plain.iter().for_each(|transform| at_least(transform, 0.983));
    at_least("reupload60x80", 0.99);
    let hard = [
        "rotate4",
        "crop5",
        "crop10",
        "crop20",
        "pad10",
        "pad20",
        "text",
        "screenshot",
        "mirror_crop10",
        "collage",
    ];
    hard.iter().for_each(|transform| at_least(transform, 0.95));
    assert!(metrics["false_match_rate"].as_f64().unwrap() <= 0.003, "{metrics}");
}
