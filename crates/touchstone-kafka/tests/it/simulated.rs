//! The demo's simulated broker: enough for a demo, and labelled so.

use std::time::Duration;

use anyhow::Result;
use touchstone_kafka::sim::SimulatedBroker;
use touchstone_kafka::{TopicNames, submit_catalog};
use touchstone_types::CatalogRecord;

use crate::support::{Stage, StubJudging, Worker, send_listings};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_the_simulated_broker_judges_everything_once() -> Result<()> {
    let broker = SimulatedBroker::start(&TopicNames::default())?;
    let stage = Stage { settings: broker.settings() };
    let brand = CatalogRecord::from_json(br#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#)?;
    submit_catalog(&stage.settings, [&brand])?;
    send_listings(&stage.settings, 200, 50)?;
    let worker = Worker::start(&stage.settings, StubJudging::default());
    let report = stage.wait_done(200, Duration::from_secs(60))?;
    worker.stop().await?;
    // The second worker begins at the offsets that the first one's shim committed.
    send_listings(&stage.settings, 100, 50)?;
    let worker = Worker::start(&stage.settings, StubJudging::default());
    let again = stage.wait_done(300, Duration::from_secs(60))?;
    worker.stop().await?;
    assert_eq!((report.violations, report.n_verdicts), (vec![], 200));
    assert_eq!((again.violations, again.n_verdicts), (vec![], 300));
    Ok(())
}
