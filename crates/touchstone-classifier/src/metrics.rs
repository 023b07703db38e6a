//! How good scores and probabilities are, as DESIGN's `tables` form counts it.
//!
//! All functions take one score and one label a row, give the same answer for any order of the rows (up to the last bits of a sum), and
//! treat equal scores as what they are: rows nobody has put in order. `None` means that the measure does not exist for these rows, which is
//! not the same as a bad value.
//!
//! # Panics
//! All functions panic if there are not as many labels as scores, or if a score is NaN: a broken score must not pass as a low one.

mod weighted;

/// The four counts of a two-way decision against the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Called positive, and is.
    pub true_positive: usize,
    /// Called positive, and is not.
    pub false_positive: usize,
    /// Not called positive, and is.
    pub false_negative: usize,
    /// Not called positive, and is not.
    pub true_negative: usize,
}

impl Counts {
    /// The share of the called that are positive, in [0, 1]; `None` if none is called.
    pub fn precision(&self) -> Option<f64> {
        share(self.true_positive, self.true_positive + self.false_positive)
    }

    /// The share of the positive that are called, in [0, 1]; `None` if none is positive.
    pub fn recall(&self) -> Option<f64> {
        share(self.true_positive, self.true_positive + self.false_negative)
    }

    /// The harmonic mean of precision and recall, in [0, 1]; `None` if nothing is called and nothing positive.
    pub fn f1(&self) -> Option<f64> {
        share(2 * self.true_positive, 2 * self.true_positive + self.false_positive + self.false_negative)
    }
}

/// The counts when every row with a score at or above `threshold` is called positive.
pub fn counts_at(scores: &[f64], labels: &[bool], threshold: f64) -> Counts {
    check(scores, labels);
    let mut counts = Counts::default();
    for (&score, &label) in scores.iter().zip(labels) {
        match (score >= threshold, label) {
            (true, true) => counts.true_positive += 1,
            (true, false) => counts.false_positive += 1,
            (false, true) => counts.false_negative += 1,
            (false, false) => counts.true_negative += 1,
        }
    }
    counts
}

/// The area under the receiver operating characteristic, in [0, 1]: the chance that a positive row scores above a negative one, a tie
/// counting half (the Mann–Whitney statistic). `None` unless both labels occur.
pub fn roc_auc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let (mut wins, mut n_negative, mut n_positive) = (0.0, 0_usize, 0_usize);
    for tied in ascending_ties(scores, labels) {
        wins += tied.n_positive as f64 * (n_negative as f64 + 0.5 * tied.n_negative() as f64);
        n_negative += tied.n_negative();
        n_positive += tied.n_positive;
    }
    let n_pairs = n_positive as f64 * n_negative as f64;
    (n_pairs > 0.0).then(|| wins / n_pairs)
}

/// Average precision, in [0, 1]: the sum over the distinct thresholds, highest first, of the gain in recall times the precision there,
/// without interpolation. `None` if no row is positive.
pub fn pr_auc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let (mut area, mut n_called, mut n_found) = (0.0, 0_usize, 0_usize);
    for tied in ascending_ties(scores, labels).iter().rev() {
        n_called += tied.n_rows;
        n_found += tied.n_positive;
        area += tied.n_positive as f64 * (n_found as f64 / n_called as f64);
    }
    (n_found > 0).then(|| area / n_found as f64)
}

/// The mean of −ln(the probability given to what came true), at least 0, in nats; probabilities are first clipped to
/// [10⁻⁶, 1 − 10⁻⁶]. `None` without rows.
pub fn log_loss(probabilities: &[f64], labels: &[bool]) -> Option<f64> {
    const EDGE: f64 = 1e-6;
    check(probabilities, labels);
    let sum: f64 = probabilities
        .iter()
        .zip(labels)
        .map(|(&p, &label)| -libm::log((if label { p } else { 1.0 - p }).clamp(EDGE, 1.0 - EDGE)))
        .sum();
    (!labels.is_empty()).then(|| sum / labels.len() as f64)
}

/// How far stated probabilities lie from what came true, in [0, 1]: the rows, sorted by probability, are cut into ten bins of equal size
/// (as equal as may be; fewer than ten rows make fewer bins), and |mean probability − share of positive rows| is averaged over the bins
/// by their size. Rows of one probability that a cut divides count on both sides with their common share of positives, so no order among
/// them matters. `None` without rows.
pub fn calibration_error(probabilities: &[f64], labels: &[bool]) -> Option<f64> {
    const N_BINS: usize = 10;
    let rows: Vec<(f64, f64)> = ascending_ties(probabilities, labels)
        .iter()
        .flat_map(|tied| {
            std::iter::repeat_n((tied.score, tied.n_positive as f64 / tied.n_rows as f64), tied.n_rows)
        })
        .collect();
    let gap_in_bin = |bin: usize| {
        let rows = &rows[bin * rows.len() / N_BINS..(bin + 1) * rows.len() / N_BINS];
        rows.iter().map(|(p, share)| p - share).sum::<f64>().abs()
    };
    (!rows.is_empty()).then(|| (0..N_BINS).map(gap_in_bin).sum::<f64>() / rows.len() as f64)
}

/// The four measures of the `tables` form over one set of rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metrics {
    /// See [`roc_auc`].
    pub roc_auc: f64,
    /// See [`pr_auc`].
    pub pr_auc: f64,
    /// See [`log_loss`].
    pub log_loss: f64,
    /// See [`calibration_error`].
    pub calibration_error: f64,
}

impl Metrics {
    /// Measures probabilities; `None` unless both labels occur.
    pub fn of(probabilities: &[f64], labels: &[bool]) -> Option<Self> {
        Some(Self {
            roc_auc: roc_auc(probabilities, labels)?,
            pr_auc: pr_auc(probabilities, labels)?,
            log_loss: log_loss(probabilities, labels)?,
            calibration_error: calibration_error(probabilities, labels)?,
        })
    }

    /// Measures probabilities of rows of which each counts as often as its weight says, above 0; `None` unless both labels occur.
    /// The measures are the same, with weights where they count rows: bins of equal size have equal weight.
    ///
    /// # Panics
    /// As all of these, and if there are not as many weights as rows.
    pub fn weighted(probabilities: &[f64], labels: &[bool], weights: &[f64]) -> Option<Self> {
        weighted::metrics(probabilities, labels, weights)
    }
}

/// Rows of one score.
struct Tied {
    score: f64,
    n_rows: usize,
    n_positive: usize,
}

impl Tied {
    fn n_negative(&self) -> usize {
        self.n_rows - self.n_positive
    }
}

fn ascending_ties(scores: &[f64], labels: &[bool]) -> Vec<Tied> {
    check(scores, labels);
    let mut rows: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    // `==` and not the sort's order: −0 and +0 are a tie.
    rows.chunk_by(|a, b| a.0 == b.0)
        .map(|tied| Tied {
            score: tied[0].0,
            n_rows: tied.len(),
            n_positive: tied.iter().filter(|row| row.1).count(),
        })
        .collect()
}

fn check(scores: &[f64], labels: &[bool]) {
    assert_eq!(scores.len(), labels.len(), "a label for each score");
    assert!(!scores.iter().any(|score| score.is_nan()), "a score is NaN");
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(found: Option<f64>, expected: f64) {
        let found = found.expect("defined");
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn worked_examples() {
        let scores = [0.1, 0.4, 0.35, 0.8];
        let labels = [false, false, true, true];
        near(roc_auc(&scores, &labels), 0.75);
        near(pr_auc(&scores, &labels), 0.5 * 1.0 + 0.5 * (2.0 / 3.0));
        near(log_loss(&[0.25, 1.0], &[true, true]), (4_f64.ln() - (1.0 - 1e-6_f64).ln()) / 2.0);
        near(log_loss(&[0.0], &[true]), -(1e-6_f64.ln()));
        near(calibration_error(&[0.5; 20], &[true; 20]), 0.5);
        let counts = counts_at(&scores, &labels, 0.4);
        assert_eq!(
            counts,
            Counts { true_positive: 1, false_positive: 1, false_negative: 1, true_negative: 1 }
        );
        near(counts.precision(), 0.5);
        near(counts.recall(), 0.5);
        near(counts.f1(), 0.5);
    }

    #[test]
    fn ties_are_nobodys_merit() {
        let labels = [true, false, true, false, false];
        near(roc_auc(&[0.3; 5], &labels), 0.5);
        near(pr_auc(&[0.3; 5], &labels), 0.4);
        near(calibration_error(&[0.4; 5], &labels), 0.0);
        near(roc_auc(&[0.0, -0.0], &[true, false]), 0.5);
    }

    #[test]
    fn undefined_is_none() {
        assert_eq!(roc_auc(&[0.1, 0.2], &[true, true]), None);
        assert_eq!(pr_auc(&[0.1], &[false]), None);
        assert_eq!(log_loss(&[], &[]), None);
        assert_eq!(calibration_error(&[], &[]), None);
        assert_eq!(counts_at(&[0.1], &[false], 0.5).precision(), None);
        assert_eq!(counts_at(&[0.1], &[false], 0.5).recall(), None);
        assert_eq!(Metrics::of(&[0.1], &[true]), None);
    }

    #[test]
    #[should_panic(expected = "a score is NaN")]
    fn a_broken_score_does_not_pass() {
        roc_auc(&[0.1, f64::NAN], &[true, false]);
    }

    /// Every pair of a positive and a negative row.
    fn naive_roc_auc(scores: &[f64], labels: &[bool]) -> Option<f64> {
        let (mut wins, mut n_pairs) = (0.0, 0.0);
        for (i, &positive) in labels.iter().enumerate() {
            for (j, &other) in labels.iter().enumerate() {
                if positive && !other {
                    n_pairs += 1.0;
                    wins += if scores[i] > scores[j] {
                        1.0
                    } else if scores[i] == scores[j] {
                        0.5
                    } else {
                        0.0
                    };
                }
            }
        }
        (n_pairs > 0.0).then(|| wins / n_pairs)
    }

    /// Precision and recall counted afresh at every threshold.
    fn naive_pr_auc(scores: &[f64], labels: &[bool]) -> Option<f64> {
        let mut thresholds = scores.to_vec();
        thresholds.sort_by(|a, b| b.total_cmp(a));
        thresholds.dedup();
        let (mut area, mut recall_before) = (0.0, 0.0);
        for threshold in thresholds {
            let counts = counts_at(scores, labels, threshold);
            let recall = counts.recall()?;
            area += (recall - recall_before) * counts.precision()?;
            recall_before = recall;
        }
        labels.contains(&true).then_some(area)
    }

    /// Each row goes to its bin by its rank; only for distinct probabilities.
    fn naive_calibration_error(probabilities: &[f64], labels: &[bool]) -> f64 {
        let n = labels.len();
        let mut bins = vec![Vec::new(); 10];
        for (i, &p) in probabilities.iter().enumerate() {
            let rank = probabilities.iter().filter(|&&other| other < p).count();
            let bin = (0..10).find(|bin| rank < (bin + 1) * n / 10).unwrap();
            bins[bin].push(i);
        }
        let mut sum = 0.0;
        for bin in bins.iter().filter(|bin| !bin.is_empty()) {
            let mean = bin.iter().map(|&i| probabilities[i]).sum::<f64>() / bin.len() as f64;
            let share = bin.iter().filter(|&&i| labels[i]).count() as f64 / bin.len() as f64;
            sum += (mean - share).abs() * bin.len() as f64;
        }
        sum / n as f64
    }

    fn close(a: Option<f64>, b: Option<f64>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-9,
            (None, None) => true,
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(12), failure_persistence: None, cases: 300, ..Default::default()
        })]

        #[test]
        fn ranking_measures_equal_the_naive_ones(
            rows in prop::collection::vec((0u8..12, any::<bool>()), 1..40),
        ) {
            // A dozen levels force many ties.
            let (scores, labels): (Vec<f64>, Vec<bool>) =
                rows.iter().map(|&(level, label)| (f64::from(level) / 12.0, label)).unzip();
            prop_assert!(close(roc_auc(&scores, &labels), naive_roc_auc(&scores, &labels)));
            prop_assert!(close(pr_auc(&scores, &labels), naive_pr_auc(&scores, &labels)));
        }

        #[test]
        fn calibration_error_equals_the_naive_one(
            rows in prop::collection::btree_map(0u16..1000, any::<bool>(), 1..60),
        ) {
            let (p, labels): (Vec<f64>, Vec<bool>) =
                rows.iter().map(|(&level, &label)| (f64::from(level) / 1000.0, label)).unzip();
            prop_assert!(close(calibration_error(&p, &labels), Some(naive_calibration_error(&p, &labels))));
        }

        #[test]
        fn no_order_of_rows_matters(
            rows in prop::collection::vec((0u8..8, any::<bool>()), 2..40),
            by in 1usize..40,
        ) {
            let unzip = |rows: &[(u8, bool)]| -> (Vec<f64>, Vec<bool>) {
                rows.iter().map(|&(level, label)| (f64::from(level) / 8.0, label)).unzip()
            };
            let mut turned = rows.clone();
            turned.rotate_left(by % rows.len());
            turned.reverse();
            let ((p, labels), (q, others)) = (unzip(&rows), unzip(&turned));
            for measure in [roc_auc, pr_auc, log_loss, calibration_error] {
                prop_assert!(close(measure(&p, &labels), measure(&q, &others)));
            }
        }
    }
}
