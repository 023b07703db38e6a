//! A takedown job in a process of its own, `examples/takedown_job.rs`, which is killed and started again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::seeded::Seeded;
use crate::support::Stage;

pub(crate) struct Job {
    program: PathBuf,
    arguments: Vec<String>,
    journal: PathBuf,
    _folder: TempDir,
    child: Option<Child>,
    seeded: Seeded,
    next_kill: Instant,
    pub(crate) n_kills: usize,
}

impl Job {
    /// Starts it on the flags of a stage.
    pub(crate) fn start(stage: &Stage, seed: u64) -> Result<Self> {
        let program = program()?;
        let folder = tempfile::tempdir()?;
        let journal = folder.path().join("journal.jsonl");
        let kafka = stage.settings.kafka()?;
        let group = format!("{}-takedowns", stage.name());
        let arguments = [
            ("--bootstrap", kafka.bootstrap_servers.as_str()),
            ("--group", &group),
            ("--review", &stage.topics().review),
            ("--journal", journal.to_str().context("a folder that is not UTF-8")?),
        ];
        let arguments = arguments.iter().flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()]);
        let mut job = Self {
            program,
            arguments: arguments.collect(),
            journal,
            _folder: folder,
            child: None,
            seeded: Seeded::new(seed),
            next_kill: Instant::now(),
            n_kills: 0,
        };
        job.spawn()?;
        Ok(job)
    }

    fn spawn(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        let child = command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        self.child = Some(child.with_context(|| format!("cannot start {}", self.program.display()))?);
        self.next_kill = Instant::now() + Duration::from_millis(4_000 + self.seeded.below(16_000));
        Ok(())
    }

    /// SIGKILL and a new start now and then.
    pub(crate) fn tick(&mut self) -> Result<()> {
        if let Some(status) = self.child.as_mut().map_or(Ok(None), Child::try_wait)? {
            anyhow::bail!("the takedown job ended by itself: {status}");
        }
        if Instant::now() < self.next_kill {
            return Ok(());
        }
        self.kill()?;
        self.n_kills += 1;
        self.spawn()
    }

    fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Runs it to the end of the topic once more, and returns the journal it has kept.
    pub(crate) fn end(mut self) -> Result<String> {
        self.kill()?;
        let mut command = Command::new(&self.program);
        let output = command.args(&self.arguments).arg("--until-idle").stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "the takedown job ended with {}: {said}", output.status);
        Ok(std::fs::read_to_string(&self.journal)?)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.kill();
    }
}

/// Cargo builds examples before it runs tests, into the folder beside the tests'.
fn program() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("a test program without a folder")?;
    let program = folder.join("examples").join("takedown_job");
    ensure!(
        program.exists(),
        "{} is missing: `cargo build -p touchstone-kafka --example takedown_job`",
        program.display()
    );
    Ok(program)
}
