//! linfa's random forest on the folds of `touchstone eval tables`: the baseline that trees of ours are held against.
//!
//! ```text
//! cargo run --release -p touchstone-eval --example tables_forest -- DIR N_SEEDS
//! ```
//!
//! Trees vote and give no probability, so the share of the votes stands for it. Missing values are replaced by a number below all others
//! of the column, which trees can split off. Prints the means over the seeds.
#![expect(clippy::print_stdout, reason = "an example says what it found")]

use std::error::Error;
use std::path::PathBuf;

use linfa::DatasetBase;
use linfa::prelude::{Fit as _, Predict as _};
use linfa_ensemble::{EnsembleLearner, EnsembleLearnerParams, RandomForestParams};
use linfa_trees::DecisionTree;
use ndarray::{Array1, Array2, Axis};
use ndarray_rand::rand::SeedableRng as _;
use ndarray_rand::rand::rngs::StdRng;
use touchstone_classifier::{Dataset, Metrics, folds};
use touchstone_eval::read_table;

const N_FOLDS: usize = 5;
const N_TREES: usize = 100;
/// The share of the features that a tree sees: drawn once for each tree, so the usual root would blind it.
const FEATURE_SHARE: f64 = 0.5;

type Forest = EnsembleLearner<DecisionTree<f64, usize>>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("usage: tables_forest DIR N_SEEDS")?);
    let n_seeds: u64 = args.next().ok_or("usage: tables_forest DIR N_SEEDS")?.parse()?;
    let data = read_table(&folder.join("train.csv"))?;
    let rows = filled(&data);
    let mut sums = [0.0; 4];
    for seed in 1..=n_seeds {
        let fold_of = folds(&data, N_FOLDS, seed)?;
        let shares = held_out(&rows, data.labels(), &fold_of, seed)?;
        let found = Metrics::of(&shares, data.labels()).ok_or("both labels are needed")?;
        let found = [found.roc_auc, found.pr_auc, found.log_loss, found.calibration_error];
        sums.iter_mut().zip(found).for_each(|(sum, value)| *sum += value);
    }
    println!("| ROC-AUC | PR-AUC | log loss | calibration error |\n|---|---|---|---|");
    let [roc, pr, loss, error] = sums.map(|sum| sum / n_seeds as f64);
    println!("| {roc:.4} | {pr:.4} | {loss:.4} | {error:.4} |");
    Ok(())
}

/// The rows with a number in every place.
fn filled(data: &Dataset) -> Vec<Vec<f64>> {
    let least = |column: usize| {
        data.rows().filter_map(|row| row[column]).fold(0.0, |least: f64, value| least.min(value)) - 1.0
    };
    let least: Vec<f64> = (0..data.names().len()).map(least).collect();
    let row = |row: &[Option<f64>]| row.iter().zip(&least).map(|(x, least)| x.unwrap_or(*least)).collect();
    data.rows().map(row).collect()
}

/// For each row the share of the votes of a forest that was grown on the other folds.
fn held_out(
    rows: &[Vec<f64>],
    labels: &[bool],
    fold_of: &[usize],
    seed: u64,
) -> Result<Vec<f64>, Box<dyn Error>> {
    let table = |inside: &[usize]| {
        let values = inside.iter().flat_map(|&row| rows[row].iter().copied()).collect();
        Array2::from_shape_vec((inside.len(), rows[0].len()), values)
    };
    let mut shares = vec![0.0; rows.len()];
    for fold in 0..N_FOLDS {
        let part = |inside: bool| -> Vec<usize> {
            (0..rows.len()).filter(|&row| (fold_of[row] == fold) == inside).collect()
        };
        let (train, test) = (part(false), part(true));
        let targets: Array1<usize> = train.iter().map(|&row| usize::from(labels[row])).collect();
        let params: RandomForestParams<f64, usize, StdRng> =
            EnsembleLearnerParams::new_fixed_rng(DecisionTree::params(), StdRng::seed_from_u64(seed));
        let forest: Forest = params
            .ensemble_size(N_TREES)
            .bootstrap_proportion(0.7)
            .feature_proportion(FEATURE_SHARE)
            .fit(&DatasetBase::new(table(&train)?, targets))?;
        let records = table(&test)?;
        for (tree, features) in forest.models.iter().zip(&forest.model_features) {
            let votes: Array1<usize> = tree.predict(&records.select(Axis(1), features));
            for (&row, &vote) in test.iter().zip(&votes) {
                shares[row] += vote as f64 / N_TREES as f64;
            }
        }
    }
    // A sum of hundredths may end above one.
    Ok(shares.into_iter().map(|share| share.min(1.0)).collect())
}
