//! A trained classifier: features to a calibrated probability, and what each feature did to it.

use std::cmp::Ordering;

use touchstone_types::{Contribution, Probability};

use crate::boost::{Booster, single};
use crate::calibrate::Platt;
use crate::error::ClassifierError;
use crate::features::FeatureNames;
use crate::logistic::LogisticRegression;
use crate::math::{logit, sigmoid};

/// The kinds of model there are: each turns a row into log-odds.
///
/// An enum and not a trait: a file must name the kind it holds, and nobody but this crate can add one.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// A weighted sum.
    LogisticRegression(LogisticRegression),
    /// Boosted trees.
    BoostedTrees(Booster),
    /// The mean of the log-odds of both.
    Mean(LogisticRegression, Booster),
}

impl Model {
    /// The log-odds of a row before calibration, finite.
    ///
    /// # Panics
    /// If the row has not one value for each feature.
    pub fn log_odds(&self, row: &[Option<f64>]) -> f64 {
        match self {
            Self::LogisticRegression(model) => model.log_odds(row),
            Self::BoostedTrees(trees) => log_odds_of(trees, row),
            Self::Mean(model, trees) => 0.5 * (model.log_odds(row) + log_odds_of(trees, row)),
        }
    }

    /// For how many features the model was fitted.
    pub fn n_features(&self) -> usize {
        match self {
            Self::LogisticRegression(model) | Self::Mean(model, _) => model.terms().len(),
            Self::BoostedTrees(trees) => trees.names().len(),
        }
    }
}

fn log_odds_of(trees: &Booster, row: &[Option<f64>]) -> f64 {
    trees.log_odds(&row.iter().map(single).collect::<Vec<f32>>())
}

/// What a classifier was trained on, kept in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainedOn {
    /// Rows of the training table.
    pub n_rows: usize,
    /// How many of them were positive; where rows had weights, how many of equal weight would have been.
    pub n_positive: usize,
    /// The seed of the folds.
    pub seed: u64,
}

impl TrainedOn {
    /// The share of positive rows, in [0, 1]. Probabilities are calibrated for a market with this share.
    pub fn base_rate(&self) -> f64 {
        self.n_positive as f64 / self.n_rows as f64
    }
}

/// A model, its calibration, and the features it reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    names: FeatureNames,
    model: Model,
    calibration: Platt,
    trained_on: TrainedOn,
}

impl Classifier {
    /// Puts the parts together.
    ///
    /// # Errors
    /// In words, if the model was not fitted for so many features, or the counts of the training cannot be (no rows, more positive rows
    /// than rows).
    pub fn new(
        names: FeatureNames,
        model: Model,
        calibration: Platt,
        trained_on: TrainedOn,
    ) -> Result<Self, String> {
        if model.n_features() != names.len() {
            return Err(format!(
                "{} features are named, the model reads {}",
                names.len(),
                model.n_features()
            ));
        }
        if trained_on.n_rows == 0 || trained_on.n_positive > trained_on.n_rows {
            let TrainedOn { n_rows, n_positive, .. } = trained_on;
            return Err(format!("it says it was trained on {n_rows} rows, {n_positive} of them positive"));
        }
        Ok(Self { names, model, calibration, trained_on })
    }

    /// The features it reads, in order.
    pub fn names(&self) -> &FeatureNames {
        &self.names
    }

    /// The model inside.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The calibration on top.
    pub fn calibration(&self) -> Platt {
        self.calibration
    }

    /// What it was trained on.
    pub fn trained_on(&self) -> TrainedOn {
        self.trained_on
    }

    /// Checks that it reads the features which the running build computes, in the same order.
    ///
    /// # Errors
    /// [`ClassifierError::FeaturesDiffer`], naming those that differ.
    pub fn check_features(&self, build: &FeatureNames) -> Result<(), ClassifierError> {
        ClassifierError::if_features_differ(&self.names, build)
    }

    /// The calibrated log-odds of a row, finite.
    ///
    /// # Panics
    /// If the row has not one value for each feature.
    pub fn log_odds(&self, row: &[Option<f64>]) -> f64 {
        self.calibration.apply(self.model.log_odds(row))
    }

    /// The calibrated probability of a row whose value `i` belongs to feature `i`; `None` and what is not finite is missing.
    ///
    /// # Panics
    /// If the row has not one value for each feature.
    pub fn probability(&self, row: &[Option<f64>]) -> Probability {
        self.probability_shifted(row, 0.0)
    }

    /// As [`probability`](Self::probability), with this much added to the log-odds: see [`shift_to`](Self::shift_to).
    ///
    /// # Panics
    /// If the row has not one value for each feature.
    pub fn probability_shifted(&self, row: &[Option<f64>], shift: f64) -> Probability {
        Probability::new(sigmoid(self.log_odds(row) + shift))
            .expect("the logistic function of a finite number lies in [0, 1]")
    }

    /// What must be added to the log-odds for a market in which `base_rate` of the rows, above 0 and below 1, are positive, and which
    /// else differs in nothing from the one of the training: the difference of both log-odds (C. Elkan, "The foundations of cost-sensitive
    /// learning", IJCAI 2001). 0 where the training says nothing because its rows had one label.
    pub fn shift_to(&self, base_rate: f64) -> f64 {
        let shift = logit(base_rate) - logit(self.trained_on.base_rate());
        if shift.is_finite() { shift } else { 0.0 }
    }

    /// The probability of each row.
    ///
    /// # Panics
    /// If a row has not one value for each feature.
    pub fn probabilities<'r>(&self, rows: impl IntoIterator<Item = &'r [Option<f64>]>) -> Vec<Probability> {
        rows.into_iter().map(|row| self.probability(row)).collect()
    }

    /// The `n` features that did most to the probability, largest first.
    ///
    /// `delta` is p(x) − p(x with the feature missing), for each feature that is present; it is ranked by magnitude, ties by the bytes of
    /// the name. The deltas of a row do not add up to anything: each tells what the model would have said without that one fact.
    ///
    /// # Panics
    /// If the row has not one value for each feature.
    pub fn contributions(&self, row: &[Option<f64>], n: usize) -> Vec<Contribution> {
        self.contributions_shifted(row, n, 0.0)
    }

    /// As [`contributions`](Self::contributions), to the probability with this much added to the log-odds.
    ///
    /// # Panics
    /// If the row has not one value for each feature.
    pub fn contributions_shifted(&self, row: &[Option<f64>], n: usize, shift: f64) -> Vec<Contribution> {
        let probability = self.probability_shifted(row, shift).get();
        let mut without = row.to_vec();
        let mut found: Vec<Contribution> = Vec::new();
        for (idx, feature) in self.names.iter().enumerate() {
            let Some(value) = row[idx].filter(|x| x.is_finite()) else { continue };
            without[idx] = None;
            let delta = probability - self.probability_shifted(&without, shift).get();
            without[idx] = row[idx];
            found.push(Contribution { feature: feature.to_owned(), value, delta });
        }
        found.sort_by(by_magnitude_then_name);
        found.truncate(n);
        found
    }
}

fn by_magnitude_then_name(a: &Contribution, b: &Contribution) -> Ordering {
    b.delta.abs().total_cmp(&a.delta.abs()).then_with(|| a.feature.as_bytes().cmp(b.feature.as_bytes()))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::logistic::Term;

    /// A small classifier whose numbers can be followed by hand.
    pub(crate) fn by_hand() -> Classifier {
        let term = |weight, missing_weight| Term {
            mean: 1.0,
            scale: 2.0,
            low: -3.0,
            high: 5.0,
            weight,
            missing_weight,
        };
        let terms = vec![term(-1.0, 0.25), term(0.5, 0.0), term(0.5, 0.0), term(0.0, 0.0)];
        Classifier::new(
            FeatureNames::new(["unit_price_ratio", "b", "a", "unused"]).unwrap(),
            Model::LogisticRegression(LogisticRegression::new(-0.5, terms).unwrap()),
            Platt::new(2.0, 0.125).unwrap(),
            TrainedOn { n_rows: 200, n_positive: 50, seed: 7 },
        )
        .unwrap()
    }

    #[test]
    fn the_probability_follows_the_formula() {
        let classifier = by_hand();
        let row = [Some(0.0), Some(3.0), None, Some(9.0)];
        // −0.5 + (−1)(0 − 1)/2 + 0.5 (3 − 1)/2 + 0 + 0 = 0.5, calibrated 2 × 0.5 + 0.125.
        assert_eq!(classifier.log_odds(&row), 1.125);
        let expected = 1.0 / (1.0 + (-1.125_f64).exp());
        assert!((classifier.probability(&row).get() - expected).abs() < 1e-15);
        assert_eq!(classifier.probabilities([&row[..]]), [classifier.probability(&row)]);
        assert_eq!(classifier.trained_on().base_rate(), 0.25);
    }

    #[test]
    fn another_base_rate_shifts_the_log_odds_by_the_difference() {
        let classifier = by_hand();
        let row = [Some(0.0), Some(3.0), None, Some(9.0)];
        // Trained on one positive row in four: odds of 1 to 3, in the other market of 1 to 99.
        let shift = classifier.shift_to(0.01);
        assert!((shift - (3.0_f64 / 99.0).ln()).abs() < 1e-12, "{shift}");
        assert!(classifier.shift_to(0.25).abs() < 1e-12);
        let expected = 1.0 / (1.0 + (-(1.125 + shift)).exp());
        assert!((classifier.probability_shifted(&row, shift).get() - expected).abs() < 1e-15);
        let deltas = classifier.contributions_shifted(&row, 1, shift);
        assert!(deltas[0].delta.abs() < classifier.contributions(&row, 1)[0].delta.abs());
    }

    #[test]
    fn missing_features_contribute_nothing_and_ties_go_by_name() {
        let classifier = by_hand();
        let found = classifier.contributions(&[None, Some(3.0), Some(3.0), Some(9.0)], 5);
        let names: Vec<&str> = found.iter().map(|c| c.feature.as_str()).collect();
        assert_eq!(names, ["a", "b", "unused"]);
        assert_eq!(found[0].delta, found[1].delta);
        assert!(found[0].delta > 0.0 && found[0].value == 3.0);
        assert_eq!(found[2].delta, 0.0);
        assert_eq!(classifier.contributions(&[None; 4], 5), []);
        assert_eq!(classifier.contributions(&[Some(f64::NAN), None, None, None], 5), []);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let whole = by_hand();
        let names = FeatureNames::new(["a"]).unwrap();
        let error = Classifier::new(names, whole.model.clone(), whole.calibration, whole.trained_on);
        assert_eq!(error, Err("1 features are named, the model reads 4".to_owned()));
        let trained_on = TrainedOn { n_rows: 2, n_positive: 3, seed: 0 };
        assert!(Classifier::new(whole.names, whole.model, whole.calibration, trained_on).is_err());
    }

    fn row() -> impl Strategy<Value = Vec<Option<f64>>> {
        prop::collection::vec(prop::option::of(-8.0..8.0f64), 4)
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(14), failure_persistence: None, cases: 300, ..Default::default()
        })]

        #[test]
        fn contributions_are_what_their_definition_says(row in row(), n in 0usize..6) {
            let classifier = by_hand();
            let found = classifier.contributions(&row, n);
            prop_assert_eq!(found.len(), n.min(row.iter().flatten().count()));
            for pair in found.windows(2) {
                prop_assert!(pair[0].delta.abs() >= pair[1].delta.abs());
            }
            for contribution in &found {
                let idx = classifier.names().position(&contribution.feature).unwrap();
                prop_assert_eq!(row[idx], Some(contribution.value));
                let mut without = row.clone();
                without[idx] = None;
                let delta = classifier.probability(&row).get() - classifier.probability(&without).get();
                prop_assert_eq!(contribution.delta, delta);
                prop_assert!((-1.0..=1.0).contains(&delta));
            }
        }

        #[test]
        fn a_larger_value_never_argues_against_its_weight(row in row(), step in 0.0..4.0f64) {
            let classifier = by_hand();
            let mut larger = row.clone();
            larger[1] = row[1].map(|x| x + step);
            prop_assert!(classifier.probability(&larger) >= classifier.probability(&row));
        }
    }
}
