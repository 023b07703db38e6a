//! Thresholds from what a platform can promise: how many listings people can look at, and how seldom a takedown may be wrong.

use touchstone_classifier::upper_bound;
use touchstone_types::{Decision, Reason};

use super::JudgedRow;
use super::metrics::precision_low;

/// How sure the review budget is kept: one-sided.
const CONFIDENCE: f64 = 0.95;

/// Thresholds chosen on judged rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tuned {
    /// From this probability on, rows 6 and 7 ask for review.
    pub review: f64,
    /// The budget is kept with 95 % confidence; if not, rows of the table that ask no model are beyond it already.
    pub budget_is_kept: bool,
    /// From this probability on, a flag that passes the other gates is a takedown; `None` where no threshold keeps the promise.
    pub takedown: Option<f64>,
}

/// Chooses thresholds on `rows`, which were judged with automation on and both thresholds 0, so that every row shows which
/// decisions are open to it.
///
/// - Review: the smallest threshold at which the upper bound (Clopper and Pearson, 95 %, one-sided) of the share of flagged
///   listings is at most `budget`, 0 to 1.
/// - Takedown: thresholds are tried from the highest down, each with a tenth more takedowns than the one before, beginning with
///   as many as could prove the promise at all; the last before the first whose lower bound of precision (Clopper and Pearson,
///   95 %, two-sided) is under `precision`, 0 to 1, is kept. Because the order is fixed beforehand and the trials end with the
///   first failure, the bound holds for the one that is kept (fixed-sequence testing; A. N. Angelopoulos and others, "Learn
///   then test", 2021).
pub fn tune(rows: &[JudgedRow], budget: f64, precision: f64) -> Tuned {
    let n = rows.len();
    let probability = |row: &JudgedRow| row.verdict.probability.map_or(0.0, |p| p.get());
    // What asks the model for no threshold is flagged whatever the threshold is.
    let by_model = |row: &&JudgedRow| row.verdict.reasons.contains(&Reason::ModelAboveThreshold);
    let mut asked: Vec<f64> = rows.iter().filter(by_model).map(probability).collect();
    asked.sort_by(|a, b| b.total_cmp(a));
    let n_fixed = rows.iter().filter(|row| row.verdict.decision.is_flag() && !by_model(row)).count();
    let keeps = |n_asked: usize| n > 0 && upper_bound(n_fixed + n_asked, n, CONFIDENCE) <= budget;
    let affordable = most(asked.len(), keeps);
    // Rows of one probability go together.
    let mut n_asked = affordable.unwrap_or(0);
    while n_asked > 0 && n_asked < asked.len() && asked[n_asked - 1] == asked[n_asked] {
        n_asked -= 1;
    }
    let review = if n_asked == 0 { 1.0 } else { rounded(asked[n_asked - 1], asked.get(n_asked)) };

    let mut open: Vec<(f64, bool)> = rows
        .iter()
        .filter(|row| row.verdict.decision == Decision::Takedown)
        .map(|row| (probability(row), row.label.label))
        .collect();
    open.sort_by(|a, b| b.0.total_cmp(&a.0));
    let takedown = takedown(&open, precision).map(|(threshold, _)| threshold);
    Tuned { review, budget_is_kept: affordable.is_some(), takedown }
}

/// The largest number up to `limit` of which something holds that holds of all smaller ones; `None` where it holds of none.
fn most(limit: usize, holds: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut from, mut to) = (0, limit + 1);
    while from < to {
        let middle = from.midpoint(to);
        if holds(middle) { from = middle + 1 } else { to = middle }
    }
    from.checked_sub(1)
}

/// The threshold, how many it takes down and how many of them wrongly.
fn takedown(open: &[(f64, bool)], precision: f64) -> Option<(f64, (usize, usize))> {
    let mut kept = None;
    let mut n = (1..=open.len()).find(|&n| precision_low(0, n) >= precision)?;
    loop {
        // Rows of one probability go together.
        while n < open.len() && open[n - 1].0 == open[n].0 {
            n += 1;
        }
        let n_wrong = open[..n].iter().filter(|row| !row.1).count();
        if precision_low(n_wrong, n) < precision {
            return kept;
        }
        let next = open.get(n).map(|row| row.0);
        kept = Some((rounded(open[n - 1].0, next.as_ref()), (n, n_wrong)));
        if n == open.len() {
            return kept;
        }
        n = (n + n.div_ceil(10)).min(open.len());
    }
}

/// A threshold that the value meets and the next smaller one does not, with as few decimals as will do, for a file that people
/// read.
fn rounded(value: f64, next: Option<&f64>) -> f64 {
    let next = next.copied().unwrap_or(0.0);
    (2..=6)
        .map(|decimals| {
            let unit = 10_f64.powi(decimals);
            (value * unit).floor() / unit
        })
        .find(|rounded| *rounded > next)
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listings::tests::row;

    #[test]
    fn the_promise_is_kept_and_no_more_is_given_away() {
        // 600 sure counterfeits without an error, then every second is one.
        let open: Vec<(f64, bool)> =
            (0..1200).map(|i| (1.0 - f64::from(i) / 2400.0, i < 600 || i % 2 == 0)).collect();
        let (threshold, (n, n_wrong)) = takedown(&open, 0.99).unwrap();
        assert!((368..=620).contains(&n), "{n}");
        assert!(precision_low(n_wrong, n) >= 0.99);
        let at_threshold = open.iter().filter(|row| row.0 >= threshold).count();
        assert_eq!(at_threshold, n);
        assert_eq!(takedown(&open[..300], 0.99), None, "too few to prove it");
        assert_eq!(takedown(&open, 1.0), None);
        let mut wrong_first = open;
        wrong_first[3].1 = false;
        wrong_first[5].1 = false;
        assert_eq!(takedown(&wrong_first, 0.99), None, "the first trial fails, and that is the end");
    }

    #[test]
    fn the_budget_counts_what_no_threshold_can_take_back() {
        let mut rows: Vec<JudgedRow> = (0..1000).map(|i| row(i, "clear", Some(0.0), false, "x")).collect();
        for (i, row) in rows.iter_mut().enumerate().take(100) {
            *row = super::super::tests::row(i, "review", Some(1.0 - i as f64 / 200.0), i % 2 == 0, "x");
            if i >= 20 {
                row.verdict.reasons.push(Reason::ModelAboveThreshold);
            }
        }
        let found = tune(&rows, 0.06, 0.99);
        assert!(found.budget_is_kept && found.takedown.is_none());
        let flagged = rows
            .iter()
            .enumerate()
            .filter(|(i, row)| *i < 20 || row.verdict.probability.unwrap().get() >= found.review)
            .filter(|(_, row)| row.verdict.decision.is_flag());
        let n = flagged.count();
        assert!(upper_bound(n, 1000, 0.95) <= 0.06 && upper_bound(n + 1, 1000, 0.95) > 0.06, "{n}");
        let strict = tune(&rows, 0.01, 0.99);
        assert!(!strict.budget_is_kept && strict.review == 1.0);
        assert!(!tune(&[], 0.5, 0.9).budget_is_kept);
    }

    #[test]
    fn thresholds_have_as_few_decimals_as_will_do() {
        assert_eq!(rounded(0.98765, Some(&0.9)), 0.98);
        assert_eq!(rounded(0.98765, Some(&0.985)), 0.987);
        assert_eq!(rounded(0.5, Some(&0.499_999_999_9)), 0.5);
        assert_eq!(rounded(0.3, None), 0.3);
    }
}
