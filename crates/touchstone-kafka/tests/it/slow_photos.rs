//! Photos that take seconds or never come: workers go on polling, and keep their partitions while others come and go.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use touchstone_kafka::Sender;
use touchstone_kafka::load::{HostSettings, PhotoHost, pictures};
use touchstone_testkit::{KafkaCluster, wait_until};

use crate::one_node::get;
use crate::process::WorkerProcess;
use crate::progress::Progress;
use crate::rebalance::free_port;
use crate::support::{LIMIT, Stage, listing};

/// A host whose slow photos take longer than a heartbeat may be late and shorter than the deadline of a listing.
async fn host() -> Result<PhotoHost> {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = HostSettings { address, latency: Duration::ZERO, slow: Duration::from_millis(1_500) };
    Ok(PhotoHost::start(settings, pictures(7, 4)).await?)
}

/// Sends listings with a photo of its own each.
fn send(stage: &Stage, host: &PhotoHost, fate: &str, n: usize) -> Result<()> {
    let mut sender = Sender::new(&stage.settings)?;
    for number in 0..n {
        let id = format!("EX-{fate}-{number}");
        let mut json = listing(&id, 1, "Lumora 20");
        json.pop();
        let images =
            format!(r#","images":[{{"url":"{}/{fate}/{}.jpg?{number}"}}]}}"#, host.origin(), number % 4);
        json.extend(images.into_bytes());
        sender.record(&stage.topics().listings, Some(id.as_bytes()), Some(&json), &Vec::new())?;
    }
    anyhow::ensure!(sender.finish()? == n);
    Ok(())
}

/// A worker that would be thrown out of the group if its poller were silent for 6 s.
fn settings(stage: &Stage, host: &PhotoHost, port: u16, deadline_ms: u32, more: &str) -> String {
    let properties = "properties = { \"session.timeout.ms\" = 6000, \"max.poll.interval.ms\" = 6000 }";
    let origin = host.origin();
    stage.toml(&format!(
        "{properties}\n[http]\nlisten = \"127.0.0.1:{port}\"\n\
         [photos]\ntest_origins = [\"{origin}\"]\ndeadline_ms = {deadline_ms}\n{more}\n[limits]\nmax_in_flight = 40\n"
    ))
}

fn n_lost(port: u16) -> Result<f64> {
    counted(port, "touchstone_partitions_total{outcome=\"lost\"} ")
}

fn counted(port: u16, name: &str) -> Result<f64> {
    let text = get(SocketAddr::from(([127, 0, 0, 1], port)), "/metrics")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).context("not counted")?;
    Ok(line.parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_come_and_go_while_photos_take_seconds() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 6).await?;
    let (host, progress) = (host().await?, Progress::new(&stage, 6)?);
    let n = 900;
    send(&stage, &host, "slow", n)?;
    let ports: Vec<u16> = (0..2).map(|_| free_port()).collect::<Result<_>>()?;
    // All that are in hand are fetched at once: what waited for its turn too long would give the host a rest.
    let many = "max_fetches = 40\nmax_fetches_per_host = 40";
    let stays = WorkerProcess::start(&settings(&stage, &host, ports[0], 20_000, many))?;
    progress.wait_for(1, LIMIT)?;
    let mut n_moves = 0;
    while progress.committed().is_some_and(|committed| committed < 700) {
        let comes = WorkerProcess::start(&settings(&stage, &host, ports[1], 20_000, many))?;
        let joined = |text: String| text.contains("group joined: yes");
        wait_until("the other worker to join", LIMIT, || {
            Ok(get(SocketAddr::from(([127, 0, 0, 1], ports[1])), "/readyz").is_ok_and(joined))
        })?;
        let before = progress.committed().unwrap_or(0);
        wait_until("some progress", LIMIT, || Ok(progress.committed().is_some_and(|c| c > before + 20)))?;
        assert_eq!(comes.terminate()?.code(), Some(0));
        n_moves += 2;
    }
    let report = stage.wait_done(n, LIMIT)?;
    assert_eq!((report.violations, report.n_verdicts), (vec![], n));
    assert!(n_moves >= 4, "{n_moves} changes of the group are no storm");
    assert!(n_lost(ports[0])? < 1.0, "a worker that polls was thrown out");
    assert_eq!(stays.terminate()?.code(), Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_photo_host_delays_verdicts_and_stops_nothing() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 2).await?;
    let host = host().await?;
    send(&stage, &host, "hang", 400)?;
    send(&stage, &host, "photo", 50)?;
    let port = free_port()?;
    // Two fetches at once: every slot hangs, and most listings wait for their turn until their time is over.
    let worker = WorkerProcess::start(&settings(&stage, &host, port, 3_000, "max_fetches = 2"))?;
    let report = stage.wait_done(450, LIMIT)?;
    assert_eq!((report.violations, report.n_verdicts, report.n_dead_letters), (vec![], 450, 0));
    assert!(n_lost(port)? < 1.0, "a worker that polls was thrown out");
    assert!(counted(port, "touchstone_photo_fetch_total{outcome=\"timeout\"} ")? >= 400.0);
    assert_eq!(worker.terminate()?.code(), Some(0));
    Ok(())
}
