//! The figures of the `listings` form: verdicts held against labels.

use std::collections::BTreeMap;

use touchstone_classifier::metrics::{calibration_error, log_loss, pr_auc, roc_auc};
use touchstone_classifier::upper_bound;
use touchstone_types::Decision;

use super::JudgedRow;

/// What became of the listings of one behaviour and label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flagged {
    /// How many there were.
    pub n: usize,
    /// How many were decided takedown or review.
    pub flagged: usize,
    /// How many of these were takedowns.
    pub takedowns: usize,
}

impl Flagged {
    fn add(&mut self, decision: Decision) {
        self.n += 1;
        self.flagged += usize::from(matches!(decision, Decision::Takedown | Decision::Review));
        self.takedowns += usize::from(decision == Decision::Takedown);
    }

    /// The share flagged, 0 to 1; 0 of none.
    pub fn share(&self) -> f64 {
        self.flagged as f64 / self.n.max(1) as f64
    }
}

/// The counts for every behaviour and label that occurs.
pub(super) fn by_behaviour(rows: &[JudgedRow]) -> BTreeMap<(String, bool), Flagged> {
    let mut counts: BTreeMap<(String, bool), Flagged> = BTreeMap::new();
    for row in rows {
        counts.entry((row.label.behaviour.clone(), row.label.label)).or_default().add(row.verdict.decision);
    }
    counts
}

/// `recall` and `false_flag_rate`, over all and for each behaviour.
pub(super) fn shares_flagged(counts: &BTreeMap<(String, bool), Flagged>) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<String, Flagged> = BTreeMap::new();
    for ((behaviour, label), found) in counts {
        let name = if *label { "recall" } else { "false_flag_rate" };
        for key in [name.to_owned(), format!("{name}.{behaviour}")] {
            let sum = sums.entry(key).or_default();
            sum.n += found.n;
            sum.flagged += found.flagged;
        }
    }
    sums.into_iter().map(|(key, sum)| (key, sum.share())).collect()
}

/// `automatic.*`: what would be taken down without a person, where anything would.
pub(super) fn automatic(counts: &BTreeMap<(String, bool), Flagged>) -> BTreeMap<String, f64> {
    let sum = |wanted: bool, count: fn(&Flagged) -> usize| -> usize {
        counts.iter().filter(|((_, label), _)| *label == wanted).map(|(_, found)| count(found)).sum()
    };
    let (right, wrong) = (sum(true, |f| f.takedowns), sum(false, |f| f.takedowns));
    let (n, n_positive) = (right + wrong, sum(true, |f| f.n));
    if n == 0 {
        return BTreeMap::new();
    }
    let mut found = BTreeMap::from([
        ("automatic.n".to_owned(), n as f64),
        ("automatic.precision".to_owned(), right as f64 / n as f64),
        ("automatic.precision_low".to_owned(), precision_low(wrong, n)),
    ]);
    if n_positive > 0 {
        found.insert("automatic.recall".to_owned(), right as f64 / n_positive as f64);
    }
    found
}

/// The lower end of the 95 % confidence interval (Clopper and Pearson, two-sided) of a precision with `n_wrong` errors in `n`.
pub(super) fn precision_low(n_wrong: usize, n: usize) -> f64 {
    1.0 - upper_bound(n_wrong, n, 0.975)
}

/// The figures that rank by probability.
pub(super) fn ranked(rows: &[JudgedRow], budget: f64) -> BTreeMap<String, f64> {
    let scores = scores(rows);
    let labels: Vec<bool> = rows.iter().map(|row| row.label.label).collect();
    let (probabilities, known): (Vec<f64>, Vec<bool>) =
        rows.iter().filter_map(|row| Some((row.verdict.probability?.get(), row.label.label))).unzip();
    let steps = steps(&scores, &labels);
    let found = [
        ("pr_auc", pr_auc(&scores, &labels)),
        ("roc_auc", roc_auc(&scores, &labels)),
        ("precision_at_budget", precision_at_budget(&steps, rows.len(), budget)),
        ("recall_at_precision_90", recall_at_precision(&steps, 0.9)),
        ("calibration_error", calibration_error(&probabilities, &known)),
        ("log_loss", log_loss(&probabilities, &known)),
    ];
    found.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// What rows are ranked by: the probability, a verdict without one last. Without a model nobody has one, and flags rank
/// before the rest.
fn scores(rows: &[JudgedRow]) -> Vec<f64> {
    let has_model = rows.iter().any(|row| row.verdict.probability.is_some());
    let score = |row: &JudgedRow| match row.verdict.probability {
        Some(probability) => probability.get(),
        None if has_model => -1.0,
        None => f64::from(u8::from(row.verdict.decision.is_flag())),
    };
    rows.iter().map(score).collect()
}

/// Rows of one score: how many there are, and how many of them are positive; highest score first.
fn steps(scores: &[f64], labels: &[bool]) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order
        .chunk_by(|&a, &b| scores[a] == scores[b])
        .map(|tied| (tied.len(), tied.iter().filter(|&&row| labels[row]).count()))
        .collect()
}

fn precision_at_budget(steps: &[(usize, usize)], n_rows: usize, budget: f64) -> Option<f64> {
    if n_rows == 0 {
        return None;
    }
    let n_looked = ((budget.clamp(0.0, 1.0) * n_rows as f64).round() as usize).clamp(1, n_rows);
    let (mut left, mut positive) = (n_looked, 0.0);
    for &(n, n_positive) in steps {
        let taken = left.min(n);
        positive += n_positive as f64 * taken as f64 / n as f64;
        left -= taken;
    }
    Some(positive / n_looked as f64)
}

fn recall_at_precision(steps: &[(usize, usize)], precision: f64) -> Option<f64> {
    let n_positive: usize = steps.iter().map(|step| step.1).sum();
    let (mut called, mut found, mut best) = (0, 0, 0);
    for &(n, positive) in steps {
        called += n;
        found += positive;
        if found as f64 >= precision * called as f64 {
            best = found;
        }
    }
    (n_positive > 0).then(|| best as f64 / n_positive as f64)
}
