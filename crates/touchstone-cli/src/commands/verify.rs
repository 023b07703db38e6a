//! `touchstone verify`: the ledger checker.

use clap::Args;
use serde_json::json;
use touchstone_kafka::verify::{Report, verify};

use crate::brokers::BrokerArgs;
use crate::fault::{End, Outcome};
use crate::terminal::{print, say, table};

/// How many violations are shown to a person.
const SHOWN: usize = 20;

/// Check that every listing is the source of exactly one verdict or dead letter, and that every flag has a whole life
///
/// Also that revisions have no gaps, that no listing has two open flags, that whatever was taken back had a cause, and that the
/// state topic says the same. Reads committed records only, and may run beside workers. Exit status 1 if the ledger is broken.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    brokers: BrokerArgs,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &VerifyArgs) -> Outcome {
    let report = verify(&args.brokers.settings()?)?;
    if args.json {
        let violations: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
        let unchecked: Vec<String> = report.unchecked.iter().map(ToString::to_string).collect();
        let line = json!({
            "exact": report.is_exact(), "inputs": report.n_inputs, "pending": report.n_pending,
            "verdicts": report.n_verdicts, "flags": report.n_flags, "dead_letters": report.n_dead_letters,
            "open_flags": report.n_open, "retracts": report.n_retracts, "rechecks": report.n_rechecks,
            "states": report.n_states, "expired": report.n_expired, "unchecked": unchecked,
            "violations": violations,
        });
        print(line.to_string())?;
    } else {
        show(&report)?;
    }
    Ok(if report.is_exact() { End::Done } else { End::Failed })
}

fn show_counts<const N: usize>(counts: [(&str, usize); N]) -> std::io::Result<()> {
    let mut rows = table(&counts.map(|(name, _)| name), 0);
    rows.add_row(counts.map(|(_, n)| n.to_string()));
    print(rows.trim_fmt())
}

pub(crate) fn show(report: &Report) -> std::io::Result<()> {
    show_counts([
        ("inputs", report.n_inputs),
        ("pending", report.n_pending),
        ("verdicts", report.n_verdicts),
        ("dead letters", report.n_dead_letters),
        ("expired", report.n_expired),
        ("violations", report.violations.len()),
    ])?;
    show_counts([
        ("in review", report.n_flags),
        ("open flags", report.n_open),
        ("retracts", report.n_retracts),
        ("re-checks", report.n_rechecks),
        ("remembered", report.n_states),
    ])?;
    for unchecked in &report.unchecked {
        say(unchecked.to_string());
    }
    for violation in report.violations.iter().take(SHOWN) {
        say(violation.to_string());
    }
    if report.violations.len() > SHOWN {
        say(format!("and {} more; --json shows all", report.violations.len() - SHOWN));
    }
    say(if report.is_exact() { "the ledger is exact" } else { "the ledger is broken" });
    Ok(())
}
