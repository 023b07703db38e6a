//! The state of a listing stands in the partition of its inputs, so both topics must have as many.

use anyhow::{Context as _, Result};
use touchstone_kafka::Settings;
use touchstone_testkit::KafkaCluster;

use super::market;
use crate::process::WorkerProcess;
use crate::support::{Stage, Worker};

#[tokio::test(flavor = "multi_thread")]
async fn unequal_numbers_of_partitions_are_refused_at_start() -> Result<()> {
    let cluster = KafkaCluster::shared()?;
    let (three, two) = (Stage::new(cluster, 3).await?, Stage::new(cluster, 2).await?);
    let (listings, state) = (&three.topics().listings, &two.topics().state);
    let text = three.toml("").replace(&three.topics().state, state);
    let settings = Settings::from_toml(&text)?;
    assert_eq!(&settings.topics.state, state);

    let error = Worker::start(&settings, market::judging()).end().await?;
    assert_eq!(error.exit_code(), 1);
    let said = error.to_string();
    for part in [listings.as_str(), state.as_str(), "3", "2"] {
        // The names have digits of their own.
        let rest = said.replace(listings.as_str(), "").replace(state.as_str(), "");
        assert!(said.contains(part) && (part.len() > 1 || rest.contains(part)), "no {part} in: {said}");
    }

    let status = WorkerProcess::start(&text)?.wait_end()?;
    assert_eq!(status.code().context("ended by a signal")?, 1);
    Ok(())
}
