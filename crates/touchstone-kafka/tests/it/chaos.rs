//! Three nodes, three workers, a steady stream of listings, and one fault after the other from a seeded plan.
//!
//! The short run is a test of every day. `cargo xtask chaos --minutes N --seed S` runs the same for longer.

pub(crate) mod fault;
pub(crate) mod fleet;
mod plan;
mod run;
mod witness;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use fault::Fault;
use plan::Plan;
use run::{Outcome, SESSION};

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_exact_whatever_goes_wrong() -> Result<()> {
    let plan = Plan::from_environment()?;
    eprintln!("seed {}, {} listings a second, {} partitions", plan.seed, plan.rate, plan.n_partitions);
    let outcome = run::run(&plan).await?;
    tell(&outcome);
    let seed = plan.seed;
    assert_eq!(outcome.report.violations, [], "seed {seed}");
    assert_eq!((outcome.report.n_inputs, outcome.report.n_pending), (outcome.n_sent, 0), "seed {seed}");
    assert_eq!(outcome.report.n_dead_letters, outcome.n_rejected, "seed {seed}");
    assert_eq!(outcome.report.n_verdicts, outcome.n_sent - outcome.n_rejected, "seed {seed}");
    let n_kills = outcome.faults.iter().filter(|fault| fault.kills_a_worker()).count();
    assert!(outcome.n_sent >= plan.n_inputs && n_kills >= 5);
    let n_rebalances: usize = outcome.faults.iter().map(Fault::n_rebalances).sum();
    assert!(n_rebalances >= 5 || plan.lasts.is_some());
    Ok(())
}

/// The figures, as they stand in `docs/`.
fn tell(outcome: &Outcome) {
    let report = &outcome.report;
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for fault in &outcome.faults {
        let name = format!("{fault:?}");
        let name = name.split(' ').next().unwrap_or_default().to_owned();
        *kinds.entry(name).or_default() += 1;
    }
    eprintln!(
        "\n{} inputs in {:.0} s: {} verdicts, {} flags, {} dead letters, {} violations, {} pending",
        report.n_inputs,
        outcome.seconds,
        report.n_verdicts,
        report.n_flags,
        report.n_dead_letters,
        report.violations.len(),
        report.n_pending
    );
    eprintln!("verdicts of aborted transactions in the log: {}, seen by a reader: 0", outcome.n_aborted);
    eprintln!("{} faults of {} kinds: {kinds:?}", outcome.faults.len(), kinds.len());
    eprintln!("workers that ended by themselves, by exit code: {:?}", outcome.ended);
    let mut recoveries = outcome.recoveries.clone();
    recoveries.sort();
    let at = |share: usize| recoveries.get((recoveries.len() * share / 100).min(recoveries.len() - 1));
    if let (Some(median), Some(p99), Some(most)) = (at(50), at(99), recoveries.last()) {
        let seconds = Duration::as_secs_f64;
        eprintln!(
            "after {} SIGKILLs every partition moved again in {:.1} s (median), {:.1} s (p99), {:.1} s (most); a session ends after {:.0} s",
            recoveries.len(),
            seconds(median),
            seconds(p99),
            seconds(most),
            seconds(&SESSION)
        );
    }
}
