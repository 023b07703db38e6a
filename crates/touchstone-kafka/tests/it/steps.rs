//! Workers that are killed, overtaken or left standing at every single step of a commit.

use anyhow::Result;
use touchstone_testkit::KafkaCluster;

use crate::process::WorkerProcess;
use crate::progress::Progress;
use crate::support::{LIMIT, Stage, send_listings};

/// The places of `src/committer.rs`, in their order.
const STEPS: [&str; 6] = [
    "transaction.begun",
    "transaction.sent",
    "transaction.delivered",
    "transaction.checked",
    "transaction.offsets",
    "transaction.committed",
];

const SMALL_BURSTS: &str = "[limits]\nmax_in_flight = 100\ncommit_interval_ms = 0\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_at_any_step_of_a_commit_loses_and_doubles_nothing() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 3).await?;
    send_listings(&stage.settings, 6_000, 700)?;
    let settings = stage.toml(&format!("instance_id = \"worker-1\"\n{SMALL_BURSTS}"));
    for (number, step) in (0_u32..).zip(STEPS.iter().chain(&["group.assign"])) {
        let nth = if step.starts_with("group") { 1 } else { 1 + number % 3 };
        let worker = WorkerProcess::start_held(&settings, step, nth)?;
        worker.wait_held()?;
        worker.kill()?;
    }
    let worker = WorkerProcess::start(&settings)?;
    let report = stage.wait_done(6_000, LIMIT)?;
    assert_eq!((report.violations, report.n_verdicts), (vec![], 6_000));
    assert_eq!(worker.terminate()?.code(), Some(0));
    Ok(())
}

/// A worker stands still in a commit and nothing of its process moves until another one has taken its partitions over.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_overtaken_at_any_step_of_a_commit_writes_nothing_twice() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 2).await?;
    let progress = Progress::new(&stage, 2)?;
    let settings = stage.toml(&format!("properties = {{ \"session.timeout.ms\" = 6000 }}\n{SMALL_BURSTS}"));
    let mut n_sent = 0;
    for step in ["transaction.delivered", "transaction.checked", "transaction.offsets"] {
        send_listings(&stage.settings, 1_000, 300)?;
        n_sent += 1_000;
        let mut zombie = WorkerProcess::start_held(&settings, step, 2)?;
        zombie.wait_held()?;
        zombie.freeze()?;
        let other = WorkerProcess::start(&settings)?;
        // Its session must be over, and its transaction too where it holds offsets back: then all is done without it.
        progress.wait_for(n_sent, LIMIT)?;
        zombie.thaw()?;
        zombie.release()?;
        send_listings(&stage.settings, 1_000, 300)?;
        n_sent += 1_000;
        let report = stage.wait_done(n_sent as usize, LIMIT)?;
        assert_eq!((report.violations, report.n_verdicts), (vec![], n_sent as usize), "{step}");
        assert_eq!(zombie.terminate()?.code(), Some(0), "{step}");
        assert_eq!(other.terminate()?.code(), Some(0), "{step}");
    }
    Ok(())
}

/// The group gives a partition away while its last burst stands still: the worker lives, only its committer is slow.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_given_away_in_the_middle_of_a_commit_comes_out_once() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 2).await?;
    let progress = Progress::new(&stage, 2)?;
    let settings = stage.toml(SMALL_BURSTS);
    let mut n_sent = 0;
    for step in ["transaction.sent", "transaction.checked", "transaction.offsets"] {
        send_listings(&stage.settings, 2_000, 300)?;
        n_sent += 2_000;
        let mut slow = WorkerProcess::start_held(&settings, step, 2)?;
        slow.wait_held()?;
        let before = progress.committed().unwrap_or(0);
        let other = WorkerProcess::start(&settings)?;
        if step != "transaction.offsets" {
            // The other worker gets its share and goes on with it, while the first still stands in its commit.
            progress.wait_for(before + 50, LIMIT)?;
        }
        slow.release()?;
        let report = stage.wait_done(n_sent, LIMIT)?;
        assert_eq!((report.violations, report.n_verdicts), (vec![], n_sent), "{step}");
        assert_eq!(slow.terminate()?.code(), Some(0), "{step}");
        assert_eq!(other.terminate()?.code(), Some(0), "{step}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_committer_that_stands_still_for_too_long_ends_the_worker_with_70() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 1).await?;
    send_listings(&stage.settings, 500, 100)?;
    let settings = stage.toml(&format!("instance_id = \"worker-1\"\n{SMALL_BURSTS}"));
    let stuck = WorkerProcess::start_held(&settings, "transaction.offsets", 2)?;
    stuck.wait_held()?;
    assert_eq!(stuck.wait_end()?.code(), Some(70));
    let worker = WorkerProcess::start(&settings)?;
    let report = stage.wait_done(500, LIMIT)?;
    assert_eq!((report.violations, report.n_verdicts), (vec![], 500));
    assert_eq!(worker.terminate()?.code(), Some(0));
    Ok(())
}
