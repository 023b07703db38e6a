//! Reading a whole topic, once, without belonging to a group.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::Error;
use crate::client::{self, LogContext, REQUEST_TIMEOUT};
use crate::headers::{self, HeaderList, Source};
use crate::producer::is_denial;
use crate::settings::Settings;

/// Without a record or the end of a partition for so long, reading is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A committed record of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it stands.
    pub at: Source,
    /// When it was written, in milliseconds of Unix time, if the topic tells.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: HeaderList,
}

impl Record {
    /// The text of the last header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        headers::last(&self.headers, name)
    }

    pub(crate) fn of(message: &BorrowedMessage<'_>) -> Self {
        let (partition, offset) = (message.partition(), message.offset());
        Self {
            at: Source { topic: message.topic().into(), partition, offset },
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers::copy(message.headers()),
        }
    }
}

/// Calls `each` with every committed record that a topic holds now, partition by partition in order of offset (records of
/// different partitions are mixed). Returns the first offset that each partition still has.
///
/// # Errors
/// A missing topic, no answer from the brokers, or no progress for 30 s, which is also what an open transaction of a
/// vanished producer looks like.
pub fn read_topic(
    settings: &Settings,
    topic: &str,
    mut each: impl FnMut(Record),
) -> Result<BTreeMap<i32, i64>, Error> {
    let consumer = consumer(settings, topic)?;
    let bounds = bounds(&consumer, topic)?;
    let starts: BTreeMap<i32, Offset> =
        bounds.keys().map(|partition| (*partition, Offset::Beginning)).collect();
    read_to_end(&consumer, topic, &starts, |message| each(Record::of(message)))?;
    Ok(bounds.into_iter().map(|(partition, (start, _))| (partition, start)).collect())
}

/// Calls `each` with every committed record of the partitions named that stands at the offset named or behind it, without
/// copying any.
pub(crate) fn read_from(
    settings: &Settings,
    topic: &str,
    starts: &BTreeMap<i32, i64>,
    each: impl FnMut(&BorrowedMessage<'_>),
) -> Result<(), Error> {
    let starts: BTreeMap<i32, Offset> =
        starts.iter().map(|(partition, start)| (*partition, Offset::Offset(*start))).collect();
    read_to_end(&consumer(settings, topic)?, topic, &starts, each)
}

/// A consumer that reads committed records and has no partition yet.
pub(crate) fn consumer(settings: &Settings, topic: &str) -> Result<BaseConsumer<LogContext>, Error> {
    let config = client::reader(settings.kafka()?);
    BaseConsumer::from_config_and_context(&config, LogContext).map_err(Error::kafka(format!("read {topic}")))
}

fn read_to_end(
    consumer: &BaseConsumer<LogContext>,
    topic: &str,
    starts: &BTreeMap<i32, Offset>,
    mut each: impl FnMut(&BorrowedMessage<'_>),
) -> Result<(), Error> {
    let doing = || format!("read {topic}");
    let mut assignment = TopicPartitionList::with_capacity(starts.len());
    for (partition, start) in starts {
        assignment.add_partition_offset(topic, *partition, *start).map_err(Error::kafka(doing()))?;
    }
    consumer.assign(&assignment).map_err(Error::kafka(doing()))?;
    let mut open: BTreeSet<i32> = starts.keys().copied().collect();
    let mut last_progress = Instant::now();
    while !open.is_empty() {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                last_progress = Instant::now();
                if open.contains(&message.partition()) {
                    each(&message);
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                last_progress = Instant::now();
                open.remove(&partition);
            }
            Some(Err(error)) if error.rdkafka_error_code().is_some_and(is_denial) => {
                return Err(Error::kafka(doing())(error));
            }
            Some(Err(error)) => tracing::warn!(%error, topic, "reading"),
            None => {}
        }
        if last_progress.elapsed() > PATIENCE {
            return Err(Error::ReadTimeout { topic: topic.to_owned(), seconds: PATIENCE.as_secs() });
        }
    }
    Ok(())
}

/// The first offset of each partition, and the one behind its last record.
pub(crate) fn bounds(
    consumer: &BaseConsumer<LogContext>,
    topic: &str,
) -> Result<BTreeMap<i32, (i64, i64)>, Error> {
    let deadline = Instant::now() + REQUEST_TIMEOUT;
    let ask = |partition| loop {
        match consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT) {
            // The leader of a partition that was just made may not know of it yet.
            Err(error) if Instant::now() < deadline && !error.rdkafka_error_code().is_some_and(is_denial) => {
                thread::sleep(Duration::from_millis(50));
            }
            bounds => {
                return Ok((partition, bounds.map_err(Error::kafka(format!("read {topic}")))?));
            }
        }
    };
    partitions(consumer, topic)?.into_iter().map(ask).collect()
}

/// The numbers of a topic's partitions.
pub(crate) fn partitions(consumer: &BaseConsumer<LogContext>, topic: &str) -> Result<Vec<i32>, Error> {
    let metadata = consumer
        .fetch_metadata(Some(topic), REQUEST_TIMEOUT)
        .map_err(Error::kafka(format!("read {topic}")))?;
    let found: Vec<i32> =
        metadata.topics().iter().flat_map(|t| t.partitions()).map(|partition| partition.id()).collect();
    if found.is_empty() {
        return Err(Error::MissingTopics { topics: vec![topic.to_owned()] });
    }
    Ok(found)
}
