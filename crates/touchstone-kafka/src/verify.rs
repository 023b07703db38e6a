//! The ledger: every listing is the source of exactly one verdict or of one dead letter, and every flag has a whole life.
//!
//! ```text
//! listings ──offsets──▶ ┌────────┐
//! verdicts ──source───▶ │ check  │ ──▶ Report: counts and violations
//! review   ──source───▶ │        │
//! dlq      ──source───▶ │        │
//! state    ──entries──▶ │        │ ◀── recheck, decisions, catalog: what outputs name
//!                       └────────┘
//! ```
//!
//! [`check`] is a pure function over what was read, so it is itself tested on logs with faults put in; [`read`] fetches the
//! topics, committed records only. [`verify`] works while workers are running too: what seems to be missing is
//! believed only when it is still missing in a second look.

mod ledger;
mod life;
#[cfg(test)]
mod model;
mod reading;
mod report;
mod retention;
mod sources;
mod states;

pub use ledger::{Body, Ledger, OutputRecord, Partition, check};
pub use life::{FlagId, Step};
pub use reading::read;
pub use report::{Report, Unchecked, Violation};
pub use sources::{Bounds, RecheckRecord, RulingRecord, SideTopic};
pub use states::{StateEntry, StateRecord, States};

use std::thread;
use std::time::{Duration, Instant};

use crate::Error;
use crate::settings::Settings;

/// A worker's transaction lives for milliseconds, and brokers end one whose worker died within their time-out and a round of their
/// own: what is open for longer is never ended.
const HUNG_AFTER: Duration = Duration::from_secs(25);

/// Reads the topics and checks the ledger.
///
/// # Errors
/// As [`read`]. Violations are not errors: they are in the report.
pub fn verify(settings: &Settings) -> Result<Report, Error> {
    let first = check(&read(settings)?);
    let mut report = if first.violations.iter().any(Violation::may_pass) {
        confirmed(&first, check(&read(settings)?))
    } else {
        first
    };
    report.violations.extend(hung(settings)?);
    report.violations.sort();
    Ok(report)
}

/// The transactions that are open and stay open.
fn hung(settings: &Settings) -> Result<Vec<Violation>, Error> {
    let deadline = Instant::now() + HUNG_AFTER;
    let mut open = reading::open_transactions(settings)?;
    while !open.is_empty() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(200));
        let now = reading::open_transactions(settings)?;
        open.retain(|at| now.contains(at));
    }
    Ok(open.into_iter().map(|at| Violation::Hung { at }).collect())
}

/// What the second of two looks found, without what a transaction in progress may have made it find.
///
/// While workers write, one topic is read before the next, and Kafka shows the records of one committed transaction
/// partition by partition. So a record may seem to lack its partner; whatever the first look saw has it by the second.
fn confirmed(first: &Report, mut second: Report) -> Report {
    let n_before = second.violations.len();
    second.violations.retain(|violation| !violation.may_pass() || first.violations.contains(violation));
    second.n_pending += n_before - second.violations.len();
    second
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::Source;

    fn source(topic: &str, offset: i64) -> Source {
        Source { topic: topic.into(), partition: 0, offset }
    }

    fn report(violations: &[Violation]) -> Report {
        Report { violations: violations.to_vec(), ..Report::default() }
    }

    #[test]
    fn what_only_the_second_look_misses_is_pending() {
        let lost = |offset| Violation::Lost { source: source("listings", offset) };
        let unflagged = |offset| Violation::FlagMissing { verdict: source("verdicts", offset) };
        let flag = Violation::FlagWithoutVerdict { at: source("review", 7) };
        let wrong_key = Violation::WrongKey { at: source("verdicts", 9) };
        let differs = |offset| Violation::StateDiffers {
            listing_id: "EX-1".into(),
            at: Some(source("state", offset)),
            problem: "it runs ahead".into(),
        };
        let first = report(&[lost(1), unflagged(3), differs(1), differs(2)]);
        let second =
            report(&[lost(1), lost(2), unflagged(4), flag, wrong_key.clone(), differs(2), differs(3)]);
        let report = confirmed(&first, second);
        assert_eq!(report.violations, [lost(1), wrong_key, differs(2)]);
        assert_eq!(report.n_pending, 4);
    }
}
