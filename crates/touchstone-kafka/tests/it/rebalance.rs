//! Workers that come and go share the partitions, and the ledger stays exact.

use std::time::Duration;

use anyhow::Result;
use touchstone_testkit::{KafkaCluster, wait_until};

use crate::process::WorkerProcess;
use crate::progress::Progress;
use crate::support::{Stage, send_listings};

#[tokio::test(flavor = "multi_thread")]
async fn workers_come_and_go_and_the_ledger_stays_exact() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 6).await?;
    let progress = Progress::new(&stage, 6)?;
    let settings = stage.toml("[limits]\nmax_in_flight = 200\ncommit_interval_ms = 20\n");
    let limit = Duration::from_secs(60);
    let mut n_sent = 0;
    let mut send_and_wait = |workers: &mut [&mut WorkerProcess]| -> Result<()> {
        send_listings(&stage.settings, 1_500, 500)?;
        n_sent += 1_500;
        // Somewhere in the middle, so that the next change of the group comes while there is work in hand.
        progress.wait_for(n_sent - 900, limit)?;
        for worker in workers {
            assert!(worker.is_running()?);
        }
        Ok(())
    };
    let mut first = WorkerProcess::start(&settings)?;
    send_and_wait(&mut [&mut first])?;
    let mut second = WorkerProcess::start(&settings)?;
    send_and_wait(&mut [&mut first, &mut second])?;
    let mut third = WorkerProcess::start(&settings)?;
    send_and_wait(&mut [&mut first, &mut second, &mut third])?;
    assert_eq!(first.terminate()?.code(), Some(0));
    send_and_wait(&mut [&mut second, &mut third])?;
    // Killed without instance_id: its partitions are free when its session has timed out.
    second.kill()?;
    send_and_wait(&mut [&mut third])?;
    let report = stage.wait_done(7_500, limit)?;
    assert_eq!(report.violations, []);
    assert_eq!(report.n_verdicts, 7_500);
    assert_eq!(third.terminate()?.code(), Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_worker_gets_its_share() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 4).await?;
    let ports: Vec<u16> = (0..2).map(|_| free_port()).collect::<Result<_>>()?;
    let start =
        |port: u16| WorkerProcess::start(&stage.toml(&format!("[http]\nlisten = \"127.0.0.1:{port}\"\n")));
    let first = start(ports[0])?;
    send_listings(&stage.settings, 40, 40)?;
    stage.wait_done(40, Duration::from_secs(60))?;
    let second = start(ports[1])?;
    // The lag is told for the partitions that a worker owns.
    let n_owned = |port: u16| -> usize {
        let text = crate::one_node::get(([127, 0, 0, 1], port).into(), "/metrics").unwrap_or_default();
        text.lines().filter(|line| line.starts_with("touchstone_lag{")).count()
    };
    wait_until("each worker to own two partitions", Duration::from_secs(60), || {
        // A partition's lag is known once something of it has been committed.
        send_listings(&stage.settings, 40, 40)?;
        Ok(ports.iter().all(|port| n_owned(*port) == 2))
    })?;
    assert_eq!(second.terminate()?.code(), Some(0));
    assert_eq!(first.terminate()?.code(), Some(0));
    let report = touchstone_kafka::verify::verify(&stage.settings)?;
    assert_eq!(report.violations, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_worker_that_wakes_up_writes_nothing_twice() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 2).await?;
    let progress = Progress::new(&stage, 2)?;
    let settings = stage.toml(
        "properties = { \"session.timeout.ms\" = 6000 }\n[limits]\nmax_in_flight = 200\ncommit_interval_ms = 0\n",
    );
    let limit = Duration::from_secs(60);
    send_listings(&stage.settings, 4_000, 500)?;
    let frozen = WorkerProcess::start(&settings)?;
    progress.wait_for(200, limit)?;
    frozen.freeze()?;
    // Everything can only be done once the frozen worker's session is over and its partitions have moved.
    let other = WorkerProcess::start(&settings)?;
    progress.wait_for(4_000, limit)?;
    frozen.thaw()?;
    send_listings(&stage.settings, 1_000, 500)?;
    let report = stage.wait_done(5_000, limit)?;
    assert_eq!((report.violations, report.n_verdicts), (vec![], 5_000));
    assert_eq!(frozen.terminate()?.code(), Some(0));
    assert_eq!(other.terminate()?.code(), Some(0));
    Ok(())
}

pub(crate) fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
