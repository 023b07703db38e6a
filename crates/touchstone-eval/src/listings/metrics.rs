//! How good verdicts are, held against labels: the metrics of the `listings` form.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use touchstone_classifier::metrics::{calibration_error, pr_auc};
use touchstone_types::{Decision, Verdict};

use crate::Label;

/// Verdicts held against labels.
#[derive(Debug, Clone, PartialEq)]
pub struct ListingsReport {
    /// How many listings got this decision and have this label, for every pair that occurs.
    pub confusion: BTreeMap<(Decision, bool), usize>,
    /// The metrics under the names that `touchstone eval --json` prints, each in 0 to 1. A metric that does not exist for
    /// these rows (a recall without positive rows) is absent.
    ///
    /// - `pr_auc` and `precision_at_budget` rank by probability; a verdict without one ranks last.
    /// - `precision_at_budget`: the share of label 1 among the first rows; rows tied at the cut count with their common share.
    /// - `recall_at_precision_90`: the largest recall at any threshold of the probability where the precision is at least 0.9;
    ///   0 where no threshold reaches it.
    /// - `calibration_error`: over the verdicts that have a probability.
    /// - `recall.<behaviour>`: among label 1, the share decided takedown or review; `false_flag_rate.<behaviour>`: the same
    ///   among label 0. `recall` and `false_flag_rate` are these over all behaviours.
    pub metrics: BTreeMap<String, f64>,
    /// Verdicts without a label; they are left out.
    pub n_unlabelled: usize,
    /// Labels without a verdict; they are left out.
    pub n_unjudged: usize,
}

/// Counts `verdicts` against `labels`, joined by listing and version. `budget` is the share of the listings, 0 to 1, that
/// reviewers can look at (at least one listing is looked at). The order of neither list matters.
pub fn report(verdicts: &[Verdict], labels: &[Label], budget: f64) -> ListingsReport {
    let by_version: BTreeMap<(&str, u64), &Label> =
        labels.iter().map(|l| ((l.listing_id.as_str(), l.version), l)).collect();
    let rows: Vec<(&Verdict, &Label)> = verdicts
        .iter()
        .filter_map(|v| Some((v, *by_version.get(&(v.listing_id.as_str(), v.listing_version))?)))
        .collect();
    let mut confusion = BTreeMap::new();
    for (verdict, label) in &rows {
        *confusion.entry((verdict.decision, label.label)).or_insert(0) += 1;
    }
    let mut metrics = shares_flagged(&rows);
    metrics.extend(ranked(&rows, budget));
    ListingsReport {
        confusion,
        metrics,
        n_unlabelled: verdicts.len() - rows.len(),
        n_unjudged: by_version.len().saturating_sub(rows.len()),
    }
}

/// `recall` and `false_flag_rate`, over all and for each behaviour.
fn shares_flagged(rows: &[(&Verdict, &Label)]) -> BTreeMap<String, f64> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (verdict, label) in rows {
        let name = if label.label { "recall" } else { "false_flag_rate" };
        for key in [name.to_owned(), format!("{name}.{}", label.behaviour)] {
            let (flagged, all) = counts.entry(key).or_default();
            *flagged += usize::from(matches!(verdict.decision, Decision::Takedown | Decision::Review));
            *all += 1;
        }
    }
    counts.into_iter().map(|(key, (flagged, all))| (key, flagged as f64 / all as f64)).collect()
}

/// The metrics that rank by probability.
fn ranked(rows: &[(&Verdict, &Label)], budget: f64) -> BTreeMap<String, f64> {
    let score = |v: &Verdict| v.probability.map_or(-1.0, |p| p.get());
    let scores: Vec<f64> = rows.iter().map(|(v, _)| score(v)).collect();
    let labels: Vec<bool> = rows.iter().map(|(_, l)| l.label).collect();
    let (probabilities, known): (Vec<f64>, Vec<bool>) =
        rows.iter().filter_map(|(v, l)| Some((v.probability?.get(), l.label))).unzip();
    let steps = steps(&scores, &labels);
    let found = [
        ("pr_auc", pr_auc(&scores, &labels)),
        ("precision_at_budget", precision_at_budget(&steps, rows.len(), budget)),
        ("recall_at_precision_90", recall_at_precision(&steps, 0.9)),
        ("calibration_error", calibration_error(&probabilities, &known)),
    ];
    found.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Rows of one score: how many there are, and how many of them are positive; highest score first.
fn steps(scores: &[f64], labels: &[bool]) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(Reverse(labels[a]).cmp(&Reverse(labels[b]))));
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

#[cfg(test)]
mod tests {
    use touchstone_types::ListingId;

    use super::*;

    fn verdict(id: usize, decision: &str, probability: Option<f64>) -> Verdict {
        let probability = probability.map_or(String::new(), |p| format!(r#""probability":{p},"#));
        let json = format!(
            r#"{{"flag_id":"fd882c52-e08f-507a-af6d-94aa635ff493","revision":1,"listing_id":"L{id}","listing_version":1,
            "marketplace":"","seller_id":"S","decision":"{decision}",{probability}"priority":0,"reasons":[],"evidence":[],
            "completeness":"full","missing":[],"versions":{{"engine":"0","catalog":"c","policy":"p"}}}}"#
        );
        Verdict::from_json(json.as_bytes()).unwrap()
    }

    fn label(id: usize, label: bool, behaviour: &str) -> Label {
        let listing_id = ListingId::new(format!("L{id}")).unwrap();
        Label { listing_id, version: 1, label, behaviour: behaviour.to_owned(), week: 1 }
    }

    #[test]
    fn counts_and_metrics_of_a_worked_example() {
        let mut verdicts = vec![
            verdict(1, "takedown", Some(0.9)),
            verdict(2, "review", Some(0.8)),
            verdict(3, "review", Some(0.8)),
            verdict(4, "clear", Some(0.1)),
            verdict(5, "abstain", None),
            verdict(6, "clear", Some(0.2)),
        ];
        let mut labels = vec![
            label(1, true, "slang"),
            label(2, true, "near_price"),
            label(3, false, "reseller"),
            label(4, false, "reseller"),
            label(5, true, "near_price"),
            label(7, true, "slang"),
        ];
        let found = report(&verdicts, &labels, 0.4);
        assert_eq!((found.n_unlabelled, found.n_unjudged), (1, 1));
        assert_eq!(found.confusion[&(Decision::Review, false)], 1);
        assert_eq!(found.confusion[&(Decision::Abstain, true)], 1);
        let near = |key: &str, expected: f64| {
            let value = found.metrics[key];
            assert!((value - expected).abs() < 1e-12, "{key}: {value} is not {expected}");
        };
        near("recall", 2.0 / 3.0);
        near("recall.slang", 1.0);
        near("recall.near_price", 0.5);
        near("false_flag_rate.reseller", 0.5);
        // Two of five are looked at: the first, and one of the two that tie, of which half are positive.
        near("precision_at_budget", 0.75);
        near("recall_at_precision_90", 1.0 / 3.0);
        near("pr_auc", (1.0 + 2.0 / 3.0 + 3.0 / 5.0) / 3.0);
        assert!(!found.metrics.contains_key("false_flag_rate.slang"));
        verdicts.reverse();
        labels.rotate_left(2);
        assert_eq!(report(&verdicts, &labels, 0.4), found);
    }

    #[test]
    fn nothing_to_count_gives_no_metrics() {
        let found = report(&[], &[label(1, true, "slang")], 0.01);
        assert!(found.metrics.is_empty() && found.confusion.is_empty());
        assert_eq!(found.n_unjudged, 1);
    }
}
