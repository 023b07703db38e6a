//! Real tables, read at run time from a folder beside the workspace: `../shared/data`, or what `TOUCHSTONE_DATA` names.

use std::path::PathBuf;

use touchstone_classifier::metrics::Metrics;
use touchstone_classifier::{Bundle, Dataset, FeatureNames, ModelKind, TrainSettings, cross_validate, train};
use touchstone_types::Probability;

/// Reads the `train.csv` of a table; `None`, said aloud, when the data is not there.
fn table(name: &str) -> Option<Dataset> {
    let root = std::env::var_os("TOUCHSTONE_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = root.join("tables").join(name).join("train.csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: {} is not there; name the folder with TOUCHSTONE_DATA", path.display());
        return None;
    };
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let place = |name: &str| header.iter().position(|column| *column == name);
    let (label, group) = (place("label").unwrap(), place("group"));
    let features: Vec<usize> =
        (0..header.len()).filter(|&column| column != label && Some(column) != group).collect();
    let names = FeatureNames::new(features.iter().map(|&column| header[column])).unwrap();
    let mut data = Dataset::new(names);
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let row: Vec<Option<f64>> = features
            .iter()
            .map(|&column| (!cells[column].is_empty()).then(|| cells[column].parse().unwrap()))
            .collect();
        data.push(&row, cells[label] == "1", group.map(|column| cells[column])).unwrap();
    }
    Some(data)
}

fn five_folds(data: &Dataset, seed: u64) -> Metrics {
    let settings = TrainSettings { seed, ..TrainSettings::default() };
    let found = cross_validate(data, &settings).unwrap();
    Metrics::of(&found.into_iter().map(Probability::get).collect::<Vec<_>>(), data.labels()).unwrap()
}

#[test]
fn counterfeit_shops_are_told_apart() {
    let Some(data) = table("counterfeit-shops") else { return };
    for seed in 0..3 {
        let found = five_folds(&data, seed);
        eprintln!("seed {seed}: {found:?}");
        assert!(found.roc_auc >= 0.95 && found.pr_auc >= 0.94, "{found:?}");
        assert!(found.log_loss < 0.3 && found.calibration_error < 0.06, "{found:?}");
    }
}

#[test]
fn shill_bidding_gets_sane_probabilities() {
    let Some(data) = table("shill-bidding") else { return };
    let found = five_folds(&data, 0);
    eprintln!("{found:?}");
    assert!(found.log_loss < 0.1 && found.calibration_error < 0.02, "{found:?}");
    assert!(found.roc_auc > 0.98, "{found:?}");
}

#[test]
fn of_several_kinds_the_one_kept_beats_the_regression_alone() {
    let Some(data) = table("shill-bidding") else { return };
    let settings = TrainSettings { kinds: ModelKind::ALL, ..TrainSettings::default() };
    let (_, report) = train(&data, &settings).unwrap();
    eprintln!("{:?}", report.tried);
    assert_ne!(report.kind, ModelKind::LogisticRegression);
    assert!(report.out_of_fold.log_loss < 0.02 && report.out_of_fold.calibration_error < 0.005, "{report:?}");
}

#[test]
fn the_report_agrees_with_the_slower_cross_validation() {
    let Some(data) = table("counterfeit-shops") else { return };
    let (_, report) = train(&data, &TrainSettings::default()).unwrap();
    let slower = five_folds(&data, 0);
    assert!((report.out_of_fold.roc_auc - slower.roc_auc).abs() < 0.01, "{report:?} {slower:?}");
    assert!((report.out_of_fold.log_loss - slower.log_loss).abs() < 0.02, "{report:?} {slower:?}");
}

#[test]
fn a_real_model_reads_back_and_scores_the_same() {
    let Some(data) = table("shill-bidding") else { return };
    let (classifier, _) = train(&data, &TrainSettings::default()).unwrap();
    let mut bundle = Bundle::new();
    bundle.set_classifier(&classifier);
    let read = Bundle::from_bytes(&bundle.to_bytes()).unwrap().classifier(data.names()).unwrap();
    assert_eq!(read.probabilities(data.rows()), classifier.probabilities(data.rows()));
}
