//! The reference consumer over a review topic written by hand: killed in between, it acts once on each flag.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{env, fs, process};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use touchstone_kafka::Sender;
use touchstone_testkit::{KafkaCluster, wait_until};

use crate::support::{LIMIT, Stage};

#[path = "../../examples/takedown_job.rs"]
#[expect(dead_code, reason = "its own main is not called here")]
mod example;

/// The arguments of the job, a line each, for the test below.
const ARGUMENTS: &str = "TOUCHSTONE_TEST_TAKEDOWN_JOB";

/// Not a test of its own: the entry of the job's process. Without the variable it does nothing.
#[test]
fn job_process() {
    let Ok(arguments) = env::var(ARGUMENTS) else { return };
    if let Err(error) = example::run(arguments.lines().map(str::to_owned)) {
        eprintln!("takedown job {}: {error:#}", process::id());
        process::exit(1);
    }
    process::exit(0);
}

/// The job in a process of its own, this test binary, started again; killed when dropped.
struct Job(Child);

impl Job {
    fn start(stage: &Stage, journal: &Path, until_idle: Option<&str>) -> Result<Self> {
        let group = format!("{}-takedowns", stage.name());
        let mut arguments =
            vec!["--bootstrap", &stage.settings.kafka()?.bootstrap_servers, "--group", &group];
        arguments.extend(["--review", &stage.topics().review]);
        arguments.extend(["--journal", journal.to_str().context("a path that is no text")?]);
        arguments.extend(until_idle.into_iter().flat_map(|seconds| ["--until-idle", seconds]));
        let mut command = Command::new(env::current_exe()?);
        command.args(["takedown_job::job_process", "--exact", "--nocapture"]);
        command.env(ARGUMENTS, arguments.join("\n")).stdin(Stdio::null()).stdout(Stdio::null());
        Ok(Self(command.spawn().context("cannot start the job")?))
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // SIGKILL, unless it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes flags, each as listing, flag, revision and decision.
fn write(stage: &Stage, flags: &[(u32, u64, u64, &str)]) -> Result<()> {
    let mut sender = Sender::new(&stage.settings)?;
    for (number, version, revision, decision) in flags {
        let id = format!("EX-{number}");
        let flag_id = format!("00000000-0000-5000-8000-{number:04x}{version:08x}");
        let flag = json!({"listing_id": id, "flag_id": flag_id, "revision": revision, "decision": decision,
            "listing_version": version, "reasons": [], "listing": {"listing_id": id}});
        sender.record(
            &stage.topics().review,
            Some(id.as_bytes()),
            Some(flag.to_string().as_bytes()),
            &Vec::new(),
        )?;
    }
    sender.finish()?;
    Ok(())
}

/// What the journal holds: its whole lines.
fn journal(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Listing by listing: flagged for review, proposed for takedown; every second is taken back, every third edited and
/// flagged anew, every fifth is for review only in the end.
fn lives(numbers: std::ops::Range<u32>) -> Vec<(u32, u64, u64, &'static str)> {
    let mut flags = Vec::new();
    for number in numbers {
        flags.extend([(number, 1, 1, "review"), (number, 1, 2, "takedown"), (number, 1, 3, "takedown")]);
        match number % 30 {
            n if n % 2 == 0 => flags.push((number, 1, 4, "retract")),
            n if n % 3 == 0 => flags.extend([(number, 1, 4, "retract"), (number, 2, 1, "takedown")]),
            n if n % 5 == 0 => flags.push((number, 1, 4, "review")),
            _ => {}
        }
    }
    flags
}

/// The listings that are down in the end.
fn down(acts: &[Value]) -> BTreeSet<&str> {
    let mut down = BTreeSet::new();
    for act in acts {
        let listing = act["listing_id"].as_str().unwrap();
        let changed = match act["act"].as_str().unwrap() {
            "take_down" => down.insert(listing),
            _ => down.remove(listing),
        };
        assert!(changed, "{act} changes nothing");
    }
    down
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_killed_acts_once_on_each_flag() -> Result<()> {
    const N: u32 = 300;
    let stage = Stage::new(KafkaCluster::shared()?, 3).await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("journal.jsonl");
    for part in 0..2 {
        write(&stage, &lives(part * N / 2..(part + 1) * N / 2))?;
        let before = journal(&path).len();
        let job = Job::start(&stage, &path, None)?;
        wait_until("some acts", LIMIT, || Ok(journal(&path).len() > before + 20))?;
        drop(job);
    }
    // Everything comes again, as after a producer's mistake: it is known.
    write(&stage, &lives(0..N))?;
    let mut job = Job::start(&stage, &path, Some("3"))?;
    let mut status = None;
    wait_until("the job to end", LIMIT, || {
        status = job.0.try_wait()?;
        Ok(status.is_some())
    })?;
    assert!(status.is_some_and(|status| status.success()), "{status:?}");

    let acts = journal(&path);
    let keys: BTreeSet<String> =
        acts.iter().map(|act| format!("{} {} {}", act["act"], act["flag_id"], act["revision"])).collect();
    assert_eq!(keys.len(), acts.len(), "no act twice");
    // Those that are taken back, and those for review only in the end, are not down.
    let stays = |n: &u32| matches!((n % 2, n % 3, n % 5), (1, 0, _) | (1, _, 1..));
    let expected: BTreeSet<String> = (0..N).filter(stays).map(|n| format!("EX-{n}")).collect();
    assert_eq!(down(&acts), expected.iter().map(String::as_str).collect());
    let n_superseded = (0..N).filter(|n| n % 2 != 0 && n % 3 == 0).count();
    let n_restored = (0..N).filter(|n| !stays(n)).count() + n_superseded;
    assert_eq!(acts.len(), N as usize + n_superseded + n_restored);
    Ok(())
}
