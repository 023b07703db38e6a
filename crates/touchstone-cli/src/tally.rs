//! Counting verdicts for the table at the end.

use std::collections::BTreeMap;

use comfy_table::{Cell, Table};
use touchstone_types::{Decision, Reason, Verdict};

use crate::terminal::table;

/// The decisions in the order of the table's columns.
const COLUMNS: [Decision; 4] = [Decision::Takedown, Decision::Review, Decision::Abstain, Decision::Clear];

/// How many verdicts there were of each decision, in all and by reason.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    total: [u64; 4],
    by_reason: BTreeMap<Reason, [u64; 4]>,
}

impl Tally {
    /// Counts one verdict.
    pub(crate) fn add(&mut self, verdict: &Verdict) {
        let Some(column) = COLUMNS.iter().position(|d| *d == verdict.decision) else { return };
        self.total[column] += 1;
        for reason in &verdict.reasons {
            self.by_reason.entry(*reason).or_default()[column] += 1;
        }
    }

    /// How many verdicts were counted.
    pub(crate) fn n(&self) -> u64 {
        self.total.iter().sum()
    }

    /// Decision × reason; a verdict counts under each of its reasons.
    pub(crate) fn table(&self) -> Table {
        let mut rows = table(&["reason", "takedown", "review", "abstain", "clear"], 1);
        let cell = |n: u64| Cell::new(if n == 0 { String::new() } else { n.to_string() });
        // Reasons are ordered by weight, heaviest first.
        for (reason, counts) in &self.by_reason {
            rows.add_row(std::iter::once(Cell::new(reason)).chain(counts.map(cell)));
        }
        rows.add_row(std::iter::once(Cell::new("all listings")).chain(self.total.map(cell)));
        rows
    }
}
