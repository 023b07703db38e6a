//! The takedown job of `examples/takedown_job.rs` in a process of its own, which is killed and started again.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;
use tempfile::TempDir;
use touchstone_testkit::wait_until;

use crate::seeded::Seeded;
use crate::support::Stage;

/// Its arguments, a line each, for `takedown_job::job_process`.
const ARGUMENTS: &str = "TOUCHSTONE_TEST_TAKEDOWN_JOB";

/// How long it may take to come to the end. The group waits 45 s for a member that was killed.
const END_LIMIT: Duration = Duration::from_secs(150);

/// Listings and flags that are taken down.
pub(crate) type Down = BTreeSet<(String, String)>;

pub(crate) struct Job {
    arguments: String,
    journal: PathBuf,
    _folder: TempDir,
    child: Option<Child>,
    /// Asks what it has committed.
    asking: BaseConsumer,
    review: String,
    seeded: Seeded,
    next_kill: Instant,
    pub(crate) n_kills: usize,
}

impl Job {
    /// Starts it on the flags of a stage.
    pub(crate) fn start(stage: &Stage, seed: u64) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let journal = folder.path().join("journal.jsonl");
        let bootstrap = stage.settings.kafka()?.bootstrap_servers.clone();
        let group = format!("{}-takedowns", stage.name());
        let review = stage.topics().review.clone();
        let path = journal.to_str().context("a folder that is not UTF-8")?;
        let arguments =
            ["--bootstrap", &bootstrap, "--group", &group, "--review", &review, "--journal", path].join("\n");
        let asking =
            ClientConfig::new().set("bootstrap.servers", &bootstrap).set("group.id", &group).create()?;
        let mut job = Self {
            arguments,
            journal,
            _folder: folder,
            child: None,
            asking,
            review,
            seeded: Seeded::new(seed),
            next_kill: Instant::now(),
            n_kills: 0,
        };
        job.spawn()?;
        Ok(job)
    }

    fn spawn(&mut self) -> Result<()> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["takedown_job::job_process", "--exact", "--nocapture"]);
        command.env(ARGUMENTS, &self.arguments).stdin(Stdio::null()).stdout(Stdio::null());
        self.child = Some(command.spawn().context("cannot start the takedown job")?);
        self.next_kill = Instant::now() + Duration::from_millis(30_000 + self.seeded.below(60_000));
        Ok(())
    }

    /// SIGKILL and a new start now and then.
    pub(crate) fn tick(&mut self) -> Result<()> {
        self.check()?;
        if Instant::now() < self.next_kill {
            return Ok(());
        }
        self.kill()?;
        self.n_kills += 1;
        self.spawn()
    }

    fn check(&mut self) -> Result<()> {
        match self.child.as_mut().map_or(Ok(None), Child::try_wait)? {
            Some(status) => bail!("the takedown job ended by itself: {status}"),
            None => Ok(()),
        }
    }

    fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// What is taken down by its journal, once it has committed everything before these offsets.
    pub(crate) fn end(mut self, ends: &BTreeMap<i32, i64>) -> Result<Down> {
        let mut list = TopicPartitionList::new();
        for partition in ends.keys() {
            list.add_partition(&self.review, *partition);
        }
        wait_until("the takedown job to come to the end", END_LIMIT, || {
            self.check()?;
            let Ok(committed) = self.asking.committed_offsets(list.clone(), Duration::from_secs(5)) else {
                return Ok(false);
            };
            let is_there = |(partition, end): (&i32, &i64)| {
                let found =
                    committed.find_partition(&self.review, *partition).map(|element| element.offset());
                matches!(found, Some(Offset::Offset(offset)) if offset >= *end)
            };
            Ok(ends.iter().all(is_there))
        })?;
        self.kill()?;
        down(&std::fs::read_to_string(&self.journal)?)
    }
}

/// What a journal leaves taken down. It acts once on a flag, and undoes only what it did.
fn down(journal: &str) -> Result<Down> {
    let mut down = Down::new();
    for line in journal.lines() {
        let act: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let text =
            |name: &str| act[name].as_str().map(str::to_owned).with_context(|| format!("{name}: {act}"));
        let flag = (text("listing_id")?, text("flag_id")?);
        let is_new = match text("act")?.as_str() {
            "take_down" => down.insert(flag),
            "restore" | "close" => down.remove(&flag),
            other => bail!("no such act: {other}"),
        };
        anyhow::ensure!(is_new, "done twice: {act}");
    }
    Ok(down)
}

impl Drop for Job {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.kill();
    }
}
