//! The `listings` form: verdicts over a folder of labelled listings, and what they are worth.
//!
//! ```text
//! listings + labels ──▶ judging ──▶ rows ─┬─▶ metrics, floors, drift, curves ──▶ report ──▶ html
//!                                         ├─▶ tune ──▶ thresholds
//!                                         └─▶ compare (two sets of rows) ──▶ flips
//! ```
//!
//! A report never looks into a listing: it sees verdicts, features and labels alone.

mod compare;
mod curves;
mod drift;
mod floors;
mod html;
mod judging;
mod metrics;
mod tune;

use std::collections::BTreeMap;

use touchstone_types::Decision;

use crate::form_report::FormReport;
use floors::Floors;

pub use compare::{Comparison, Flip, compare};
pub use curves::{Bin, Point};
pub use html::html;
pub use judging::{JudgedRow, Photos, Stage, judge_listings};
pub use metrics::Flagged;
pub use tune::{Tuned, tune};

/// Verdicts held against labels.
#[derive(Debug, Clone, PartialEq)]
pub struct ListingsReport {
    /// The figures under the names that `touchstone eval --json` prints, shares 0 to 1. A figure that does not exist for these
    /// rows (a recall without positive rows) is absent.
    ///
    /// - `pr_auc`, `roc_auc` and `precision_at_budget` rank by probability, a verdict without one last; where no verdict has one,
    ///   flags rank before the rest.
    /// - `precision_at_budget`: the share of label 1 among the first rows; rows tied at the cut count with their common share.
    /// - `recall_at_precision_90`: the largest recall at any threshold of the probability where the precision is at least 0.9;
    ///   0 where no threshold reaches it.
    /// - `calibration_error`, `log_loss`: over the verdicts that have a probability.
    /// - `recall.<behaviour>`: among label 1, the share decided takedown or review; `false_flag_rate.<behaviour>`: the same
    ///   among label 0. `recall` and `false_flag_rate` are these over all behaviours.
    /// - `automatic.n`, `.precision`, `.precision_low` (lower end of the 95 % confidence interval), `.recall`: of takedowns.
    /// - `error_at_coverage_<percent>`: the share of wrong decisions if only the surest so many listings were decided by the
    ///   probability alone, at one half.
    /// - `floor.<sign>`: the PR-AUC of the unit price alone, an exactly written brand alone, the best single reason alone.
    /// - `drift.<feature>`: the population stability index of the features that moved most, against the earlier weeks.
    pub form: FormReport,
    /// How many listings got this decision and have this label, for every pair that occurs.
    pub confusion: BTreeMap<(Decision, bool), usize>,
    /// What became of each behaviour, by label.
    pub behaviours: BTreeMap<(String, bool), Flagged>,
    /// How probabilities stand to frequencies.
    pub reliability: Vec<Bin>,
    /// Recall (x) and precision (y).
    pub precision_recall: Vec<Point>,
    /// Coverage (x) and share of errors (y).
    pub abstention: Vec<Point>,
    /// Every feature with its population stability index, the largest first; empty without earlier rows.
    pub drift: Vec<(&'static str, f64)>,
    /// The share of the listings that reviewers can look at.
    pub budget: f64,
}

/// How many of the features that moved most stand among the figures.
const N_DRIFTED: usize = 5;

impl ListingsReport {
    /// Counts `rows`, whose order does not matter, of the data set `set`; `on` says which rows these are. `earlier` are the
    /// rows of the weeks before, if any, for drift. `budget` is the share of the listings, 0 to 1, that reviewers can look at
    /// (at least one listing is looked at).
    pub fn new(set: &str, on: &str, rows: &[JudgedRow], earlier: &[JudgedRow], budget: f64) -> Self {
        let mut confusion = BTreeMap::new();
        for row in rows {
            *confusion.entry((row.verdict.decision, row.label.label)).or_insert(0) += 1;
        }
        let behaviours = metrics::by_behaviour(rows);
        let mut figures = metrics::shares_flagged(&behaviours);
        figures.extend(metrics::automatic(&behaviours));
        figures.extend(metrics::ranked(rows, budget));
        figures.insert("listings".to_owned(), rows.len() as f64);
        let abstention = curves::abstention(rows);
        for percent in [80_u8, 90, 95, 99] {
            let error = curves::error_at(&abstention, f64::from(percent) / 100.0);
            figures.extend(error.map(|error| (format!("error_at_coverage_{percent}"), error)));
        }
        let Floors { pr_auc, best_rule } = Floors::of(rows);
        figures.extend(pr_auc.into_iter().map(|(sign, area)| (format!("floor.{sign}"), area)));
        let drift = drift::drift(earlier, rows);
        figures.extend(drift.iter().take(N_DRIFTED).map(|(name, index)| (format!("drift.{name}"), *index)));
        let words = best_rule.map(|rule| ("floor.best_rule".to_owned(), rule.as_str().to_owned()));
        let form = FormReport {
            form: "listings",
            set: set.to_owned(),
            on: on.to_owned(),
            metrics: figures,
            words: words.into_iter().collect(),
            warnings: Vec::new(),
        };
        Self {
            form,
            confusion,
            behaviours,
            reliability: curves::reliability(rows),
            precision_recall: curves::precision_recall(rows),
            abstention: curves::thinned(abstention),
            drift,
            budget,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use touchstone_types::{ListingId, Verdict};

    use super::*;
    use crate::Label;

    pub(crate) fn row(
        id: usize,
        decision: &str,
        probability: Option<f64>,
        label: bool,
        behaviour: &str,
    ) -> JudgedRow {
        let probability = probability.map_or(String::new(), |p| format!(r#""probability":{p},"#));
        let json = format!(
            r#"{{"flag_id":"fd882c52-e08f-507a-af6d-94aa635ff493","revision":1,"listing_id":"L{id}","listing_version":1,
            "marketplace":"","seller_id":"S","decision":"{decision}",{probability}"priority":0,"reasons":[],"evidence":[],
            "completeness":"full","missing":[],"versions":{{"engine":"0","catalog":"c","policy":"p"}}}}"#
        );
        let listing_id = ListingId::new(format!("L{id}")).unwrap();
        JudgedRow {
            label: Label {
                listing_id,
                version: 1,
                label,
                behaviour: behaviour.to_owned(),
                week: 1,
                selection_probability: None,
            },
            verdict: Verdict::from_json(json.as_bytes()).unwrap(),
            features: Vec::new(),
            names_brand_exactly: false,
        }
    }

    #[test]
    fn counts_and_metrics_of_a_worked_example() {
        let mut rows = vec![
            row(1, "takedown", Some(0.9), true, "slang"),
            row(2, "review", Some(0.8), true, "near_price"),
            row(3, "review", Some(0.8), false, "reseller"),
            row(4, "clear", Some(0.1), false, "reseller"),
            row(5, "abstain", None, true, "near_price"),
        ];
        let found = ListingsReport::new("set", "all", &rows, &[], 0.4);
        assert_eq!(found.confusion[&(Decision::Review, false)], 1);
        assert_eq!(found.confusion[&(Decision::Abstain, true)], 1);
        let near = |key: &str, expected: f64| {
            let value = found.form.metrics[key];
            assert!((value - expected).abs() < 1e-12, "{key}: {value} is not {expected}");
        };
        near("listings", 5.0);
        near("recall", 2.0 / 3.0);
        near("recall.slang", 1.0);
        near("recall.near_price", 0.5);
        near("false_flag_rate.reseller", 0.5);
        near("automatic.n", 1.0);
        near("automatic.recall", 1.0 / 3.0);
        // One of one: 0.025 of the time a precision of 0.025 would bring that about.
        near("automatic.precision_low", 0.025);
        // Two of five are looked at: the first, and one of the two that tie, of which half are positive.
        near("precision_at_budget", 0.75);
        near("recall_at_precision_90", 1.0 / 3.0);
        near("pr_auc", (1.0 + 2.0 / 3.0 + 3.0 / 5.0) / 3.0);
        assert!(!found.form.metrics.contains_key("false_flag_rate.slang"));
        rows.rotate_left(2);
        rows.swap(0, 1);
        assert_eq!(ListingsReport::new("set", "all", &rows, &[], 0.4), found);
    }

    #[test]
    fn without_a_model_flags_rank_first() {
        let rows = [
            row(1, "clear", None, false, "x"),
            row(2, "review", None, true, "x"),
            row(3, "abstain", None, false, "x"),
        ];
        let found = ListingsReport::new("set", "all", &rows, &[], 0.34);
        assert_eq!(found.form.metrics["precision_at_budget"], 1.0);
        assert!(!found.form.metrics.contains_key("calibration_error"));
    }

    #[test]
    fn nothing_to_count_gives_no_figures_but_their_number() {
        let found = ListingsReport::new("set", "all", &[], &[], 0.01);
        assert_eq!(found.form.metrics, BTreeMap::from([("listings".to_owned(), 0.0)]));
        assert!(found.confusion.is_empty() && found.drift.is_empty());
    }

    #[test]
    fn the_interval_of_a_precision_is_that_of_clopper_and_pearson() {
        assert!(metrics::precision_low(0, 368) >= 0.99 && metrics::precision_low(0, 367) < 0.99);
        assert!(metrics::precision_low(1, 555) >= 0.99 && metrics::precision_low(1, 554) < 0.99);
    }
}
