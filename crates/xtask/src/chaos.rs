//! `cargo xtask chaos`: the fault test for as long as you like.

use anyhow::{Result, ensure};
use clap::Args;

use crate::workspace::cargo;

/// Three Kafka nodes and three workers on loopback, a steady stream of listings, one fault after the other, and the ledger at
/// the end. The schedule follows from the seed and is printed as it goes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long faults go on
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1440))]
    minutes: u64,
    /// What the schedule is drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Listings sent a second
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=20_000))]
    rate: u64,
    /// Go on sending, without faults, until so many are sent
    #[arg(long, default_value_t = 0)]
    inputs: usize,
}

/// Runs it in a release build.
///
/// # Errors
/// A broken ledger, or anything that did not recover.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut command = cargo(&["test", "--release", "--package", "touchstone-kafka", "--test", "it"]);
    command.args(["--", "--exact", "--nocapture", "chaos::the_ledger_is_exact_whatever_goes_wrong"]);
    command.env("TOUCHSTONE_CHAOS_MINUTES", options.minutes.to_string());
    command.env("TOUCHSTONE_CHAOS_RATE", options.rate.to_string());
    command.env("TOUCHSTONE_CHAOS_INPUTS", options.inputs.to_string());
    command.env("TOUCHSTONE_SEED", options.seed.to_string());
    let status = command.status()?;
    ensure!(status.success(), "the run with seed {} failed: {status}", options.seed);
    Ok(())
}
