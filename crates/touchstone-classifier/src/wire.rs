//! The JSON form of the classifier part of a model file. Nothing else in the crate is written or read.

use serde::{Deserialize, Serialize};

use crate::boost::BoosterPart;
use crate::calibrate::Platt;
use crate::classifier::{Classifier, Model, TrainedOn};
use crate::features::FeatureNames;
use crate::logistic::{LogisticRegression, Term};

/// Unknown fields are errors: a file of a later build may mean by them that the rest must be read differently.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClassifierPart {
    features: Vec<String>,
    model: ModelPart,
    calibration: CalibrationPart,
    trained_on: TrainedOnPart,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum ModelPart {
    LogisticRegression {
        intercept: f64,
        terms: Vec<TermPart>,
    },
    BoostedTrees {
        trees: BoosterPart,
    },
    /// The mean of both.
    Mean {
        intercept: f64,
        terms: Vec<TermPart>,
        trees: BoosterPart,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TermPart {
    mean: f64,
    scale: f64,
    low: f64,
    high: f64,
    weight: f64,
    missing_weight: f64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum CalibrationPart {
    Platt { slope: f64, offset: f64 },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainedOnPart {
    n_rows: usize,
    n_positive: usize,
    seed: u64,
}

impl From<&Classifier> for ClassifierPart {
    fn from(classifier: &Classifier) -> Self {
        let TrainedOn { n_rows, n_positive, seed } = classifier.trained_on();
        Self {
            features: classifier.names().iter().map(str::to_owned).collect(),
            model: match classifier.model() {
                Model::LogisticRegression(model) => {
                    ModelPart::LogisticRegression { intercept: model.intercept(), terms: terms_of(model) }
                }
                Model::BoostedTrees(trees) => ModelPart::BoostedTrees { trees: trees.into() },
                Model::Mean(model, trees) => ModelPart::Mean {
                    intercept: model.intercept(),
                    terms: terms_of(model),
                    trees: trees.into(),
                },
            },
            calibration: CalibrationPart::Platt {
                slope: classifier.calibration().slope(),
                offset: classifier.calibration().offset(),
            },
            trained_on: TrainedOnPart { n_rows, n_positive, seed },
        }
    }
}

fn terms_of(model: &LogisticRegression) -> Vec<TermPart> {
    model.terms().iter().map(TermPart::from).collect()
}

impl From<&Term> for TermPart {
    fn from(&Term { mean, scale, low, high, weight, missing_weight }: &Term) -> Self {
        Self { mean, scale, low, high, weight, missing_weight }
    }
}

impl TryFrom<ClassifierPart> for Classifier {
    /// What is wrong, in words.
    type Error = String;

    fn try_from(part: ClassifierPart) -> Result<Self, String> {
        let names = FeatureNames::new(part.features).map_err(|error| error.to_string())?;
        let regression = |intercept: f64, terms: Vec<TermPart>| {
            LogisticRegression::new(intercept, terms.into_iter().map(Term::from).collect())
        };
        let model = match part.model {
            ModelPart::LogisticRegression { intercept, terms } => {
                Model::LogisticRegression(regression(intercept, terms)?)
            }
            ModelPart::BoostedTrees { trees } => Model::BoostedTrees(trees.booster(&names)?),
            ModelPart::Mean { intercept, terms, trees } => {
                Model::Mean(regression(intercept, terms)?, trees.booster(&names)?)
            }
        };
        let CalibrationPart::Platt { slope, offset } = part.calibration;
        let calibration = Platt::new(slope, offset)
            .ok_or_else(|| format!("the calibration has slope {slope} and offset {offset}"))?;
        let TrainedOnPart { n_rows, n_positive, seed } = part.trained_on;
        Self::new(names, model, calibration, TrainedOn { n_rows, n_positive, seed })
    }
}

impl From<TermPart> for Term {
    fn from(TermPart { mean, scale, low, high, weight, missing_weight }: TermPart) -> Self {
        Self { mean, scale, low, high, weight, missing_weight }
    }
}
