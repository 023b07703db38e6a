//! The member of the consumer group: what happens when partitions come and go.

use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::Statistics;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

use crate::client::{self, REQUEST_TIMEOUT, SESSION_TIMEOUT};
use crate::failpoint;
use crate::health::Health;
use crate::metrics::{Metrics, Rebalance};
use crate::settings::TopicNames;
use crate::stage::Desk;
use crate::state::Request;

/// How long a revocation waits for the last burst. Longer, and the whole group would wait for us.
const REVOKE_LIMIT: Duration = Duration::from_millis(SESSION_TIMEOUT.as_millis() as u64 / 3);

/// How long to ask for committed offsets. A partition whose last owner died in the middle of a transaction has none
/// until that transaction is over.
const COMMITTED_LIMIT: Duration = Duration::from_secs(30);

pub(crate) type GroupConsumer = BaseConsumer<GroupContext>;

/// Runs inside `poll`, on the poller's thread.
pub(crate) struct GroupContext {
    topic: String,
    recheck: String,
    /// Where the state of new partitions is asked for.
    restorer: Sender<Request>,
    desk: Arc<Desk>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    /// Why an assignment could not be taken up; the poller ends the session.
    pub(crate) failure: Mutex<Option<KafkaError>>,
}

impl GroupContext {
    pub(crate) fn new(
        topics: &TopicNames,
        restorer: Sender<Request>,
        desk: Arc<Desk>,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (topic, recheck) = (topics.listings.clone(), topics.recheck.clone());
        Self { topic, recheck, restorer, desk, health, metrics, failure: Mutex::new(None) }
    }

    /// Takes up partitions from where the group's committed offsets say; from the beginning where it has none. The choice
    /// is made here, so that an offset that is gone can be an error instead of a silent jump.
    fn assign(&self, consumer: &GroupConsumer, partitions: &TopicPartitionList) -> KafkaResult<()> {
        failpoint::reach("group.assign");
        let mut both = partitions.clone();
        for element in partitions.elements() {
            both.add_partition(&self.recheck, element.partition());
        }
        let committed = self.committed(consumer, &both)?;
        let next = |topic: &str, partition: i32| match committed.find_partition(topic, partition)?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        let mut start = TopicPartitionList::with_capacity(partitions.count());
        for element in partitions.elements() {
            let partition = element.partition();
            let from = next(&self.topic, partition);
            let offset = from.map_or(Offset::Beginning, Offset::Offset);
            start.add_partition_offset(element.topic(), partition, offset)?;
            let epoch = self.desk.board.assign(partition, from, next(&self.recheck, partition));
            // The restorer ends before this only if the session is over.
            let _ = self.restorer.send(Request { partition, epoch });
            tracing::info!(partition, from = ?offset, "partition assigned");
        }
        self.metrics.rebalance(Rebalance::Assigned, start.count());
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(&start),
            _ => consumer.assign(&start),
        }
    }

    fn committed(
        &self,
        consumer: &GroupConsumer,
        partitions: &TopicPartitionList,
    ) -> KafkaResult<TopicPartitionList> {
        if partitions.count() == 0 {
            return Ok(TopicPartitionList::new());
        }
        let deadline = Instant::now() + COMMITTED_LIMIT;
        loop {
            let result = consumer.committed_offsets(partitions.clone(), REQUEST_TIMEOUT);
            let result = result.and_then(|list| {
                let error = list.elements().iter().find_map(|e| e.error().err());
                error.map_or(Ok(list), Err)
            });
            match result {
                Err(error) if Instant::now() < deadline && !self.desk.board.has_ended() => {
                    tracing::warn!(%error, "asking for committed offsets again");
                    std::thread::sleep(Duration::from_millis(100));
                }
                result => return result,
            }
        }
    }

    fn revoke(&self, consumer: &GroupConsumer, partitions: &TopicPartitionList) -> KafkaResult<()> {
        failpoint::reach("group.revoke");
        let numbers: Vec<i32> = partitions.elements().iter().map(|e| e.partition()).collect();
        if consumer.assignment_lost() {
            tracing::warn!(partitions = ?numbers, "partitions lost");
            self.desk.board.lose(&numbers);
            self.metrics.rebalance(Rebalance::Lost, numbers.len());
        } else {
            let clean = self.desk.board.revoke(&numbers, REVOKE_LIMIT);
            self.metrics.rebalance(Rebalance::Revoked, numbers.len());
            tracing::info!(partitions = ?numbers, clean, "partitions revoked");
        }
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
            _ => consumer.unassign(),
        }
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka consumer");
    }

    /// Notes where the partitions end, for the lag.
    fn stats(&self, statistics: Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        for (number, partition) in &topic.partitions {
            // With read_committed the last stable offset is the end that matters.
            let end = if partition.ls_offset >= 0 { partition.ls_offset } else { partition.hi_offset };
            if *number >= 0 && end >= 0 {
                self.desk.board.set_end(*number, end);
            }
        }
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(
        &self,
        consumer: &GroupConsumer,
        event: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let result = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let result = self.assign(consumer, partitions);
                self.health.has_joined.store(true, Ordering::Relaxed);
                result
            }
            _ => self.revoke(consumer, partitions),
        };
        self.desk.board.assignment_changed.store(true, Ordering::Relaxed);
        if let Err(error) = result {
            let mut failure = self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            failure.get_or_insert(error);
        }
    }

    fn main_queue_min_poll_interval(&self) -> rdkafka::util::Timeout {
        Duration::from_millis(50).into()
    }
}
