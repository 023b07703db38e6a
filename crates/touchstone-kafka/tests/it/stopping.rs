//! The ends of a worker: told to stop, robbed of its inputs, or badly placed from the start.

use std::time::{Duration, Instant};

use anyhow::Result;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use touchstone_kafka::{Error, verify};
use touchstone_testkit::KafkaCluster;

use crate::process::WorkerProcess;
use crate::progress::Progress;
use crate::support::{LIMIT, Stage, StubJudging, Worker, send_listings};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_the_middle_leaves_no_open_transaction_and_nothing_half_done() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 3).await?;
    send_listings(&stage.settings, 12_000, 1_000)?;
    let settings =
        stage.toml("instance_id = \"worker-1\"\n[limits]\nmax_in_flight = 300\ncommit_interval_ms = 20\n");
    let progress = Progress::new(&stage, 3)?;
    let worker = WorkerProcess::start(&settings)?;
    progress.wait_for(500, LIMIT)?;
    assert_eq!(worker.terminate()?.code(), Some(0));
    // An open transaction would hide the ends of the topics until its time-out of 10 s.
    let looked = Instant::now();
    let report = verify::verify(&stage.settings)?;
    assert!(looked.elapsed() < Duration::from_secs(8), "{:?}", looked.elapsed());
    assert_eq!(report.violations, []);
    assert_eq!(report.n_pending + report.n_verdicts, 12_000, "{report:?}");
    assert!(report.n_pending > 0, "the worker was too fast for this test");

    let worker = WorkerProcess::start(&settings)?;
    let report = stage.wait_done(12_000, LIMIT)?;
    assert_eq!((report.violations, report.n_verdicts), (vec![], 12_000));
    assert_eq!(worker.terminate()?.code(), Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_deleted_before_they_were_judged_are_a_loud_end() -> Result<()> {
    let cluster = KafkaCluster::shared()?;
    let stage = Stage::new(cluster, 1).await?;
    send_listings(&stage.settings, 10, 10)?;
    let worker = Worker::start(&stage.settings, StubJudging::default());
    stage.wait_done(10, LIMIT)?;
    worker.stop().await?;
    send_listings(&stage.settings, 10, 10)?;
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", cluster.bootstrap()).create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&stage.topics().listings, 0, Offset::Offset(15))?;
    admin.delete_records(&list, &AdminOptions::new()).await?;
    match Worker::start(&stage.settings, StubJudging::default()).end().await? {
        Error::OffsetGone { partition: 0, offset: 10, start: 15, .. } => Ok(()),
        other => Err(other.into()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_topics_are_named() -> Result<()> {
    let mut stage = Stage::new(KafkaCluster::shared()?, 1).await?;
    stage.settings.topics.review = "nowhere".into();
    let error = Worker::start(&stage.settings, StubJudging::default()).end().await?;
    assert_eq!(error.exit_code(), 1);
    assert_eq!(error.to_string(), "missing topics: nowhere; create them with `touchstone topics create`");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_the_same_slot_takes_over_and_nothing_is_doubled() -> Result<()> {
    let stage = Stage::new(KafkaCluster::shared()?, 2).await?;
    let settings =
        stage.toml("instance_id = \"worker-1\"\n[limits]\nmax_in_flight = 300\ncommit_interval_ms = 20\n");
    send_listings(&stage.settings, 4_000, 500)?;
    let progress = Progress::new(&stage, 2)?;
    let mut older = WorkerProcess::start(&settings)?;
    progress.wait_for(300, LIMIT)?;
    let newer = WorkerProcess::start(&settings)?;
    touchstone_testkit::wait_until("the older worker to be replaced", LIMIT, || Ok(!older.is_running()?))?;
    send_listings(&stage.settings, 1_000, 500)?;
    let report = stage.wait_done(5_000, LIMIT)?;
    assert_eq!((report.violations, report.n_verdicts), (vec![], 5_000));
    assert_eq!(newer.terminate()?.code(), Some(0));
    Ok(())
}
