//! From what the second look measures to the probability that a photo is a copy.

use crate::fit::{Measures, N_MEASURES};

/// A logistic regression over the [`MEASURES`](crate::MEASURES), and the probability from which on a match is reported.
#[derive(Debug, Clone, PartialEq)]
pub struct PhotoScore {
    weights: [f64; N_MEASURES],
    intercept: f64,
    threshold: f64,
}

impl PhotoScore {
    /// The score with a weight for each of the [`MEASURES`](crate::MEASURES).
    ///
    /// `None` unless every number is finite and `threshold` is a probability.
    pub fn new(weights: [f64; N_MEASURES], intercept: f64, threshold: f64) -> Option<Self> {
        let finite = weights.iter().chain([&intercept]).all(|weight| weight.is_finite());
        (finite && (0.0..=1.0).contains(&threshold)).then_some(Self { weights, intercept, threshold })
    }

    /// The probability, 0 to 1, that a photo with these measures is a copy of the reference.
    pub fn probability(&self, measures: &Measures) -> f64 {
        let terms = self.weights.iter().zip(measures).map(|(weight, &measure)| weight * f64::from(measure));
        let logit = terms.fold(self.intercept, |sum, term| sum + term);
        1.0 / (1.0 + libm::exp(-logit))
    }

    /// The probability from which on a match is reported.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The weights, in the order of [`MEASURES`](crate::MEASURES).
    pub fn weights(&self) -> &[f64; N_MEASURES] {
        &self.weights
    }

    /// The logit of a photo whose measures are all 0.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }
}

impl Default for PhotoScore {
    /// A fallback for where there is no model file, or none with such a part: an earlier fit to the same catalogue photos, made by hand
    /// and not by `touchstone train`, which gives the shipped one; the weights of `denied` and `unlike`, which came later, are rounded from
    /// a trial. The figures in `docs/results.md` are not its.
    fn default() -> Self {
        Self { weights: WEIGHTS, intercept: INTERCEPT, threshold: THRESHOLD }
    }
}

const WEIGHTS: [f64; N_MEASURES] = [
    -0.13959, 1.08683, -0.23521, 13.37567, -1.61318, 17.58765, 0.63241, -5.99695, -0.49942, -1.12195,
    -1.8768, -1.73388, -1.43858, -3.08664, 3.48676, 0.81109, 1.29201, -0.12831, -6.4, -0.5,
];
const INTERCEPT: f64 = -34.75238;
const THRESHOLD: f64 = 0.4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_none_are_refused() {
        let zero = [0.0; N_MEASURES];
        assert!(PhotoScore::new(zero, 0.0, 1.0).is_some());
        for wrong in [f64::NAN, -0.1, 1.1] {
            assert!(PhotoScore::new(zero, 0.0, wrong).is_none(), "{wrong}");
        }
        assert!(PhotoScore::new(zero, f64::INFINITY, 0.5).is_none());
        assert!(PhotoScore::new([f64::NAN; N_MEASURES], 0.0, 0.5).is_none());
    }

    #[test]
    fn the_probability_is_the_logistic_of_the_weighted_measures() {
        let mut weights = [0.0; N_MEASURES];
        weights[1] = 2.0;
        let score = PhotoScore::new(weights, -1.0, 0.5).unwrap();
        let mut measures = [0.0; N_MEASURES];
        assert!((score.probability(&measures) - 0.268_941).abs() < 1e-6);
        measures[1] = 1.0;
        assert!((score.probability(&measures) - 0.731_059).abs() < 1e-6);
    }
}
