//! The `pairs` form: two records a row, and whether they are about one product.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Deserialize;
use touchstone_classifier::metrics::{Counts, counts_at};
use touchstone_classifier::{ClassifierError, best_f1_threshold};
use touchstone_pipeline::{LabelledPair, PairMatcher, out_of_fold, pair_folds};
use touchstone_text::PairRecord;
use touchstone_types::Probability;

use crate::form_report::{FormReport, set_name};
use crate::{EvalError, rows};

/// Each pair is timed at least once; small sets are gone over again until this many pairs have been.
const N_TIMED: usize = 20_000;

const EXPECTED: &str = "one pair a line: {\"left\":{…},\"right\":{…},\"match\":true|false}";

#[derive(Deserialize)]
struct Row {
    left: BTreeMap<String, serde_json::Value>,
    right: BTreeMap<String, serde_json::Value>,
    r#match: bool,
}

/// Reads a file of the `pairs` form. A field that is no text counts as its JSON; null is missing.
///
/// # Errors
/// A file that is missing or empty, or a line that is malformed, with file and line.
pub fn read_pairs(path: &Path) -> Result<Vec<LabelledPair>, EvalError> {
    let rows: Vec<Row> = rows::read(path, EXPECTED)?;
    let pair =
        |row: Row| LabelledPair { left: record(&row.left), right: record(&row.right), is_match: row.r#match };
    Ok(rows.into_iter().map(pair).collect())
}

fn record(fields: &BTreeMap<String, serde_json::Value>) -> PairRecord {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let texts: Vec<(&str, String)> =
        fields.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    PairRecord::from_fields(texts.iter().map(|(name, text)| (*name, text.as_str())))
}

/// The pairs of `train.jsonl` and then those of `valid.jsonl`: what may be learned from.
///
/// # Errors
/// As [`read_pairs`].
pub fn read_training_pairs(folder: &Path) -> Result<Vec<LabelledPair>, EvalError> {
    let mut pairs = read_pairs(&folder.join("train.jsonl"))?;
    pairs.extend(read_pairs(&folder.join("valid.jsonl"))?);
    Ok(pairs)
}

/// Trains on a folder and says how many pairs are told rightly.
///
/// With a `test.jsonl`: trained on train alone, threshold from valid, judged on test; neither valid nor test tells how rare words are.
/// Without one: five folds on train and valid, pairs of equal records in one fold, each fold's threshold from the others; how rare
/// words are is told by the records of all folds, without their labels.
///
/// - `precision`, `recall`, `f1`: of matches, 0 to 1. `threshold`: a probability; over five folds their mean, before
///   calibration.
/// - `pairs_per_s`: pairs scored in a second by one thread, tokenising of both records included.
///
/// # Errors
/// A file that is missing or empty, a line that is malformed, or too few pairs of a label.
pub fn eval_pairs(folder: &Path, seed: u64) -> Result<FormReport, EvalError> {
    let untrainable = |source| EvalError::Untrainable { path: folder.to_owned(), source };
    if let Some(test) = test_file(folder) {
        let train = read_pairs(&folder.join("train.jsonl"))?;
        let valid = read_pairs(&folder.join("valid.jsonl"))?;
        let test = read_pairs(&test)?;
        let (matcher, _) = PairMatcher::train(&train, seed).map_err(untrainable)?;
        let matcher = tuned(matcher, &valid);
        return Ok(judged(folder, "test", &matcher, &test));
    }
    let pairs = read_training_pairs(folder)?;
    let fold_of = pair_folds(&pairs, seed).map_err(untrainable)?;
    let found = cross_validated(&pairs, &fold_of, seed).map_err(untrainable)?;
    let (matcher, _) = PairMatcher::train(&pairs, seed).map_err(untrainable)?;
    let mut metrics = figures(&found.counts);
    metrics.insert("threshold".to_owned(), found.threshold);
    metrics.insert("pairs_per_s".to_owned(), speed(&matcher, &pairs));
    Ok(FormReport {
        form: "pairs",
        set: set_name(folder),
        on: "5-fold".to_owned(),
        metrics,
        words: BTreeMap::new(),
        warnings: Vec::new(),
    })
}

/// As [`eval_pairs`] with a matcher that is ready: nothing is learned from the folder, its threshold stays as it is. Judged on
/// `test.jsonl` if there is one, else on train and valid, and said so.
///
/// # Errors
/// A file that is missing or empty, or a line that is malformed.
pub fn eval_pairs_with(folder: &Path, matcher: &PairMatcher) -> Result<FormReport, EvalError> {
    let (on, pairs) = match test_file(folder) {
        Some(test) => ("test", read_pairs(&test)?),
        None => ("train and valid", read_training_pairs(folder)?),
    };
    Ok(judged(folder, on, matcher, &pairs))
}

fn test_file(folder: &Path) -> Option<PathBuf> {
    Some(folder.join("test.jsonl")).filter(|path| path.exists())
}

/// The matcher with the threshold that is best on these pairs; without a match among them it stays.
fn tuned(matcher: PairMatcher, valid: &[LabelledPair]) -> PairMatcher {
    let labels: Vec<bool> = valid.iter().map(|pair| pair.is_match).collect();
    match best_f1_threshold(&scores(&matcher, valid), &labels).and_then(Probability::new) {
        Some(threshold) => matcher.with_threshold(threshold),
        None => matcher,
    }
}

fn judged(folder: &Path, on: &str, matcher: &PairMatcher, pairs: &[LabelledPair]) -> FormReport {
    let labels: Vec<bool> = pairs.iter().map(|pair| pair.is_match).collect();
    let threshold = matcher.threshold().get();
    let mut metrics = figures(&counts_at(&scores(matcher, pairs), &labels, threshold));
    metrics.insert("threshold".to_owned(), threshold);
    metrics.insert("pairs_per_s".to_owned(), speed(matcher, pairs));
    FormReport {
        form: "pairs",
        set: set_name(folder),
        on: on.to_owned(),
        metrics,
        words: BTreeMap::new(),
        warnings: Vec::new(),
    }
}

fn scores(matcher: &PairMatcher, pairs: &[LabelledPair]) -> Vec<f64> {
    let found = matcher.probabilities(pairs.iter().map(|pair| (&pair.left, &pair.right)));
    found.into_iter().map(Probability::get).collect()
}

fn figures(counts: &Counts) -> BTreeMap<String, f64> {
    let figures = [("precision", counts.precision()), ("recall", counts.recall()), ("f1", counts.f1())];
    figures.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn speed(matcher: &PairMatcher, pairs: &[LabelledPair]) -> f64 {
    let (mut n, start) = (0, Instant::now());
    while n < N_TIMED {
        std::hint::black_box(scores(matcher, pairs));
        n += pairs.len().max(1);
    }
    n as f64 / start.elapsed().as_secs_f64()
}

/// What five folds found.
#[derive(Debug, Clone)]
pub struct CrossValidation {
    /// Over all pairs, each judged by trees and by a threshold of other folds.
    pub counts: Counts,
    /// The mean of the folds' thresholds, as probabilities before calibration.
    pub threshold: f64,
}

/// Judges each pair by trees fitted on the other folds, at the threshold that is best on the other folds. `fold_of` gives each pair's fold,
/// 0 to 4.
///
/// # Errors
/// Too few pairs of a label.
pub fn cross_validated(
    pairs: &[LabelledPair],
    fold_of: &[usize],
    seed: u64,
) -> Result<CrossValidation, ClassifierError> {
    let labels: Vec<bool> = pairs.iter().map(|pair| pair.is_match).collect();
    let log_odds = out_of_fold(pairs, fold_of, seed)?;
    let scores: Vec<f64> = log_odds.into_iter().map(|z| 1.0 / (1.0 + libm::exp(-z))).collect();
    let mut counts = Counts { true_positive: 0, false_positive: 0, false_negative: 0, true_negative: 0 };
    let mut thresholds = Vec::new();
    for fold in 0..5 {
        let part = |inside: bool| -> (Vec<f64>, Vec<bool>) {
            let rows = (0..pairs.len()).filter(|&row| (fold_of[row] == fold) == inside);
            rows.map(|row| (scores[row], labels[row])).unzip()
        };
        let (other_scores, other_labels) = part(false);
        let (own_scores, own_labels) = part(true);
        let Some(threshold) = best_f1_threshold(&other_scores, &other_labels) else { continue };
        let own = counts_at(&own_scores, &own_labels, threshold);
        counts.true_positive += own.true_positive;
        counts.false_positive += own.false_positive;
        counts.false_negative += own.false_negative;
        counts.true_negative += own.true_negative;
        thresholds.push(threshold);
    }
    let threshold = thresholds.iter().sum::<f64>() / thresholds.len().max(1) as f64;
    Ok(CrossValidation { counts, threshold })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs;

    use super::*;

    /// `n` offers, each with its own product and with a neighbour.
    fn lines(from: usize, n: usize) -> String {
        let mut text = String::new();
        for i in from..from + n {
            for other in [i, i + 1] {
                let (offer, product) =
                    (format!("lumora ink lm{}k", 100 + i), format!("Lumora LM-{}K ink", 100 + other));
                let row = serde_json::json!({"left": {"title": offer, "price": 12.5}, "right": {"title": product, "price": null}, "match": i == other});
                writeln!(text, "{row}").unwrap();
            }
        }
        text
    }

    #[test]
    fn a_folder_is_judged_with_and_without_a_test() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("train.jsonl"), lines(0, 60)).unwrap();
        fs::write(folder.path().join("valid.jsonl"), lines(60, 20)).unwrap();
        let folds = eval_pairs(folder.path(), 1).unwrap();
        assert_eq!((folds.form, folds.on.as_str()), ("pairs", "5-fold"));
        fs::write(folder.path().join("test.jsonl"), lines(80, 20)).unwrap();
        let test = eval_pairs(folder.path(), 1).unwrap();
        assert_eq!(test.on, "test");
        for report in [&folds, &test] {
            assert!(report.metrics["f1"] > 0.9, "{report:?}");
            let keys: Vec<&str> = report.metrics.keys().map(String::as_str).collect();
            assert_eq!(keys, ["f1", "pairs_per_s", "precision", "recall", "threshold"]);
        }
        let (matcher, _) = PairMatcher::train(&read_training_pairs(folder.path()).unwrap(), 1).unwrap();
        let with = eval_pairs_with(folder.path(), &matcher).unwrap();
        assert_eq!((with.on.as_str(), with.metrics["threshold"]), ("test", matcher.threshold().get()));
    }

    #[test]
    fn bad_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(eval_pairs(folder.path(), 1).unwrap_err().to_string().contains("train.jsonl"));
        let bad = format!("{}{}", lines(0, 1), "{\"left\":{},\"right\":{},\"match\":2}\n");
        fs::write(folder.path().join("train.jsonl"), bad).unwrap();
        let said = eval_pairs(folder.path(), 1).unwrap_err().to_string();
        assert!(said.contains("train.jsonl:3: ") && said.contains("bool"), "{said}");
        fs::write(folder.path().join("train.jsonl"), lines(0, 1)).unwrap();
        fs::write(folder.path().join("valid.jsonl"), lines(1, 1).lines().next_back().unwrap()).unwrap();
        assert!(matches!(eval_pairs(folder.path(), 1), Err(EvalError::Untrainable { .. })));
    }
}
