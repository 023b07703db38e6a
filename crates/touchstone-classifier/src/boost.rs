//! Gradient boosting of trees over histograms.
//!
//! J. H. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29, 2001, with Newton steps on the log
//! loss; histograms, leaf-wise growth and the sibling by subtraction as in G. Ke et al., "LightGBM: a highly efficient gradient boosting
//! decision tree", NIPS 2017. A missing value goes to the side that each split learned for it, or, where none was missing,
//! to the larger one. A row's weight multiplies its gradient and curvature; bins and the least rows of a leaf count rows, whatever they weigh.
//!
//! ```text
//! BoostTable ──▶ Binned ──▶ for each tree: draw rows and columns ──▶ grow ──▶ Tree ──▶ Flat ──▶ log-odds
//!  f32, NaN       bytes       gradients as whole numbers            leaf-wise          eight at a time
//! ```
//!
//! Gradients, curvatures and leaf values are whole numbers of a small unit: sums are exact, so neither the order of rows within a node nor
//! that of trees can change a bit, and a training gives the same bytes on every machine.

mod bins;
mod flat;
mod grow;
mod histogram;
mod part;
mod table;
#[cfg(test)]
mod tests;
mod tree;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::error::ClassifierError;
use crate::features::FeatureNames;
use crate::math::{logit, round9, sigmoid};

use bins::Binned;
use flat::Flat;
use histogram::{Layout, MAX_ROWS, Sum};
use tree::{Tree, VALUE_UNIT};

pub use part::BoosterPart;
pub use table::BoostTable;
pub(crate) use table::single;

/// The most features a booster may have.
const MAX_FEATURES: usize = 32_767;
/// The most leaves of a tree.
const MAX_LEAVES: usize = 256;

/// How to boost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoostSettings {
    /// How many trees, 1 to 10,000. Default 300.
    pub n_trees: usize,
    /// What each tree's step is multiplied by, above 0, at most 1. Default 0.05.
    pub learning_rate: f64,
    /// Leaves of a tree at most, 2 to 256. Default 24.
    pub max_leaves: usize,
    /// Splits one after the other at most, 1 to 32. Default 8.
    pub max_depth: usize,
    /// Rows in a leaf at least, from 1. Default 8.
    pub min_leaf_rows: usize,
    /// Sum of curvatures p·(1 − p) in a leaf at least, from 0. Default 0.001.
    pub min_leaf_weight: f64,
    /// A split gains more than this (twice the loss taken off), from 0. Default 0.
    pub min_gain: f64,
    /// Added to the curvature of a leaf, from 0 (then `min_leaf_weight` must be above 0) to 10⁶. Default 1.
    pub l2: f64,
    /// Share of the rows drawn, without repeats, for each tree, above 0, at most 1. Default 0.8.
    pub row_share: f64,
    /// Share of the columns drawn for each tree, above 0, at most 1. Default 0.4.
    pub column_share: f64,
    /// Bins of a column at most, 2 to 255. Default 64.
    pub max_bins: usize,
    /// The seed of the draws. Default 0.
    pub seed: u64,
}

impl Default for BoostSettings {
    fn default() -> Self {
        Self {
            n_trees: 300,
            learning_rate: 0.05,
            max_leaves: 24,
            max_depth: 8,
            min_leaf_rows: 8,
            min_leaf_weight: 1e-3,
            min_gain: 0.0,
            l2: 1.0,
            row_share: 0.8,
            column_share: 0.4,
            max_bins: 64,
            seed: 0,
        }
    }
}

impl BoostSettings {
    fn check(&self) -> Result<(), ClassifierError> {
        let check = |ok: bool, setting, found: String, expected| {
            if ok { Ok(()) } else { Err(ClassifierError::BadSetting { setting, found, expected }) }
        };
        let counts = [
            ("n_trees", self.n_trees, 1..=10_000, "1 to 10000"),
            ("max_leaves", self.max_leaves, 2..=MAX_LEAVES, "2 to 256"),
            ("max_depth", self.max_depth, 1..=32, "1 to 32"),
            ("min_leaf_rows", self.min_leaf_rows, 1..=MAX_ROWS, "1 to 4194304"),
            ("max_bins", self.max_bins, 2..=255, "2 to 255"),
        ];
        for (setting, found, range, expected) in counts {
            check(range.contains(&found), setting, found.to_string(), expected)?;
        }
        let shares = [
            ("learning_rate", self.learning_rate),
            ("row_share", self.row_share),
            ("column_share", self.column_share),
        ];
        for (setting, found) in shares {
            let ok = (f64::MIN_POSITIVE..=1.0).contains(&found);
            check(ok, setting, found.to_string(), "above 0 and at most 1")?;
        }
        let weights =
            [("min_leaf_weight", self.min_leaf_weight), ("min_gain", self.min_gain), ("l2", self.l2)];
        for (setting, found) in weights {
            check((0.0..=1e6).contains(&found), setting, found.to_string(), "0 to 1000000")?;
        }
        let ok = self.l2 + self.min_leaf_weight > 0.0;
        check(ok, "l2", self.l2.to_string(), "above 0 where min_leaf_weight is 0")
    }

    /// Whether a leaf may hold these rows.
    fn allows(&self, leaf: Sum) -> bool {
        leaf.n_rows() >= self.min_leaf_rows as u64 && leaf.curvature() >= self.min_leaf_weight
    }
}

/// Boosted trees over named features: a row to log-odds.
#[derive(Debug, Clone, PartialEq)]
pub struct Booster {
    names: FeatureNames,
    /// Log-odds before the first tree.
    base: f64,
    trees: Vec<Tree>,
    flat: Flat,
}

impl Booster {
    /// Boosts on a table. The same table and settings give the same booster, on any machine.
    ///
    /// # Errors
    /// A setting out of range, more than 4,194,304 rows or 32,767 features, or rows of one label only.
    pub fn fit(table: &BoostTable, settings: &BoostSettings) -> Result<Self, ClassifierError> {
        settings.check()?;
        check_table(table)?;
        let binned = Binned::new(table, settings.max_bins);
        let weights = table.unit_weights();
        let positive = weights.iter().zip(table.labels()).filter(|(_, label)| **label);
        let n_positive: f64 = positive.map(|(weight, _)| weight).sum();
        let base = round9(logit(n_positive / table.n_rows() as f64));
        let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
        let useful: Vec<usize> =
            (0..table.names().len()).filter(|&c| !binned.columns[c].cuts.is_empty()).collect();
        // What the trees so far say of each row, in their unit.
        let mut said = vec![0_i64; table.n_rows()];
        let mut trees = Vec::with_capacity(settings.n_trees);
        for _ in 0..settings.n_trees {
            let row_sums: Vec<Sum> = said
                .iter()
                .zip(table.labels())
                .zip(&weights)
                .map(|((&said, &label), &weight)| {
                    let p = sigmoid(base + said as f64 * VALUE_UNIT);
                    Sum::row(weight * (p - f64::from(u8::from(label))), weight * (p * (1.0 - p)))
                })
                .collect();
            let rows = draw(&mut rng, table.n_rows(), settings.row_share);
            let columns = draw(&mut rng, useful.len(), settings.column_share);
            let columns: Vec<usize> = columns.into_iter().map(|idx| useful[idx as usize]).collect();
            let layout = Layout::new(&binned, &columns);
            let tree = grow::grow(&binned, &layout, rows, &row_sums, settings);
            for (said, row) in said.iter_mut().zip(table.rows()) {
                *said += i64::from(tree.value(row));
            }
            trees.push(tree);
        }
        Ok(Self::new(table.names().clone(), base, trees))
    }

    fn new(names: FeatureNames, base: f64, trees: Vec<Tree>) -> Self {
        let flat = Flat::new(&trees, names.len());
        Self { names, base, trees, flat }
    }

    /// The features it reads, in order.
    pub fn names(&self) -> &FeatureNames {
        &self.names
    }

    /// How many trees it has.
    pub fn n_trees(&self) -> usize {
        self.trees.len()
    }

    /// The log-odds of a row, before calibration; NaN is missing. Always finite.
    ///
    /// # Panics
    /// If the row has not one value for each feature.
    pub fn log_odds(&self, row: &[f32]) -> f64 {
        self.log_odds_in(row, &mut Vec::new())
    }

    /// As [`Self::log_odds`], with room that is reused from row to row.
    ///
    /// # Panics
    /// If the row has not one value for each feature.
    pub fn log_odds_in(&self, row: &[f32], room: &mut Vec<f32>) -> f64 {
        assert_eq!(row.len(), self.names.len(), "one value for each feature of the booster");
        self.base + self.flat.sum(row, room) as f64 * VALUE_UNIT
    }

    /// For each feature the number of splits that ask for it.
    pub fn split_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.names.len()];
        for node in self.trees.iter().flat_map(|tree| &tree.nodes) {
            if let tree::Node::Split { split, .. } = node {
                counts[split.feature] += 1;
            }
        }
        counts
    }
}

fn check_table(table: &BoostTable) -> Result<(), ClassifierError> {
    let bad = |setting, found: usize, expected| {
        Err(ClassifierError::BadSetting { setting, found: found.to_string(), expected })
    };
    if table.n_rows() > MAX_ROWS {
        return bad("rows", table.n_rows(), "at most 4194304");
    }
    if table.names().len() > MAX_FEATURES {
        return bad("features", table.names().len(), "at most 32767");
    }
    for label in [false, true] {
        if !table.labels().contains(&label) {
            return Err(ClassifierError::TooFewGroups { label: u8::from(label), n_groups: 0, needed: 1 });
        }
    }
    Ok(())
}

/// Draws a share of the numbers below `n`, at least one where there is one, in increasing order.
///
/// Selection sampling (Knuth, The Art of Computer Programming 2, algorithm 3.4.2 S), spelt out so that no release of a random number crate
/// changes a trained model.
fn draw(rng: &mut ChaCha8Rng, n: usize, share: f64) -> Vec<u32> {
    let mut wanted = ((n as f64 * share).round() as usize).clamp(1.min(n), n);
    let mut drawn = Vec::with_capacity(wanted);
    for at in 0..n {
        let left = (n - at) as u128;
        let place = (u128::from(rng.next_u64()) * left) >> 64;
        if place < wanted as u128 {
            drawn.push(u32::try_from(at).expect("at most 4194304 rows"));
            wanted -= 1;
        }
    }
    drawn
}
