//! `cargo xtask test`: the steps in order, each under a heading, with the time it took.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use touchstone_testkit::Installation;

use crate::tests_count::TestsCount;
use crate::workspace::{cargo, root};
use crate::{prerequisites, tidy};

/// The steps in the order in which they run: quick refusals first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// What must be installed
    Prerequisites,
    /// cargo fmt --all --check
    Fmt,
    /// Paths in ARCHITECTURE.md exist, files are short, nothing is unfinished
    Tidy,
    /// cargo clippy --workspace --all-targets, warnings denied; compiles the benches too
    Clippy,
    /// cargo doc --workspace --no-deps, warnings denied
    Doc,
    /// Fetch the Kafka jars
    Kafka,
    /// cargo test --workspace, real Kafka included
    Test,
    /// cargo check of the binary with TLS (builds OpenSSL: minutes); only when asked for
    Tls,
}

impl Step {
    /// All steps of a plain `cargo xtask test`.
    const DEFAULT: [Self; 7] =
        [Self::Prerequisites, Self::Fmt, Self::Tidy, Self::Clippy, Self::Doc, Self::Kafka, Self::Test];

    fn name(self) -> &'static str {
        match self {
            Self::Prerequisites => "prerequisites",
            Self::Fmt => "fmt",
            Self::Tidy => "tidy",
            Self::Clippy => "clippy",
            Self::Doc => "doc",
            Self::Kafka => "kafka",
            Self::Test => "test",
            Self::Tls => "tls",
        }
    }
}

/// What `cargo xtask test` was asked for.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Run only this step; may be given more than once
    #[arg(long, value_name = "STEP")]
    only: Vec<Step>,
    /// Install what is missing with apt-get; on a CI machine (CI=true) as root this happens without asking
    #[arg(long)]
    install: bool,
}

/// Runs the steps, all of them even after a failure, except that nothing can be built without the prerequisites. Prints a
/// table of times and, alone on the last line, `N passed, N failed`.
///
/// # Errors
/// None so far: a step that fails is reported and makes the answer `false`.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let steps = if options.only.is_empty() { &Step::DEFAULT[..] } else { &options.only };
    let mut count = TestsCount::default();
    let mut table = Vec::new();
    for &step in steps {
        println!("\n=== {}", step.name());
        let started = Instant::now();
        let outcome = run_step(step, options, &mut count);
        let succeeded = outcome.is_ok();
        if let Err(error) = outcome {
            println!("error: {error:#}");
        }
        table.push((step, succeeded, started.elapsed()));
        if step == Step::Prerequisites && !succeeded {
            break;
        }
    }
    let all_succeeded = table.iter().all(|&(_, succeeded, _)| succeeded);
    print_table(&table);
    println!("{} passed, {} failed", count.n_passed, count.n_failed);
    Ok(all_succeeded)
}

fn run_step(step: Step, options: &Options, count: &mut TestsCount) -> Result<()> {
    match step {
        Step::Prerequisites => prerequisites::check(options.install || prerequisites::on_ci_as_root()),
        Step::Fmt => succeed(&mut cargo(&["fmt", "--all", "--check"])),
        Step::Tidy => tidy::check(&root()),
        Step::Clippy => {
            succeed(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
        }
        Step::Doc => succeed(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings")),
        Step::Kafka => {
            let installation = Installation::prepare()?;
            println!("  the jars are there, for Java {}", installation.java.major);
            Ok(())
        }
        Step::Test => test(count),
        Step::Tls => succeed(&mut cargo(&["check", "--package", "touchstone-cli", "--features", "tls"])),
    }
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}

/// Runs all tests, passing their output on line by line, and counts them. A test program that dies without a result line,
/// or a tree that does not compile, counts as one failure, so that "0 failed" is never said of such a run.
fn test(count: &mut TestsCount) -> Result<()> {
    let mut child = cargo(&["test", "--workspace", "--no-fail-fast"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.context("cannot read the output of cargo test")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        if let Some(more) = TestsCount::from_line(line.trim_end()) {
            *count += more;
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    if !status.success() && count.n_failed == 0 {
        count.n_failed = 1;
    }
    ensure!(status.success(), "it ended with {status}");
    ensure!(count.n_passed > 0, "no test ran");
    Ok(())
}

fn print_table(table: &[(Step, bool, Duration)]) {
    println!("\n=== summary");
    for &(step, succeeded, time) in table {
        let word = if succeeded { "ok" } else { "FAILED" };
        println!("  {:<13} {word:<6} {:>7.1} s", step.name(), time.as_secs_f64());
    }
    let total: Duration = table.iter().map(|&(_, _, time)| time).sum();
    println!("  {:<13} {:<6} {:>7.1} s\n", "total", "", total.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_goes_by_its_own_name() {
        for step in Step::value_variants() {
            let word = step.to_possible_value().expect("no step is hidden");
            assert_eq!(word.get_name(), step.name());
        }
    }
}
