//! Platt's scaling: from a model's log-odds to log-odds that mean what they say.
//!
//! J. Platt, "Probabilistic outputs for support vector machines and comparisons to regularized likelihood methods", 1999; fitted by Newton's
//! method with backtracking as in H.-T. Lin, C.-J. Lin, R. C. Weng, "A note on Platt's probabilistic outputs for support vector machines",
//! Machine Learning 68, 2007. Sums run in row order and `exp`, `ln` come from `libm`, so a fit is the same on every machine.

use crate::dataset::unit_mean;
use crate::math::{logit, round9, sigmoid};

/// A calibration: `slope` × log-odds + `offset`, with a slope that is never negative, so it never turns two rows round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Platt {
    slope: f64,
    offset: f64,
}

/// The bound on slope and offset; what lies beyond cannot come from a fit.
const MAX_PARAMETER: f64 = 1e6;

impl Platt {
    /// The calibration that changes nothing.
    pub const IDENTITY: Self = Self { slope: 1.0, offset: 0.0 };

    /// A calibration of these parameters; `None` unless 0 ≤ slope ≤ 10⁶ and |offset| ≤ 10⁶ (so NaN fails).
    pub fn new(slope: f64, offset: f64) -> Option<Self> {
        let ok = (0.0..=MAX_PARAMETER).contains(&slope) && (-MAX_PARAMETER..=MAX_PARAMETER).contains(&offset);
        ok.then_some(Self { slope, offset })
    }

    /// What a log-odd is multiplied by, at least 0.
    pub fn slope(&self) -> f64 {
        self.slope
    }

    /// What is added after that.
    pub fn offset(&self) -> f64 {
        self.offset
    }

    /// Calibrated log-odds. Never decreasing.
    pub fn apply(&self, log_odds: f64) -> f64 {
        self.slope * log_odds + self.offset
    }

    /// Fits to the log-odds that models gave to rows they had not seen, and the labels of these rows.
    ///
    /// The targets are Platt's: (n₊ + 1) / (n₊ + 2) for a positive row and 1 / (n₋ + 2) for a negative one, so a perfect separation does
    /// not call for infinite slopes. If the log-odds order the rows no better than chance, or backwards, the answer is the base rate for
    /// every row.
    pub fn fit(log_odds: &[f64], labels: &[bool]) -> Self {
        Self::fit_weighted(log_odds, labels, &vec![1.0; labels.len()])
    }

    /// As [`Platt::fit`], where rows have weights above 0: only how they compare matters, because they are scaled to a mean of 1.
    pub fn fit_weighted(log_odds: &[f64], labels: &[bool], weights: &[f64]) -> Self {
        let weights = unit_mean(weights);
        let positive = weights.iter().zip(labels).filter(|(_, label)| **label);
        let n_positive: f64 = positive.map(|(weight, _)| weight).sum();
        let n_negative = (labels.len() as f64 - n_positive).max(0.0);
        let target = |label: bool| {
            if label { (n_positive + 1.0) / (n_positive + 2.0) } else { 1.0 / (n_negative + 2.0) }
        };
        let rows: Vec<Row> = log_odds
            .iter()
            .zip(labels)
            .zip(weights)
            .map(|((&z, &label), weight)| Row { z, target: target(label), weight })
            .collect();
        let base_rate = logit((n_positive + 1.0) / (n_positive + n_negative + 2.0));
        let (slope, offset) = newton(&rows, base_rate);
        Self::new(round9(slope), round9(offset)).unwrap_or(Self { slope: 0.0, offset: round9(base_rate) })
    }
}

/// What a calibration is fitted to.
struct Row {
    z: f64,
    target: f64,
    weight: f64,
}

/// The slope and offset of the least log loss against the targets, starting from slope 0 and the base rate.
fn newton(rows: &[Row], base_rate: f64) -> (f64, f64) {
    const MAX_STEPS: usize = 100;
    const MIN_STEP: f64 = 1e-10;
    // Added to the curvature, so that equal log-odds everywhere leave it invertible.
    const RIDGE: f64 = 1e-12;
    let (mut slope, mut offset) = (0.0, base_rate);
    let mut loss = loss_at(rows, slope, offset);
    for _ in 0..MAX_STEPS {
        let (mut g_slope, mut g_offset) = (0.0, 0.0);
        let (mut h_slope, mut h_offset, mut h_both) = (RIDGE, RIDGE, 0.0);
        for &Row { z, target, weight } in rows {
            let p = sigmoid(slope * z + offset);
            let (error, curvature) = (weight * (p - target), weight * (p * (1.0 - p)));
            g_slope += error * z;
            g_offset += error;
            h_slope += curvature * z * z;
            h_offset += curvature;
            h_both += curvature * z;
        }
        let determinant = h_slope * h_offset - h_both * h_both;
        let d_slope = -(h_offset * g_slope - h_both * g_offset) / determinant;
        let d_offset = -(h_slope * g_offset - h_both * g_slope) / determinant;
        let descent = g_slope * d_slope + g_offset * d_offset;
        let mut step = 1.0;
        let found = loop {
            let next = (slope + step * d_slope, offset + step * d_offset);
            let next_loss = loss_at(rows, next.0, next.1);
            if next_loss < loss + 1e-4 * step * descent {
                break Some((next, next_loss));
            }
            step /= 2.0;
            // NaN also ends here: a comparison with it is false, and the step shrinks.
            if step < MIN_STEP {
                break None;
            }
        };
        let Some((next, next_loss)) = found else { break };
        (slope, offset) = next;
        loss = next_loss;
    }
    (slope, offset)
}

/// The log loss summed over the rows, in the form that does not overflow.
fn loss_at(rows: &[Row], slope: f64, offset: f64) -> f64 {
    rows.iter()
        .map(|&Row { z, target, weight }| {
            let z = slope * z + offset;
            let soft = libm::log1p(libm::exp(-z.abs()));
            weight * if z >= 0.0 { (1.0 - target) * z + soft } else { soft - target * z }
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rows whose label is true in exactly the share that `truth` says for their log-odds.
    fn rows(truth: Platt) -> (Vec<f64>, Vec<bool>) {
        let mut found = (Vec::new(), Vec::new());
        for level in -8..=8 {
            let z = f64::from(level) / 2.0;
            let share = sigmoid(truth.apply(z));
            for i in 0..400 {
                found.0.push(z);
                found.1.push((f64::from(i) + 0.5) / 400.0 < share);
            }
        }
        found
    }

    #[test]
    fn overconfident_scores_are_drawn_in() {
        for truth in [Platt::IDENTITY, Platt::new(0.4, -1.0).unwrap(), Platt::new(2.0, 0.5).unwrap()] {
            let (log_odds, labels) = rows(truth);
            let fitted = Platt::fit(&log_odds, &labels);
            assert!((fitted.slope - truth.slope).abs() < 0.05, "{fitted:?} for {truth:?}");
            assert!((fitted.offset - truth.offset).abs() < 0.05, "{fitted:?} for {truth:?}");
        }
    }

    #[test]
    fn useless_scores_give_the_base_rate() {
        let (log_odds, labels) = rows(Platt::new(1.0, -1.0).unwrap());
        let backwards: Vec<f64> = log_odds.iter().map(|z| -z).collect();
        let fitted = Platt::fit(&backwards, &labels);
        assert_eq!(fitted.slope, 0.0);
        let share = labels.iter().filter(|&&label| label).count() as f64 / labels.len() as f64;
        assert!((sigmoid(fitted.apply(3.0)) - share).abs() < 1e-3);
        let equal = Platt::fit(&vec![0.0; labels.len()], &labels);
        assert!((sigmoid(equal.apply(0.0)) - share).abs() < 1e-3);
    }

    #[test]
    fn a_weight_counts_like_so_many_rows() {
        // Of rows that are ruled three times as often when they are positive, each counts a third.
        let truth = Platt::new(0.7, -0.5).unwrap();
        let (log_odds, labels) = rows(truth);
        let (mut biased, mut weights) = ((Vec::new(), Vec::new()), Vec::new());
        for (&z, &label) in log_odds.iter().zip(&labels) {
            for _ in 0..if label { 3 } else { 1 } {
                biased.0.push(z);
                biased.1.push(label);
                weights.push(if label { 2.0 } else { 6.0 });
            }
        }
        let fitted = Platt::fit_weighted(&biased.0, &biased.1, &weights);
        assert!((fitted.slope - truth.slope).abs() < 0.05, "{fitted:?}");
        assert!((fitted.offset - truth.offset).abs() < 0.05, "{fitted:?}");
        let unweighted = Platt::fit(&biased.0, &biased.1);
        assert!(unweighted.offset > truth.offset + 0.9, "{unweighted:?}");
    }

    #[test]
    fn perfect_separation_stays_finite() {
        let fitted = Platt::fit(&[-2.0, -1.0, 1.0, 2.0], &[false, false, true, true]);
        assert!(fitted.slope > 0.0 && fitted.slope < 10.0, "{fitted:?}");
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        for (slope, offset) in
            [(-0.1, 0.0), (f64::NAN, 0.0), (1.0, f64::NAN), (f64::INFINITY, 0.0), (1.0, 1e7)]
        {
            assert_eq!(Platt::new(slope, offset), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(13), failure_persistence: None, cases: 200, ..Default::default()
        })]

        #[test]
        fn a_fit_never_turns_two_rows_round_and_never_loses_to_the_base_rate(
            rows in prop::collection::vec((-30.0..30.0f64, any::<bool>()), 4..60),
        ) {
            let (log_odds, labels): (Vec<f64>, Vec<bool>) = rows.into_iter().unzip();
            let fitted = Platt::fit(&log_odds, &labels);
            let mut sorted = log_odds.clone();
            sorted.sort_by(f64::total_cmp);
            prop_assert!(sorted.windows(2).all(|two| fitted.apply(two[0]) <= fitted.apply(two[1])));
            let plain: Vec<Row> = log_odds
                .iter()
                .zip(&labels)
                .map(|(&z, &label)| Row { z, target: f64::from(u8::from(label)), weight: 1.0 })
                .collect();
            let n_positive = labels.iter().filter(|&&label| label).count() as f64;
            let base_rate = logit((n_positive + 1.0) / (labels.len() as f64 + 2.0));
            // Platt's targets are a little softer than the labels, so the fit may lose a little against the labels themselves.
            let slack = 0.05 * labels.len() as f64;
            prop_assert!(loss_at(&plain, fitted.slope, fitted.offset) <= loss_at(&plain, 0.0, base_rate) + slack);
            prop_assert!(sorted.iter().all(|&z| (0.0..=1.0).contains(&sigmoid(fitted.apply(z)))));
        }
    }
}
