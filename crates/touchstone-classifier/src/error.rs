//! What can go wrong, shaped by what the caller can do about it.

use crate::features::FeatureNames;

/// Why a table cannot be trained on, or why a model file is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClassifierError {
    /// A list of feature names holds an empty name, a name twice, or nothing at all.
    #[error("a list of features needs distinct, non-empty names: {problem}")]
    BadFeatureNames {
        /// Which name is wrong, and how.
        problem: String,
    },

    /// A row does not have one value for each feature.
    #[error(
        "row {row} has {found} values, the table has {expected} features; give every feature a value or none"
    )]
    WrongRowLength {
        /// The row, counted from 0.
        row: usize,
        /// How many values it has.
        found: usize,
        /// How many features the table has.
        expected: usize,
    },

    /// A row's weight is no positive number.
    #[error("row {row} has weight {found}; a weight must be above 0 and at most 1e9")]
    BadWeight {
        /// The row, counted from 0.
        row: usize,
        /// The weight given.
        found: f64,
    },

    /// A setting of the training lies outside its range.
    #[error("training setting {setting} is {found}, it must be {expected}")]
    BadSetting {
        /// The field of [`TrainSettings`](crate::TrainSettings).
        setting: &'static str,
        /// What was given.
        found: String,
        /// The range it must lie in.
        expected: &'static str,
    },

    /// There are too few groups of a label to hold any out.
    #[error(
        "{n_groups} groups hold rows labelled {label}; {needed} are needed to hold some out for calibration: \
         add such rows, or train with fewer folds"
    )]
    TooFewGroups {
        /// The label, 0 or 1.
        label: u8,
        /// How many groups hold at least one such row (a row without a group is a group of its own).
        n_groups: usize,
        /// How many are needed.
        needed: usize,
    },

    /// No feature takes two different values, so there is nothing to learn.
    #[error("no feature varies over the {n_rows} rows; check that the features were filled in")]
    NothingVaries {
        /// How many rows there were.
        n_rows: usize,
    },

    /// The optimiser gave up.
    #[error("logistic regression did not converge: {problem}; raise l2 or look for extreme feature values")]
    NotConverged {
        /// What the optimiser said.
        problem: String,
    },

    /// The bytes are not a model file at all.
    #[error("not a model file: {problem}; give a file that `touchstone train` wrote")]
    NotAModel {
        /// What was found instead.
        problem: String,
    },

    /// The file was written in a form that this build does not read.
    #[error("model file version {found}, this build reads version {expected}; {todo}", todo = RETRAIN)]
    WrongVersion {
        /// The version the file states.
        found: u64,
        /// The version this build reads.
        expected: u64,
    },

    /// The file was changed after it was written.
    #[error("the model file is damaged: {problem}; fetch it again or retrain with `touchstone train`")]
    Damaged {
        /// How it was noticed.
        problem: String,
    },

    /// The bundle lacks a part that is asked for.
    #[error("the model file has no part \"{part}\" (it has: {present}); {todo}", todo = RETRAIN)]
    MissingPart {
        /// The part asked for.
        part: String,
        /// The parts there are, joined by commas.
        present: String,
    },

    /// A part is whole, but holds something that must not be scored with.
    #[error("part \"{part}\" of the model file cannot be used: {problem}; {todo}", todo = RETRAIN)]
    BadPart {
        /// The part.
        part: String,
        /// What is wrong with it.
        problem: String,
    },

    /// The model was trained on other features than this build computes.
    #[error("the model's features are not this build's: {difference}; {todo}", todo = RETRAIN)]
    FeaturesDiffer {
        /// Which features differ: see [`FeatureNames::difference`].
        difference: String,
    },
}

/// What to do about a model of another version.
const RETRAIN: &str = "retrain with `touchstone train` or take the model file that belongs to this version";

impl ClassifierError {
    /// The refusal of a model whose features are `model` by a build whose features are `build`, if they differ.
    pub(crate) fn if_features_differ(model: &FeatureNames, build: &FeatureNames) -> Result<(), Self> {
        match model.difference(build) {
            None => Ok(()),
            Some(difference) => Err(Self::FeaturesDiffer { difference }),
        }
    }
}
