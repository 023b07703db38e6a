//! The kinds of model that a training tries, and what each is made of.

use crate::boost::{BoostSettings, BoostTable, Booster};
use crate::classifier::Model;
use crate::dataset::Dataset;
use crate::error::ClassifierError;
use crate::logistic::LogisticRegression;
use crate::train::TrainSettings;

/// Columns drawn for each tree, at least.
const MIN_COLUMNS: f64 = 4.0;

/// A kind of model that a training can try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelKind {
    /// A logistic regression: best where rows are few and each feature speaks for itself.
    LogisticRegression,
    /// 100 boosted trees of at most 8 leaves.
    SmallTrees,
    /// 300 boosted trees of at most 24 leaves: best where rows are many and features speak together.
    LargeTrees,
    /// 150 boosted trees of at most 31 leaves over all columns and rows: best where rows are many and few features decide.
    FullTrees,
    /// The mean of the log-odds of the regression and the small trees.
    Mean,
}

impl ModelKind {
    /// Every kind, the simplest first.
    pub const ALL: &'static [Self] =
        &[Self::LogisticRegression, Self::SmallTrees, Self::LargeTrees, Self::FullTrees, Self::Mean];

    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LogisticRegression => "logistic regression",
            Self::SmallTrees => "small trees",
            Self::LargeTrees => "large trees",
            Self::FullTrees => "full trees",
            Self::Mean => "mean of regression and small trees",
        }
    }

    fn boosting(self, seed: u64, n_features: usize) -> Option<BoostSettings> {
        let usual = BoostSettings { seed, ..BoostSettings::default() };
        // A tree of one column cannot say what two say together.
        let column_share = usual.column_share.max(MIN_COLUMNS / n_features as f64).min(1.0);
        let large = BoostSettings { column_share, ..usual };
        match self {
            Self::LogisticRegression => None,
            Self::SmallTrees | Self::Mean => Some(BoostSettings { n_trees: 100, max_leaves: 8, ..large }),
            Self::LargeTrees => Some(large),
            Self::FullTrees => Some(BoostSettings {
                n_trees: 150,
                learning_rate: 0.1,
                max_leaves: 31,
                max_depth: 16,
                min_leaf_rows: 20,
                row_share: 1.0,
                column_share: 1.0,
                l2: 0.0,
                max_bins: 255,
                ..large
            }),
        }
    }

    /// A model of this kind of all rows, before calibration.
    ///
    /// # Errors
    /// Rows of one label only, no feature that varies, or an optimiser that gives up.
    pub(crate) fn fit(self, data: &Dataset, settings: &TrainSettings) -> Result<Model, ClassifierError> {
        let regression = || LogisticRegression::fit(data, settings.l2);
        let Some(boosting) = self.boosting(settings.seed, data.names().len()) else {
            return Ok(Model::LogisticRegression(regression()?));
        };
        let trees = Booster::fit(&BoostTable::from(data), &boosting)?;
        Ok(match self {
            Self::Mean => Model::Mean(regression()?, trees),
            _ => Model::BoostedTrees(trees),
        })
    }
}
