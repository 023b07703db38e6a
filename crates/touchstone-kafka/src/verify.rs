//! The ledger: every listing is the source of exactly one verdict or of one dead letter.
//!
//! ```text
//! listings ──offsets──▶ ┌────────┐
//! verdicts ──source───▶ │ check  │ ──▶ Report: counts and violations
//! review   ──source───▶ │        │
//! dlq      ──source───▶ └────────┘
//! ```
//!
//! [`check`] is a pure function over what was read, so it is itself tested on logs with faults put in; [`read`] fetches the
//! four topics, committed records only. Both work while workers are running: the group's committed offsets are noted first
//! and the inputs read last, so an input counts as lost only if it had been committed before its output was looked for.

mod ledger;
mod reading;

pub use ledger::{Body, Ledger, OutputRecord, Partition, Report, Violation, check};
pub use reading::read;

use crate::Error;
use crate::settings::Settings;

/// Reads the topics and checks the ledger.
///
/// # Errors
/// As [`read`]. Violations are not errors: they are in the report.
pub fn verify(settings: &Settings) -> Result<Report, Error> {
    let first = check(&read(settings)?);
    let lost = |violation: &Violation| matches!(violation, Violation::Lost { .. });
    if !first.violations.iter().any(lost) {
        return Ok(first);
    }
    // While workers write, one output topic is read before the next, so an input may seem passed over. If its output is
    // still missing after a second look, it is: whatever the first look saw had been committed before the second began.
    let ledger = read(settings)?;
    let mut report = check(&ledger);
    let n_before = report.violations.len();
    report.violations.retain(|violation| match violation {
        Violation::Lost { source } => {
            let committed = ledger.inputs.get(&source.partition).and_then(|partition| partition.committed);
            first.violations.contains(violation) || committed.is_none_or(|c| source.offset < c)
        }
        _ => true,
    });
    report.n_pending += n_before - report.violations.len();
    Ok(report)
}
