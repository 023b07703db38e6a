//! How far the workers' group has come.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use touchstone_testkit::wait_until;

use crate::support::Stage;

/// Asks how much the group has committed.
pub(crate) struct Progress {
    consumer: BaseConsumer,
    topic: String,
    n_partitions: i32,
}

impl Progress {
    pub(crate) fn new(stage: &Stage, n_partitions: i32) -> Result<Self> {
        let kafka = stage.settings.kafka()?;
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", &kafka.bootstrap_servers)
            .set("group.id", &kafka.group_id)
            .create()?;
        Ok(Self { consumer, topic: stage.topics().listings.clone(), n_partitions })
    }

    /// The committed offset of each partition, 0 where there is none; nothing while the brokers do not answer.
    pub(crate) fn by_partition(&self) -> Option<BTreeMap<i32, i64>> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.topic, 0, self.n_partitions - 1);
        let list = self.consumer.committed_offsets(list, Duration::from_secs(2)).ok()?;
        let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
        Some(list.elements().iter().map(|e| (e.partition(), offset(e.offset()))).collect())
    }

    /// The sum of the committed offsets; nothing while the brokers do not answer.
    pub(crate) fn committed(&self) -> Option<i64> {
        Some(self.by_partition()?.values().sum())
    }

    pub(crate) fn wait_for(&self, n: i64, limit: Duration) -> Result<()> {
        wait_until(&format!("{n} inputs to be committed"), limit, || {
            Ok(self.committed().is_some_and(|c| c >= n))
        })
    }
}
