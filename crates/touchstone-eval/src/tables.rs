//! The `tables` form: rows of numbers with a label, about anything.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::time::Instant;

use touchstone_classifier::metrics::{calibration_error, log_loss, pr_auc, roc_auc};
use touchstone_classifier::{
    Classifier, Dataset, FeatureNames, ModelKind, TrainSettings, cross_validate, train,
};
use touchstone_types::Probability;

use crate::EvalError;
use crate::form_report::{FormReport, set_name};

/// Small tables are gone over again until this many rows have been timed.
const N_TIMED: usize = 200_000;

const EXPECTED: &str =
    "a CSV file with a header: label, perhaps group, and features that are numbers or empty";

/// Reads a file of the `tables` form: a header that names `label` and perhaps `group`, in any place, every other column a feature; then
/// rows with a label of 0 or 1 and features that are finite numbers, or empty where they are missing. An empty group is no group.
///
/// # Errors
/// [`EvalError::NoFile`]; [`EvalError::Io`]; [`EvalError::Label`] with the file and line of what is malformed; [`EvalError::NoRows`].
pub fn read_table(path: &Path) -> Result<Dataset, EvalError> {
    let file = fs::File::open(path).map_err(|e| EvalError::open(path, EXPECTED, e))?;
    let mut rows = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(BufReader::new(file));
    let header = rows.headers().map_err(|e| EvalError::csv(path, e))?.clone();
    let wrong = |line: u64, problem: String| EvalError::Label { path: path.to_owned(), line, problem };
    // A byte order mark is no part of the first name.
    let names: Vec<&str> = header.iter().map(|name| name.trim_start_matches('\u{feff}')).collect();
    let at = |wanted: &str| names.iter().position(|name| *name == wanted);
    let label_at = at("label").ok_or_else(|| wrong(1, "the column \"label\" is missing".to_owned()))?;
    let group_at = at("group");
    for special in ["label", "group"] {
        if names.iter().filter(|name| **name == special).count() > 1 {
            return Err(wrong(1, format!("the column \"{special}\" stands twice: take one out")));
        }
    }
    let is_feature = |column: usize| column != label_at && Some(column) != group_at;
    let features: Vec<usize> = (0..names.len()).filter(|&column| is_feature(column)).collect();
    let feature_names = FeatureNames::new(features.iter().map(|&column| names[column]))
        .map_err(|e| wrong(1, e.to_string()))?;
    let mut data = Dataset::new(feature_names);
    for row in rows.records() {
        let row = row.map_err(|e| EvalError::csv(path, e))?;
        let line = row.position().map_or(0, csv::Position::line);
        let label = match &row[label_at] {
            "0" => false,
            "1" => true,
            other => return Err(wrong(line, format!("label: \"{other}\" is neither 0 nor 1"))),
        };
        let value = |&column: &usize| match &row[column] {
            "" => Ok(None),
            text => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Some).ok_or_else(|| {
                wrong(
                    line,
                    format!("{}: \"{text}\" is no number; leave a missing value empty", names[column]),
                )
            }),
        };
        let values = features.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        data.push(&values, label, group_at.map(|column| &row[column])).expect("one value for each feature");
    }
    if data.n_rows() == 0 { Err(EvalError::NoRows { path: path.to_owned() }) } else { Ok(data) }
}

/// Writes a table as `train.csv` of `folder`, which is made where it is missing; [`read_table`] reads back the same.
///
/// # Errors
/// [`EvalError::Io`].
pub fn write_table(data: &Dataset, folder: &Path) -> Result<(), EvalError> {
    fs::create_dir_all(folder).map_err(|e| EvalError::io(folder, "writing", e))?;
    let path = folder.join("train.csv");
    let failed = |e: csv::Error| EvalError::io(&path, "writing", e.into());
    let mut file = csv::Writer::from_path(&path).map_err(failed)?;
    file.write_record(["label", "group"].into_iter().chain(data.names().iter())).map_err(failed)?;
    for (idx, row) in data.rows().enumerate() {
        let values = row.iter().map(|value| value.map_or_else(String::new, |value| value.to_string()));
        let head = [u8::from(data.labels()[idx]).to_string(), data.groups()[idx].clone().unwrap_or_default()];
        file.write_record(head.into_iter().chain(values)).map_err(failed)?;
    }
    file.flush().map_err(|e| EvalError::io(&path, "writing", e))
}

/// Trains the classifier on a folder, of whatever kind does best there, and says how good its probabilities are.
///
/// With a `test.csv`: trained on `train.csv` alone, judged on the test rows. Without one: five folds on `train.csv`, no group split; each
/// row is judged by a model, calibration included, that saw nothing of its fold.
///
/// - `roc_auc`, `pr_auc` (average precision), `log_loss` (natural logarithm, probabilities clipped at 1e-6), `calibration_error` (ten
///   bins of equal size: mean of the absolute difference of probability and frequency).
/// - `log_loss.<kind>`: of each kind of model tried, on held-out rows of `train.csv`; the best is `kept`. Within a fold the
///   choice is made anew, on the other folds alone.
/// - `rows_per_s`: rows judged in a second by one thread.
///
/// # Errors
/// As [`read_table`]; test columns that are not those of the training; too few rows or groups of a label.
pub fn eval_tables(folder: &Path, seed: u64) -> Result<FormReport, EvalError> {
    let path = folder.join("train.csv");
    let data = read_table(&path)?;
    let settings = TrainSettings { seed, kinds: ModelKind::ALL, ..TrainSettings::default() };
    let untrainable = |source| EvalError::Untrainable { path: path.clone(), source };
    let (classifier, report) = train(&data, &settings).map_err(untrainable)?;
    let test = folder.join("test.csv");
    let (on, found, labels) = if test.exists() {
        let rows = same_columns(&read_table(&test)?, data.names(), &test)?;
        ("test", classifier.probabilities(rows.rows()), rows.labels().to_vec())
    } else {
        ("5-fold", cross_validate(&data, &settings).map_err(untrainable)?, data.labels().to_vec())
    };
    let mut metrics = figures(&found, &labels);
    metrics.insert("rows_per_s".to_owned(), speed(&classifier, &data));
    let one_label = "all rows of test.csv have one label: ranks say nothing of them";
    let warnings = if metrics.contains_key("roc_auc") { Vec::new() } else { vec![one_label.to_owned()] };
    let set = set_name(folder);
    for (kind, tried) in &report.tried {
        metrics.insert(format!("log_loss.{}", kind.as_str().replace(' ', "_")), tried.log_loss);
    }
    let words = BTreeMap::from([("kept".to_owned(), report.kind.as_str().to_owned())]);
    Ok(FormReport { form: "tables", set, on: on.to_owned(), metrics, words, warnings })
}

fn figures(found: &[Probability], labels: &[bool]) -> BTreeMap<String, f64> {
    let probabilities: Vec<f64> = found.iter().map(|p| p.get()).collect();
    let figures = [
        ("roc_auc", roc_auc(&probabilities, labels)),
        ("pr_auc", pr_auc(&probabilities, labels)),
        ("log_loss", log_loss(&probabilities, labels)),
        ("calibration_error", calibration_error(&probabilities, labels)),
    ];
    figures.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The rows with their columns in the order of `names`.
fn same_columns(data: &Dataset, names: &FeatureNames, path: &Path) -> Result<Dataset, EvalError> {
    let wrong = |problem: String| EvalError::Label { path: path.to_owned(), line: 1, problem };
    if let Some(extra) = data.names().iter().find(|name| names.position(name).is_none()) {
        return Err(wrong(format!("the column \"{extra}\" is not in train.csv: take it out")));
    }
    let place = |name: &str| {
        let place = data.names().position(name);
        place.ok_or_else(|| wrong(format!("the column \"{name}\" of train.csv is missing: add it")))
    };
    let order = names.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let mut ordered = Dataset::new(names.clone());
    for (idx, row) in data.rows().enumerate() {
        let row: Vec<Option<f64>> = order.iter().map(|&column| row[column]).collect();
        let group = data.groups()[idx].as_deref();
        ordered.push(&row, data.labels()[idx], group).expect("one value for each feature");
    }
    Ok(ordered)
}

fn speed(classifier: &Classifier, data: &Dataset) -> f64 {
    let n_rounds = N_TIMED.div_ceil(data.n_rows());
    let started = Instant::now();
    for _ in 0..n_rounds {
        std::hint::black_box(classifier.probabilities(data.rows()));
    }
    (n_rounds * data.n_rows()) as f64 / started.elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, String)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    /// Rows whose label follows the first feature, but for every seventh.
    fn rows(n: usize, columns: &str) -> String {
        let mut text = format!("{columns}\n");
        for i in 0..n {
            let label = (i % 2 == 0) != (i % 7 == 3);
            let price = if i % 2 == 0 { 0.3 } else { 0.8 } + (i % 5) as f64 / 50.0;
            let age = if i % 3 == 0 { String::new() } else { i.to_string() };
            for (place, column) in columns.split(',').enumerate() {
                let comma = if place == 0 { "" } else { "," };
                let value = match column {
                    "label" => u8::from(label).to_string(),
                    "group" => format!("g{}", i / 3),
                    "price" => price.to_string(),
                    _ => age.clone(),
                };
                text += &format!("{comma}{value}");
            }
            text += "\n";
        }
        text
    }

    #[test]
    fn five_folds_without_a_test_file_and_the_test_file_with_one() {
        let train = rows(210, "label,group,price,age");
        let report = eval_tables(folder(&[("train.csv", train.clone())]).path(), 1).unwrap();
        assert_eq!((report.form, report.on.as_str()), ("tables", "5-fold"));
        assert!((0.7..0.95).contains(&report.metrics["roc_auc"]), "{:?}", report.metrics);
        assert!(report.metrics["log_loss"] < 0.65 && report.metrics["calibration_error"] < 0.2);
        assert!(report.metrics["rows_per_s"] > 0.0 && report.metrics.contains_key("pr_auc"));
        // The columns of the test may stand in another order.
        let files = [("train.csv", train), ("test.csv", rows(70, "age,price,label"))];
        let report = eval_tables(folder(&files).path(), 1).unwrap();
        assert_eq!(report.on, "test");
        assert!((0.7..0.95).contains(&report.metrics["roc_auc"]), "{:?}", report.metrics);
    }

    #[test]
    fn a_table_reads_back_as_it_was_written() {
        let from = folder(&[("train.csv", rows(40, "label,group,price,age"))]);
        let data = read_table(&from.path().join("train.csv")).unwrap();
        let to = tempfile::tempdir().unwrap();
        write_table(&data, &to.path().join("deep")).unwrap();
        assert_eq!(read_table(&to.path().join("deep/train.csv")).unwrap(), data);
    }

    #[test]
    fn what_is_wrong_is_named_with_file_line_and_column() {
        let check = |files: &[(&str, String)], expected: &str| {
            let folder = folder(files);
            let error = with_source(&eval_tables(folder.path(), 1).unwrap_err());
            assert!(error.contains(expected), "{error}");
        };
        let train = |text: &str| [("train.csv", text.to_owned())];
        check(&[], "train.csv: there is no such file; expected is a CSV file");
        check(&train("price,age\n1,2\n"), "train.csv, line 1: the column \"label\" is missing");
        check(&train("label,price\n1,cheap\n"), "train.csv, line 2: price: \"cheap\" is no number");
        check(&train("label,price\n1,NaN\n"), "train.csv, line 2: price: \"NaN\" is no number");
        check(&train("label,price\n1,1\nyes,1\n"), "train.csv, line 3: label: \"yes\" is neither 0 nor 1");
        check(&train("label,price\n1\n"), "train.csv, line 2: ");
        check(&train("label,price\n"), "train.csv: the file has no rows");
        check(&train("label,price,price\n1,1,1\n"), "train.csv, line 1: ");
        check(&train("label,price,label\n1,1,1\n"), "train.csv, line 1: the column \"label\" stands twice");
        check(&train("label,group,price,group\n1,1,1,1\n"), "line 1: the column \"group\" stands twice");
        check(&train("label,price\n1,1\n1,2\n"), "train.csv: nothing can be learned from it");
        let files = [("train.csv", rows(60, "label,price,age")), ("test.csv", rows(9, "label,price"))];
        check(&files, "test.csv, line 1: the column \"age\" of train.csv is missing: add it");
        let files = [("train.csv", rows(60, "label,price")), ("test.csv", rows(9, "label,price,age"))];
        check(&files, "test.csv, line 1: the column \"age\" is not in train.csv: take it out");
    }

    fn with_source(error: &dyn std::error::Error) -> String {
        let source = error.source().map_or_else(String::new, |e| format!(": {e}"));
        format!("{error}{source}")
    }
}
