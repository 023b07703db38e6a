//! The properties of every client: what exactly-once stands on, in one place.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::settings::KafkaSettings;

/// The broker aborts a transaction that is open for longer. Ours live for milliseconds; a worker that vanished in the
/// middle of one holds up readers no longer than this.
pub(crate) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a vanished worker keeps its partitions.
pub(crate) const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a worker says to the group that it lives, and hears whether it still belongs to it.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(3);
/// How long one question to the cluster may take.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest record that our producers hand over; the topics' own limits are lower.
const MAX_PRODUCED_BYTES: usize = 128 << 20;

/// A client with `defaults`, over which the user's own properties go.
fn client(kafka: &KafkaSettings, defaults: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in defaults {
        config.set(*name, *value);
    }
    config.set("bootstrap.servers", &kafka.bootstrap_servers).set("client.id", "touchstone");
    for (name, value) in kafka.properties() {
        config.set(name, value);
    }
    config
}

/// The member of the consumer group. There is no reset of offsets: where the group has none, the worker chooses the
/// beginning itself; where the offset is gone, listings were lost, and that must be loud.
pub(crate) fn group_consumer(kafka: &KafkaSettings) -> ClientConfig {
    let session_timeout = SESSION_TIMEOUT.as_millis().to_string();
    let heartbeat = HEARTBEAT.as_millis().to_string();
    // Prefetched messages are thrown away when the worker pauses, so the queues are kept short.
    let defaults = [
        ("queued.min.messages", "2000"),
        ("queued.max.messages.kbytes", "16384"),
        ("fetch.queue.backoff.ms", "50"),
        ("heartbeat.interval.ms", heartbeat.as_str()),
        ("session.timeout.ms", session_timeout.as_str()),
        ("max.poll.interval.ms", "60000"),
        ("statistics.interval.ms", "2000"),
    ];
    let mut config = client(kafka, &defaults);
    config
        .set("group.id", &kafka.group_id)
        .set("group.protocol", "classic")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed");
    if let Some(instance) = &kafka.instance_id {
        config.set("group.instance.id", instance);
    }
    config
}

/// The producer of verdicts. Records of a burst leave at once: the burst is the batch.
pub(crate) fn transactional_producer(
    kafka: &KafkaSettings,
    transactional_id: &str,
    batch_bytes: usize,
) -> ClientConfig {
    let mut config = client(kafka, &[("linger.ms", "0"), ("compression.type", "lz4")]);
    // Java clients hash keys by murmur2: with it, the partition of a listing is the same whoever writes.
    config
        .set("partitioner", "murmur2_random")
        .set("transactional.id", transactional_id)
        .set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string())
        .set("message.max.bytes", MAX_PRODUCED_BYTES.to_string())
        .set("batch.size", batch_bytes.to_string());
    config
}

/// A producer outside transactions, for the catalog and for test listings.
pub(crate) fn plain_producer(kafka: &KafkaSettings) -> ClientConfig {
    let mut config = client(kafka, &[("linger.ms", "5"), ("compression.type", "lz4")]);
    config
        .set("partitioner", "murmur2_random")
        .set("enable.idempotence", "true")
        .set("message.max.bytes", MAX_PRODUCED_BYTES.to_string());
    config
}

/// A reader that belongs to no group: it is told its partitions and commits nothing.
pub(crate) fn reader(kafka: &KafkaSettings) -> ClientConfig {
    // The end of a partition is told when a fetch finds nothing; the broker holds such a fetch back for this long.
    let mut config = client(kafka, &[("fetch.wait.max.ms", "50")]);
    // librdkafka refuses `assign` without the name of a group; this one is never joined.
    config
        .set("group.id", format!("{}-reader", kafka.group_id))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true");
    config
}

/// Asks for the committed offsets of the worker's group, without joining it.
pub(crate) fn group_observer(kafka: &KafkaSettings) -> ClientConfig {
    let mut config = client(kafka, &[]);
    config
        .set("group.id", &kafka.group_id)
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed");
    config
}

/// Creates and describes topics.
pub(crate) fn admin(kafka: &KafkaSettings) -> ClientConfig {
    client(kafka, &[])
}

/// Sends what librdkafka says to `tracing`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LogContext;

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition comes along here too, beside being returned by `poll`.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::warn!(%error, reason, "kafka");
        }
    }
}

impl ConsumerContext for LogContext {}

pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        // All clients get the same properties, so each is told that some are not for it.
        _ if facility == "CONFWARN" => tracing::debug!(target: "librdkafka", facility, message),
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => tracing::error!(target: "librdkafka", facility, message),
        RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, message),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", facility, message);
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, message),
    }
}
