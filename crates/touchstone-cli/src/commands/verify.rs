//! `touchstone verify`: the ledger checker.

use clap::Args;
use serde_json::json;
use touchstone_kafka::verify::{Report, verify};

use crate::brokers::BrokerArgs;
use crate::fault::{End, Outcome};
use crate::terminal::{print, say, table};

/// How many violations are shown to a person.
const SHOWN: usize = 20;

/// Check that every listing is the source of exactly one verdict or dead letter
///
/// Reads committed records only, and may run beside workers. Exit status 1 if the ledger is broken.
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
        let line = json!({
            "exact": report.is_exact(), "inputs": report.n_inputs, "pending": report.n_pending,
            "verdicts": report.n_verdicts, "flags": report.n_flags, "dead_letters": report.n_dead_letters,
            "expired": report.n_expired, "violations": violations,
        });
        print(line.to_string())?;
    } else {
        show(&report)?;
    }
    Ok(if report.is_exact() { End::Done } else { End::Failed })
}

pub(crate) fn show(report: &Report) -> std::io::Result<()> {
    let mut rows =
        table(&["inputs", "pending", "verdicts", "flags", "dead letters", "expired", "violations"], 0);
    let counts = [
        report.n_inputs,
        report.n_pending,
        report.n_verdicts,
        report.n_flags,
        report.n_dead_letters,
        report.n_expired,
        report.violations.len(),
    ];
    rows.add_row(counts.map(|n| n.to_string()));
    print(rows.trim_fmt())?;
    for violation in report.violations.iter().take(SHOWN) {
        say(violation.to_string());
    }
    if report.violations.len() > SHOWN {
        say(format!("and {} more; --json shows all", report.violations.len() - SHOWN));
    }
    say(if report.is_exact() { "the ledger is exact" } else { "the ledger is broken" });
    Ok(())
}
