//! Creating and describing topics.

use anyhow::Result;
use touchstone_kafka::Settings;
use touchstone_kafka::topics::{TopicOptions, create, describe};
use touchstone_testkit::KafkaCluster;

use crate::support::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn created_topics_are_right_and_creating_again_changes_nothing() -> Result<()> {
    let cluster = KafkaCluster::shared()?;
    let stage = Stage::new(cluster, 4).await?;
    let options = TopicOptions { n_partitions: 4, ..TopicOptions::default() };
    let described = describe(&stage.settings, &options).await?;
    assert_eq!(described.len(), 8);
    assert!(described.iter().all(|topic| topic.differences.is_empty()), "{described:#?}");
    assert!(create(&stage.settings, &options).await?.iter().all(|topic| topic.existed));
    // Asked for more, the description says what is missing.
    let more = TopicOptions { n_partitions: 8, max_message_bytes: 12 << 20, replication: None };
    let described = describe(&stage.settings, &more).await?;
    let listings = described.iter().find(|topic| topic.plan.role == "listings").unwrap();
    let what: Vec<&str> = listings.differences.iter().map(|d| d.what.as_str()).collect();
    assert_eq!(what, ["partitions", "max.message.bytes"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_are_not_there_are_an_error_that_says_so() {
    let settings = Settings::with_bootstrap("127.0.0.1:1");
    let error = create(&settings, &TopicOptions::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot reach the Kafka brokers");
}
