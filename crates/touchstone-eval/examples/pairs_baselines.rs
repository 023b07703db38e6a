//! The pair matcher beside plainer learners on the same features and folds: linfa's logistic regression and linfa's random forest.
//!
//! ```text
//! cargo run --release -p touchstone-eval --example pairs_baselines -- PAIRS/*/
//! ```
//!
//! Five folds on train and valid, seed 1; thresholds from the other folds, except for the forest, whose trees vote and give no probability.
#![expect(clippy::print_stdout, reason = "an example says what it found")]

use std::error::Error;
use std::path::Path;

use linfa::DatasetBase;
use linfa::prelude::{Fit as _, Predict as _};
use linfa_ensemble::{EnsembleLearnerParams, RandomForestParams};
use linfa_trees::DecisionTree;
use ndarray::{Array1, Array2};
use ndarray_rand::rand::SeedableRng as _;
use ndarray_rand::rand::rngs::StdRng;
use touchstone_classifier::metrics::{Counts, counts_at};
use touchstone_classifier::{Dataset, FeatureNames, LogisticRegression, best_f1_threshold};
use touchstone_eval::{cross_validated, read_training_pairs};
use touchstone_pipeline::{LabelledPair, pair_folds, rarity_of};
use touchstone_text::{N_PAIR_FEATURES, Prepared, pair_feature_names, pair_features};

const SEED: u64 = 1;
const N_FOLDS: usize = 5;
/// The weight of the regression's penalty.
const L2: f64 = 1.0;
const N_TREES: usize = 50;
/// The share of the features that a tree sees: drawn once for each tree, so the usual root would blind it.
const FEATURE_SHARE: f64 = 0.5;
/// What stands for a missing value in the forest, which knows none; no feature is below -1.
const MISSING: f64 = -9.0;

fn main() -> Result<(), Box<dyn Error>> {
    println!("| set | boosted trees | logistic regression | random forest |\n|---|---|---|---|");
    for folder in std::env::args().skip(1) {
        let folder = Path::new(&folder);
        let pairs = read_training_pairs(folder)?;
        let fold_of = pair_folds(&pairs, SEED)?;
        let own = cross_validated(&pairs, &fold_of, SEED)?.counts;
        let rows = features(&pairs);
        let labels: Vec<bool> = pairs.iter().map(|pair| pair.is_match).collect();
        let scores = logistic(&rows, &labels, &fold_of)?;
        let found = [own, thresholded(&scores, &labels, &fold_of), forest(&rows, &labels, &fold_of)?];
        let f1 = found.map(|counts| format!("{:.1}", 100.0 * counts.f1().unwrap_or(0.0)));
        let set = folder.file_name().unwrap_or_default().to_string_lossy();
        println!("| {set} | {} |", f1.join(" | "));
    }
    Ok(())
}

fn features(pairs: &[LabelledPair]) -> Vec<Vec<f32>> {
    let rarity = rarity_of(pairs);
    let row = |pair: &LabelledPair| {
        pair_features(&Prepared::new(&pair.left), &Prepared::new(&pair.right), &rarity).to_vec()
    };
    pairs.iter().map(row).collect()
}

/// For each pair the probability by a regression fitted on the other folds.
fn logistic(rows: &[Vec<f32>], labels: &[bool], fold_of: &[usize]) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut data = Dataset::new(FeatureNames::new(pair_feature_names().iter().cloned())?);
    let present =
        |row: &[f32]| row.iter().map(|x| (!x.is_nan()).then_some(f64::from(*x))).collect::<Vec<_>>();
    for (row, &label) in rows.iter().zip(labels) {
        data.push(&present(row), label, None)?;
    }
    let mut scores = vec![0.0; rows.len()];
    for fold in 0..N_FOLDS {
        let model = LogisticRegression::fit(&data.subset(|row| fold_of[row] != fold), L2)?;
        for row in (0..rows.len()).filter(|&row| fold_of[row] == fold) {
            scores[row] = 1.0 / (1.0 + libm::exp(-model.log_odds(data.row(row))));
        }
    }
    Ok(scores)
}

fn thresholded(scores: &[f64], labels: &[bool], fold_of: &[usize]) -> Counts {
    let mut sum = Counts { true_positive: 0, false_positive: 0, false_negative: 0, true_negative: 0 };
    for fold in 0..N_FOLDS {
        let part = |inside: bool| -> (Vec<f64>, Vec<bool>) {
            let rows = (0..labels.len()).filter(|&row| (fold_of[row] == fold) == inside);
            rows.map(|row| (scores[row], labels[row])).unzip()
        };
        let (other_scores, other_labels) = part(false);
        let (own_scores, own_labels) = part(true);
        let Some(threshold) = best_f1_threshold(&other_scores, &other_labels) else { continue };
        let own = counts_at(&own_scores, &own_labels, threshold);
        sum.true_positive += own.true_positive;
        sum.false_positive += own.false_positive;
        sum.false_negative += own.false_negative;
        sum.true_negative += own.true_negative;
    }
    sum
}

fn forest(rows: &[Vec<f32>], labels: &[bool], fold_of: &[usize]) -> Result<Counts, Box<dyn Error>> {
    let filled = |x: &f32| if x.is_nan() { MISSING } else { f64::from(*x) };
    let table = |inside: &[usize]| -> Result<Array2<f64>, Box<dyn Error>> {
        let values = inside.iter().flat_map(|&row| rows[row].iter().map(filled)).collect();
        Ok(Array2::from_shape_vec((inside.len(), N_PAIR_FEATURES), values)?)
    };
    let mut sum = Counts { true_positive: 0, false_positive: 0, false_negative: 0, true_negative: 0 };
    for fold in 0..N_FOLDS {
        let part = |inside: bool| -> Vec<usize> {
            (0..rows.len()).filter(|&row| (fold_of[row] == fold) == inside).collect()
        };
        let (train, test) = (part(false), part(true));
        let targets: Array1<usize> = train.iter().map(|&row| usize::from(labels[row])).collect();
        let data = DatasetBase::new(table(&train)?, targets);
        let params: RandomForestParams<f64, usize, StdRng> =
            EnsembleLearnerParams::new_fixed_rng(DecisionTree::params(), StdRng::seed_from_u64(SEED));
        let model = params
            .ensemble_size(N_TREES)
            .bootstrap_proportion(0.7)
            .feature_proportion(FEATURE_SHARE)
            .fit(&data)?;
        let votes: Array1<usize> = model.predict(&table(&test)?);
        for (&row, &vote) in test.iter().zip(&votes) {
            match (labels[row], vote == 1) {
                (true, true) => sum.true_positive += 1,
                (false, true) => sum.false_positive += 1,
                (true, false) => sum.false_negative += 1,
                (false, false) => sum.true_negative += 1,
            }
        }
    }
    Ok(sum)
}
