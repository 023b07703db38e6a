//! Two models or settings beside each other: what flips.

use std::collections::BTreeMap;

use touchstone_types::{Decision, ListingId, Reason};

use super::JudgedRow;

/// A listing that the two decide differently.
#[derive(Debug, Clone, PartialEq)]
pub struct Flip {
    /// The listing.
    pub listing_id: ListingId,
    /// Its version.
    pub version: u64,
    /// What it is labelled.
    pub label: bool,
    /// What its seller does.
    pub behaviour: String,
    /// The probabilities, old and new.
    pub probabilities: [Option<f64>; 2],
    /// Reasons of the old verdict that the new one lacks.
    pub gone: Vec<Reason>,
    /// Reasons of the new verdict that the old one lacks.
    pub new: Vec<Reason>,
}

/// Everything that flips, by the old and the new decision and the label, in the order of the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// How many listings were decided by both.
    pub n: usize,
    /// The flips.
    pub flips: BTreeMap<(Decision, Decision, bool), Vec<Flip>>,
    /// The largest difference between both probabilities of one listing.
    pub max_difference: f64,
}

/// Puts the verdicts of the same listings, in the same order, beside each other.
///
/// # Panics
/// If the rows are not those of the same listings.
pub fn compare(old: &[JudgedRow], new: &[JudgedRow]) -> Comparison {
    assert_eq!(old.len(), new.len(), "the same listings");
    let mut found = Comparison { n: old.len(), flips: BTreeMap::new(), max_difference: 0.0 };
    for (old, new) in old.iter().zip(new) {
        assert_eq!(old.label.listing_id, new.label.listing_id, "the same listings in the same order");
        let probabilities = [old, new].map(|row| row.verdict.probability.map(|p| p.get()));
        if let [Some(a), Some(b)] = probabilities {
            found.max_difference = found.max_difference.max((a - b).abs());
        }
        let (before, after) = (old.verdict.decision, new.verdict.decision);
        if before == after {
            continue;
        }
        let lacking = |of: &[Reason], there: &[Reason]| -> Vec<Reason> {
            of.iter().filter(|reason| !there.contains(reason)).copied().collect()
        };
        found.flips.entry((before, after, old.label.label)).or_default().push(Flip {
            listing_id: old.label.listing_id.clone(),
            version: old.label.version,
            label: old.label.label,
            behaviour: old.label.behaviour.clone(),
            probabilities,
            gone: lacking(&old.verdict.reasons, &new.verdict.reasons),
            new: lacking(&new.verdict.reasons, &old.verdict.reasons),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listings::tests::row;

    #[test]
    fn flips_are_listed_with_what_changed() {
        let old = [row(1, "review", Some(0.6), false, "reseller"), row(2, "clear", Some(0.1), true, "slang")];
        let mut new =
            [row(1, "clear", Some(0.2), false, "reseller"), row(2, "clear", Some(0.15), true, "slang")];
        new[0].verdict.reasons.push(Reason::ModelBelowThreshold);
        let found = compare(&old, &new);
        assert_eq!((found.n, found.flips.len()), (2, 1));
        assert!((found.max_difference - 0.4).abs() < 1e-12);
        let flips = &found.flips[&(Decision::Review, Decision::Clear, false)];
        assert_eq!(flips[0].probabilities, [Some(0.6), Some(0.2)]);
        assert_eq!(flips[0].new, [Reason::ModelBelowThreshold]);
        assert!(compare(&old, &old).flips.is_empty());
    }
}
