//! The `touchstone` command.
//!
//! ```text
//! arguments ──▶ command ──▶ data on stdout, talk on stderr ──▶ exit status
//! ```
//!
//! Exit status: 0 done, 1 failed, 2 wrong usage or input, 70 the worker gave up and must be restarted. The commands live in
//! `commands`, one file each; everything that decides about a listing lives in the other crates.

mod assets;
mod brokers;
mod commands;
mod compiled;
mod fault;
mod labelled;
mod lines;
mod logging;
mod photo_words;
mod pictures;
mod setup;
mod tally;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{
    catalog, compare, demo, dlq, eval, explain, export, hash, load, lookup, policy, run, scan, schema,
    simulate, topics, train, verify,
};
use fault::Fault;

/// Judging makes many small texts and lists: to get and give back memory was a fifth of the profile with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Find suspected counterfeits among marketplace listings, with evidence a reviewer can check
#[derive(Debug, Parser)]
#[command(name = "touchstone", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Run(run::RunArgs),
    Scan(scan::ScanArgs),
    Catalog(catalog::CatalogArgs),
    Hash(hash::HashArgs),
    Lookup(lookup::LookupArgs),
    Explain(explain::ExplainArgs),
    Simulate(simulate::SimulateArgs),
    Train(train::TrainArgs),
    Eval(eval::EvalArgs),
    Policy(policy::PolicyArgs),
    Compare(compare::CompareArgs),
    Topics(topics::TopicsArgs),
    Dlq(dlq::DlqArgs),
    Export(export::ExportArgs),
    Verify(verify::VerifyArgs),
    Load(load::LoadArgs),
    Schema(schema::SchemaArgs),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Catalog(args) => catalog::run(&args),
        Command::Hash(args) => hash::run(&args),
        Command::Lookup(args) => lookup::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Policy(args) => policy::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Topics(args) => topics::run(&args),
        Command::Dlq(args) => dlq::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Load(args) => load::run(&args),
        Command::Schema(args) => schema::run(&args),
    };
    match outcome {
        Ok(end) => end.into(),
        Err(Fault { error, .. }) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(Fault { end, error }) => {
            // An error may quote a stranger's text; its own line ends are kept.
            let text = format!("error: {error:#}");
            terminal::say(text.lines().map(terminal::plain).collect::<Vec<_>>().join("\n"));
            end.into()
        }
    }
}

/// Whoever reads our output may stop reading, as `head` does; that is no failure.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
