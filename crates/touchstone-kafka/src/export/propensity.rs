//! How probable it was that a flag got a ruling.
//!
//! Reviewers look at flags of high priority first, so rulings are no random sample of flags. Weighing each by the inverse of the
//! probability with which it was drawn gives back what all flags would have given (D. G. Horvitz, D. J. Thompson, "A
//! generalization of sampling without replacement from a finite universe", Journal of the American Statistical Association 47,
//! 1952). Nobody drew here, so the probability is estimated in cells of flags that are alike, as for people who do not answer a
//! survey (R. J. A. Little, "Survey nonresponse adjustments for estimates of means", International Statistical Review 54, 1986):
//! it is right where, within a cell, whether a flag was ruled has nothing to do with what the ruling is.

use touchstone_types::Decision;

/// Cells of priority for each decision, at most.
const MAX_CELLS: usize = 10;

/// Flags in a cell, about, at least: of fewer the share would be chance.
const MIN_CELL: usize = 20;

/// So many flags that are ruled as often as all of their decision are added to each cell, so that a small cell does not stray far. Where every
/// flag was ruled the probability stays 1.
const PRIOR: f64 = 2.0;

/// A flag as the estimate sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub decision: Decision,
    pub priority: u64,
    /// Whether a ruling on it gave a label.
    pub is_ruled: bool,
}

/// What the estimate says.
#[derive(Debug, PartialEq)]
pub(super) struct Propensity {
    /// One entry a flag: the probability that one like it is ruled, in [0, 1]; above 0 for every flag that was.
    pub probabilities: Vec<f64>,
    /// Flags in cells in which not one was ruled: no weight can make others speak for these.
    pub n_unspoken: usize,
}

/// The estimate for each flag. The order of the flags does not matter.
pub(super) fn propensity(cases: &[Case]) -> Propensity {
    let mut found = Propensity { probabilities: vec![0.0; cases.len()], n_unspoken: 0 };
    for decision in Decision::ALL {
        let own: Vec<usize> = (0..cases.len()).filter(|&idx| cases[idx].decision == *decision).collect();
        estimate(cases, &own, &mut found);
    }
    found
}

/// The estimate for the flags of one decision.
fn estimate(cases: &[Case], own: &[usize], found: &mut Propensity) {
    let mut priorities: Vec<u64> = own.iter().map(|&idx| cases[idx].priority).collect();
    priorities.sort_unstable();
    let n_cells = (own.len() / MIN_CELL).clamp(1, MAX_CELLS);
    // Flags of one priority share a cell, so that no order among them matters.
    let cell_of = |idx: usize| {
        priorities.partition_point(|priority| *priority < cases[idx].priority) * n_cells / own.len()
    };
    let mut counts = vec![(0_usize, 0_usize); n_cells];
    for &idx in own {
        let (n, n_ruled) = &mut counts[cell_of(idx)];
        *n += 1;
        *n_ruled += usize::from(cases[idx].is_ruled);
    }
    let n_ruled: usize = counts.iter().map(|(_, n_ruled)| n_ruled).sum();
    let usual = n_ruled as f64 / own.len().max(1) as f64;
    for &idx in own {
        let (n, n_ruled) = counts[cell_of(idx)];
        found.probabilities[idx] = (n_ruled as f64 + PRIOR * usual) / (n as f64 + PRIOR);
    }
    found.n_unspoken += counts.iter().filter(|(_, n_ruled)| *n_ruled == 0).map(|(n, _)| n).sum::<usize>();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(decision: Decision, n: u64, is_ruled: impl Fn(u64) -> bool) -> Vec<Case> {
        (0..n).map(|priority| Case { decision, priority, is_ruled: is_ruled(priority) }).collect()
    }

    #[test]
    fn where_every_flag_was_ruled_each_was_certain_to_be() {
        let found = propensity(&cases(Decision::Review, 57, |_| true));
        assert_eq!((found.probabilities, found.n_unspoken), (vec![1.0; 57], 0));
    }

    #[test]
    fn cells_say_how_often_flags_like_it_were_ruled_and_a_little_of_how_often_all_were() {
        // Ten cells of 100: the highest all ruled, the next by half, one of the lowest, none between.
        let mut flags = cases(Decision::Review, 1000, |p| p >= 900 || (p >= 800 && p % 2 == 0) || p == 0);
        let found = propensity(&flags);
        let usual = 151.0 / 1000.0;
        assert_eq!(found.probabilities[950], (100.0 + 2.0 * usual) / 102.0);
        assert_eq!(found.probabilities[850], (50.0 + 2.0 * usual) / 102.0);
        assert_eq!(found.probabilities[0], (1.0 + 2.0 * usual) / 102.0);
        assert_eq!(found.n_unspoken, 700);
        // Summed over the ruled, the inverse of the probabilities gives about the number of flags in cells that speak.
        let weighed: f64 = flags
            .iter()
            .zip(&found.probabilities)
            .filter(|(flag, _)| flag.is_ruled)
            .map(|(_, p)| 1.0 / p)
            .sum();
        assert!((weighed - 300.0).abs() < 30.0, "{weighed}");
        flags.reverse();
        let mut turned = propensity(&flags).probabilities;
        turned.reverse();
        assert_eq!(turned, found.probabilities);
    }

    #[test]
    fn decisions_are_apart_and_few_flags_make_one_cell() {
        let mut flags = cases(Decision::Takedown, 30, |_| true);
        flags.extend(cases(Decision::Review, 30, |p| p == 29));
        let found = propensity(&flags);
        assert_eq!(found.probabilities[..30], [1.0; 30]);
        let share = (1.0 + 2.0 / 30.0) / 32.0;
        assert_eq!(found.probabilities[30..], [share; 30]);
        assert_eq!(found.n_unspoken, 0);
    }

    #[test]
    fn flags_of_one_priority_share_a_cell() {
        let flags: Vec<Case> =
            (0..200).map(|i| Case { decision: Decision::Review, priority: 7, is_ruled: i < 20 }).collect();
        let found = propensity(&flags);
        assert!(found.probabilities.iter().all(|p| (p - 0.1).abs() < 1e-12), "{:?}", found.probabilities);
        assert_eq!(propensity(&[]), Propensity { probabilities: Vec::new(), n_unspoken: 0 });
    }
}
