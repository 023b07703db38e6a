//! A reader of committed verdicts that watches from the beginning, as a takedown job would.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::support::Stage;

/// What was seen of each partition: the offsets, in the order in which they came.
pub(crate) type Seen = BTreeMap<i32, Vec<i64>>;

pub(crate) struct Witness {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Seen>>,
}

impl Witness {
    pub(crate) fn start(stage: &Stage, n_partitions: i32) -> Result<Self> {
        let consumer = reader(stage, n_partitions, "read_committed")?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let stop = Arc::clone(&stop);
            move || Ok(watch(&consumer, || stop.load(Ordering::Relaxed)))
        });
        Ok(Self { stop, thread })
    }

    /// What it has seen by the time it sees nothing new.
    pub(crate) fn end(self) -> Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the witness panicked"))?
    }
}

/// How many verdicts stand in the log, those of aborted transactions included.
pub(crate) fn n_with_aborted(stage: &Stage, n_partitions: i32) -> Result<usize> {
    let consumer = reader(stage, n_partitions, "read_uncommitted")?;
    Ok(watch(&consumer, || true).values().map(Vec::len).sum())
}

fn reader(stage: &Stage, n_partitions: i32, isolation: &str) -> Result<BaseConsumer> {
    let kafka = stage.settings.kafka()?;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("group.id", format!("{}-witness", stage.name()))
        .set("isolation.level", isolation)
        .set("enable.auto.commit", "false")
        .create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..n_partitions {
        list.add_partition_offset(&stage.topics().verdicts, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    Ok(consumer)
}

/// Reads until nothing has come for three seconds after `is_over`.
fn watch(consumer: &BaseConsumer, is_over: impl Fn() -> bool) -> Seen {
    let mut seen = Seen::new();
    let mut n_silent = 0;
    while n_silent < 30 {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                n_silent = 0;
                seen.entry(message.partition()).or_default().push(message.offset());
            }
            _ if is_over() => n_silent += 1,
            _ => {}
        }
    }
    seen
}
