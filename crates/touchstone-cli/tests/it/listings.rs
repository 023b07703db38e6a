//! `simulate`, `train`, `eval listings`, `policy tune` and `compare`: from an invented market to thresholds and what they change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::support::{check_status, command, stderr, stdout};

/// A market around the demo's catalog, with the labels as they are, and a model of its first half.
struct Market {
    folder: tempfile::TempDir,
}

impl Market {
    fn made() -> &'static Self {
        static MADE: OnceLock<Market> = OnceLock::new();
        MADE.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let own = Self { folder };
            let output = command()
                .args(["simulate", "--seed", "3", "--listings", "900", "--wrong-labels", "0"])
                .args(["--counterfeits", "0.2", "--out"])
                .arg(own.dir())
                .output()
                .unwrap();
            check_status(&output, 0);
            let output = command()
                .args(["train", "--to-week", "4", "--listings"])
                .arg(own.dir())
                .arg("--table")
                .arg(own.path("table"))
                .arg("--out")
                .arg(own.model())
                .output()
                .unwrap();
            check_status(&output, 0);
            own
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn dir(&self) -> PathBuf {
        self.path("market")
    }

    fn model(&self) -> PathBuf {
        self.path("model.json")
    }
}

fn eval(dir: &Path, args: &[&str], model: &Path) -> serde_json::Value {
    let output = command()
        .args(["eval", "listings", "--json", "--from-week", "5"])
        .args(args)
        .arg("--model")
        .arg(model)
        .arg(dir)
        .output()
        .unwrap();
    check_status(&output, 0);
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn later_weeks_are_judged_by_a_model_of_the_earlier_ones() {
    let market = Market::made();
    let report = eval(&market.dir(), &[], &market.model());
    assert_eq!((&report["form"], &report["on"]), (&"listings".into(), &"weeks from 5".into()));
    let metric = |name: &str| report["metrics"][name].as_f64().unwrap_or_else(|| panic!("{name}: {report}"));
    for (name, least, most) in [
        ("pr_auc", 0.7, 1.0),
        ("precision_at_budget", 0.9, 1.0),
        ("recall_at_precision_90", 0.3, 1.0),
        ("calibration_error", 0.0, 0.1),
        ("recall.look_alike", 0.8, 1.0),
        ("false_flag_rate.authorised", 0.0, 0.05),
        ("floor.unit_price", 0.0, 0.7),
        ("floor.best_rule", 0.0, 0.7),
        ("listings_per_s", 1.0, f64::INFINITY),
    ] {
        assert!((least..=most).contains(&metric(name)), "{name} is {}", metric(name));
    }
    assert!(report["words"]["floor.best_rule"].is_string());
    for version in ["engine", "lexicon", "model", "policy"] {
        assert!(report["versions"][version].is_string(), "{report}");
    }
    // The same listings give the same figures, clocks aside.
    let again = eval(&market.dir(), &[], &market.model());
    assert_eq!(again["metrics"]["pr_auc"], report["metrics"]["pr_auc"]);
}

#[test]
fn every_stage_is_worth_something() {
    let market = Market::made();
    let figure = |args: &[&str], name: &str| {
        eval(&market.dir(), args, &market.model())["metrics"][name].as_f64().unwrap()
    };
    let whole = figure(&[], "pr_auc");
    for stage in ["text", "image", "classifier"] {
        let without = figure(&["--without", stage], "pr_auc");
        assert!(without < whole, "without {stage}: {without}, with it {whole}");
    }
}

#[test]
fn the_page_shows_the_figures_and_fetches_nothing() {
    let market = Market::made();
    let page = market.path("page.html");
    let output = command()
        .args(["eval", "listings", "--from-week", "5", "--html"])
        .arg(&page)
        .arg("--model")
        .arg(market.model())
        .arg(market.dir())
        .output()
        .unwrap();
    check_status(&output, 0);
    assert!(stdout(&output).contains("precision_at_budget"));
    let text = fs::read_to_string(&page).unwrap();
    for part in ["<!DOCTYPE html>", "<polyline", "look_alike", "stability index", "best single reason"] {
        assert!(text.contains(part), "{part} is missing");
    }
    assert!(!text.contains("http") && !text.contains("<script"));
}

#[test]
fn thresholds_are_tuned_and_keep_what_they_promise() {
    let market = Market::made();
    let policy = market.path("policy.toml");
    let tune = |precision: &str| {
        command()
            .args([
                "policy",
                "tune",
                "--json",
                "--review-budget",
                "0.15",
                "--precision",
                precision,
                "--from-week",
                "5",
            ])
            .arg("--model")
            .arg(market.model())
            .arg("--out")
            .arg(&policy)
            .arg(market.dir())
            .output()
            .unwrap()
    };
    let output = tune("0.7");
    check_status(&output, 0);
    let found: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(found["flagged"].as_f64().unwrap() <= 0.15, "{found}");
    assert!(found["metrics"]["automatic.precision_low"].as_f64().unwrap() >= 0.7, "{found}");
    let text = fs::read_to_string(&policy).unwrap();
    assert!(text.contains("automation = false"), "takedowns are nobody's default: {text}");
    // The file is one that the worker reads.
    let settings = market.path("worker.toml");
    fs::write(&settings, format!("[policy]\npath = {:?}\n", policy.to_str().unwrap())).unwrap();
    let report = eval(&market.dir(), &["--config", settings.to_str().unwrap()], &market.model());
    assert!(report["metrics"]["automatic.n"].is_null());
    fs::write(&policy, text.replace("automation = false", "automation = true")).unwrap();
    let report = eval(&market.dir(), &["--config", settings.to_str().unwrap()], &market.model());
    assert_eq!(report["metrics"]["automatic.n"], found["metrics"]["automatic.n"]);

    let output = tune("0.99999");
    check_status(&output, 0);
    assert!(stderr(&output).contains("no threshold keeps the promise"));
    let found: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(found["takedown_threshold"].is_null());
    check_status(
        &command()
            .args(["policy", "tune", "x", "--review-budget", "2", "--precision", "0.9", "--out", "y"])
            .output()
            .unwrap(),
        2,
    );
}

#[test]
fn two_settings_are_compared_by_what_flips() {
    let market = Market::made();
    let (policy, settings) = (market.path("lax.toml"), market.path("lax-worker.toml"));
    fs::write(&policy, "[default]\nreview_threshold = 0.95\n").unwrap();
    let text = format!(
        "[policy]\npath = {:?}\n[models]\npath = {:?}\n",
        policy.to_str().unwrap(),
        market.model().to_str().unwrap()
    );
    fs::write(&settings, text).unwrap();
    let compare = |old: &Path, new: &Path, args: &[&str]| {
        let output = command()
            .args(["compare", "--from-week", "5"])
            .args(args)
            .arg(old)
            .arg(new)
            .arg(market.dir())
            .output()
            .unwrap();
        check_status(&output, 0);
        stdout(&output)
    };
    let found: serde_json::Value =
        serde_json::from_str(&compare(&market.model(), &settings, &["--json"])).unwrap();
    let flips = found["flips"].as_array().unwrap();
    assert!(
        !flips.is_empty() && flips.iter().all(|f| f["old"] == "review" && f["new"] == "clear"),
        "{found}"
    );
    assert!(flips[0]["examples"][0]["listing_id"].is_string());
    let talk = compare(&market.model(), &settings, &["--examples", "1"]);
    assert!(
        talk.contains("review → clear, labelled") && talk.contains("now model_below_threshold"),
        "{talk}"
    );
    assert!(compare(&market.model(), &market.model(), &[]).contains("0 of "));
}

#[test]
fn the_rows_that_the_classifier_learns_from_can_be_given_to_others() {
    let market = Market::made();
    let output = command().args(["eval", "tables", "--json"]).arg(market.path("table")).output().unwrap();
    check_status(&output, 0);
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(report["metrics"]["roc_auc"].as_f64().unwrap() > 0.8, "{report}");
    assert!(report["words"]["kept"].is_string());
}

#[test]
fn wrong_folders_and_flags_are_named() {
    let check = |args: &[&str], expected: &str| {
        let output = command().args(args).output().unwrap();
        check_status(&output, 2);
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    };
    let empty = tempfile::tempdir().unwrap();
    let dir = empty.path().to_str().unwrap();
    check(&["eval", "listings", dir], "labels.csv: reading failed");
    check(&["eval", "listings", "no-such-folder"], "no-such-folder is not a folder");
    check(&["eval", "tables", dir, "--from-week", "2"], "--from-week is for `eval listings` alone");
    check(&["eval", "listings", dir, "--budget", "2"], "--budget 2 must be a share");
    let market = Market::made();
    let dir = market.dir();
    let dir = dir.to_str().unwrap();
    check(&["eval", "listings", dir, "--from-week", "99"], "has no listing of week 99 or later");
}
