//! The same measures over rows that have weights: a row of weight 2 counts like two that are alike.

use super::{Metrics, check};

const EDGE: f64 = 1e-6;
const N_BINS: usize = 10;

/// Rows of one score, and what they weigh.
struct Tied {
    score: f64,
    positive: f64,
    negative: f64,
}

impl Tied {
    fn weight(&self) -> f64 {
        self.positive + self.negative
    }
}

pub(super) fn metrics(probabilities: &[f64], labels: &[bool], weights: &[f64]) -> Option<Metrics> {
    check(probabilities, labels);
    assert_eq!(weights.len(), labels.len(), "a weight for each row");
    if !(labels.contains(&true) && labels.contains(&false)) {
        return None;
    }
    let tied = ascending_ties(probabilities, labels, weights);
    Some(Metrics {
        roc_auc: roc_auc(&tied),
        pr_auc: pr_auc(&tied),
        log_loss: log_loss(probabilities, labels, weights),
        calibration_error: calibration_error(&tied),
    })
}

fn ascending_ties(scores: &[f64], labels: &[bool], weights: &[f64]) -> Vec<Tied> {
    let mut rows: Vec<(f64, bool, f64)> = scores
        .iter()
        .zip(labels)
        .zip(weights)
        .map(|((&score, &label), &weight)| (score, label, weight))
        .collect();
    // Labels and weights too, so that the order of the sums does not follow that of the rows.
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2)));
    let weight_of = |tied: &[(f64, bool, f64)], label: bool| -> f64 {
        tied.iter().filter(|row| row.1 == label).map(|row| row.2).sum()
    };
    rows.chunk_by(|a, b| a.0 == b.0)
        .map(|tied| Tied {
            score: tied[0].0,
            positive: weight_of(tied, true),
            negative: weight_of(tied, false),
        })
        .collect()
}

fn roc_auc(ascending: &[Tied]) -> f64 {
    let (mut wins, mut negative, mut positive) = (0.0, 0.0, 0.0);
    for tied in ascending {
        wins += tied.positive * (negative + 0.5 * tied.negative);
        negative += tied.negative;
        positive += tied.positive;
    }
    wins / (positive * negative)
}

fn pr_auc(ascending: &[Tied]) -> f64 {
    let (mut area, mut called, mut found) = (0.0, 0.0, 0.0);
    for tied in ascending.iter().rev() {
        called += tied.weight();
        found += tied.positive;
        area += tied.positive * (found / called);
    }
    area / found
}

fn log_loss(probabilities: &[f64], labels: &[bool], weights: &[f64]) -> f64 {
    let rows = probabilities.iter().zip(labels).zip(weights);
    let loss = |((&p, &label), &weight): ((&f64, &bool), &f64)| {
        -weight * libm::log((if label { p } else { 1.0 - p }).clamp(EDGE, 1.0 - EDGE))
    };
    rows.map(loss).sum::<f64>() / weights.iter().sum::<f64>()
}

/// Rows of one score that a cut divides count on both sides with their common share of positives.
fn calibration_error(ascending: &[Tied]) -> f64 {
    let total: f64 = ascending.iter().map(Tied::weight).sum();
    let mut gaps = [0.0; N_BINS];
    let (mut bin, mut room) = (0, total / N_BINS as f64);
    for tied in ascending {
        let gap = tied.score - tied.positive / tied.weight();
        let mut left = tied.weight();
        // The last bin takes what rounding leaves over.
        while bin + 1 < N_BINS && left > room {
            gaps[bin] += room * gap;
            left -= room;
            (bin, room) = (bin + 1, total / N_BINS as f64);
        }
        gaps[bin] += left * gap;
        room -= left;
    }
    gaps.iter().map(|gap: &f64| gap.abs()).sum::<f64>() / total
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Metrics;

    fn near(a: &Metrics, b: &Metrics) -> bool {
        let values = |m: &Metrics| [m.roc_auc, m.pr_auc, m.log_loss, m.calibration_error];
        values(a).iter().zip(values(b)).all(|(a, b)| (a - b).abs() < 1e-9)
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(31), failure_persistence: None, cases: 300, ..Default::default()
        })]

        #[test]
        fn a_weight_counts_like_so_many_rows(
            rows in prop::collection::vec((0u8..12, any::<bool>(), 1usize..5), 2..30),
            unit in 0.01..10.0f64,
        ) {
            let score = |level: u8| f64::from(level) / 12.0;
            let p: Vec<f64> = rows.iter().map(|row| score(row.0)).collect();
            let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let weights: Vec<f64> = rows.iter().map(|row| unit * row.2 as f64).collect();
            // Ten of each, so that the bins of the plain measure are all of one size.
            let each = |row: &(u8, bool, usize)| std::iter::repeat_n((score(row.0), row.1), 10 * row.2);
            let (p10, labels10): (Vec<f64>, Vec<bool>) = rows.iter().flat_map(each).unzip();
            match (Metrics::weighted(&p, &labels, &weights), Metrics::of(&p10, &labels10)) {
                (None, None) => {}
                (Some(a), Some(b)) => prop_assert!(near(&a, &b), "{a:?} {b:?}"),
                (a, b) => prop_assert!(false, "{a:?} {b:?}"),
            }
        }
    }
}
