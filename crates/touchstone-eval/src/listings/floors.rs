//! Floors: what one simple sign alone would bring. A market where one of them does well is too easy to say anything.

use std::collections::{BTreeMap, BTreeSet};

use touchstone_classifier::metrics::pr_auc;
use touchstone_pipeline::feature_names;
use touchstone_types::{Ground, Reason};

use super::JudgedRow;

/// The area under the curve of precision and recall (average precision) of each floor; the name of the best rule stands beside.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Floors {
    pub(super) pr_auc: BTreeMap<&'static str, f64>,
    pub(super) best_rule: Option<Reason>,
}

impl Floors {
    pub(super) fn of(rows: &[JudgedRow]) -> Self {
        let labels: Vec<bool> = rows.iter().map(|row| row.label.label).collect();
        let area =
            |score: &dyn Fn(&JudgedRow) -> f64| pr_auc(&rows.iter().map(score).collect::<Vec<_>>(), &labels);
        let ratio = feature_names().position("unit_price_ratio");
        // A missing price ranks below the dearest.
        let unit_price = area(&|row| {
            ratio.and_then(|ratio| *row.features.get(ratio)?).map_or(f64::NEG_INFINITY, |ratio| -ratio)
        });
        let exact_brand = area(&|row| f64::from(u8::from(row.names_brand_exactly)));
        let is_rule = |reason: &Reason| !matches!(reason.ground(), Ground::Model | Ground::Neutral);
        let reasons: BTreeSet<Reason> =
            rows.iter().flat_map(|row| row.verdict.reasons.iter().copied()).filter(is_rule).collect();
        let best = reasons
            .into_iter()
            .filter_map(|reason| {
                let holds = |row: &JudgedRow| f64::from(u8::from(row.verdict.reasons.contains(&reason)));
                Some((area(&holds)?, reason))
            })
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.as_str().cmp(a.1.as_str())));
        let found = [
            ("unit_price", unit_price),
            ("exact_brand", exact_brand),
            ("best_rule", best.map(|best| best.0)),
        ];
        let pr_auc = found.into_iter().filter_map(|(name, area)| Some((name, area?))).collect();
        Self { pr_auc, best_rule: best.map(|best| best.1) }
    }
}
