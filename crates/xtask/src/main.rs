//! The project's chores, as `cargo xtask …`.
//!
//! ```text
//! cargo xtask test                    everything that must hold before a change lands; ends with "N passed, N failed"
//! cargo xtask test --only clippy      one step of it
//! cargo xtask chaos --minutes 10      the stream under fire: workers killed, brokers lost, connections broken
//! cargo xtask kafka up --nodes 3      a real Kafka on loopback; bootstrap servers are the last line on stdout
//! cargo xtask kafka kill 2 / start 2 / status / down
//! ```
//!
//! Data goes to stdout and talk to stderr, except that `test` speaks on stdout throughout, so that its output stays in
//! order. It never changes a tracked file, and installs packages only with `--install` or on a CI machine as root.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]

mod chaos;
mod kafka;
mod prerequisites;
mod steps;
mod tests_count;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's chores", version)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Check and test everything, step by step
    Test(steps::Options),
    /// Let everything go wrong for a while and check that nothing is lost, doubled or reordered
    Chaos(chaos::Options),
    /// Run a real Apache Kafka on loopback
    Kafka {
        #[command(subcommand)]
        action: kafka::Action,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().chore {
        Chore::Test(options) => steps::run(&options),
        Chore::Chaos(options) => chaos::run(&options).map(|()| true),
        Chore::Kafka { action } => kafka::run(action).map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
