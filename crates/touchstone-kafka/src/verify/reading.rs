//! Reading the ledger from Kafka.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::ledger::{Body, Ledger, OutputRecord, Partition};
use crate::Error;
use crate::client::{self, LogContext, REQUEST_TIMEOUT};
use crate::headers::{self, RecordKind, Source};
use crate::producer::is_denial;
use crate::reader::{Record, partitions, read_topic};
use crate::settings::Settings;

/// Reads everything the ledger is made of, committed records only. Takes about a kilobyte of memory for each flag and
/// some hundred bytes for every other record.
///
/// # Errors
/// Brokers that do not answer, missing topics, or an open transaction that hides the end of a topic for 30 s.
pub fn read(settings: &Settings) -> Result<Ledger, Error> {
    let names = &settings.topics;
    let committed = committed(settings)?;
    let mut ledger = Ledger {
        input_topic: names.listings.as_str().into(),
        verdicts: outputs(settings, &names.verdicts, |record| Body::of_verdict(record.value.as_deref()))?,
        review: outputs(settings, &names.review, |record| Body::of_verdict(record.value.as_deref()))?,
        dead_letters: outputs(settings, &names.dead_letters, |_| Body::Any)?,
        inputs: BTreeMap::new(),
    };
    let inputs = &mut ledger.inputs;
    let starts = read_topic(settings, &names.listings, |record| {
        let partition: &mut Partition = inputs.entry(record.at.partition).or_default();
        partition.offsets.push(record.at.offset);
    })?;
    for (number, start) in starts {
        let partition = inputs.entry(number).or_default();
        partition.start = start;
        // A group without a committed offset has not begun with this partition.
        partition.committed = Some(committed.get(&number).copied().unwrap_or(start));
    }
    Ok(ledger)
}

fn outputs(
    settings: &Settings,
    topic: &str,
    body: impl Fn(&Record) -> Body,
) -> Result<Vec<OutputRecord>, Error> {
    let mut outputs = Vec::new();
    read_topic(settings, topic, |record| {
        outputs.push(OutputRecord {
            kind: record.header(headers::KIND).and_then(RecordKind::parse),
            source: record.header(headers::SOURCE).and_then(Source::parse),
            body: body(&record),
            key: record.key.and_then(|key| String::from_utf8(key).ok()),
            at: record.at,
        });
    })?;
    Ok(outputs)
}

/// The group's committed offset of each partition of the input topic, where it has one.
fn committed(settings: &Settings) -> Result<BTreeMap<i32, i64>, Error> {
    let (kafka, topic) = (settings.kafka()?, &settings.topics.listings);
    let wrong = || Error::kafka(format!("read the committed offsets of {}", kafka.group_id));
    let consumer: BaseConsumer<LogContext> =
        BaseConsumer::from_config_and_context(&client::group_observer(kafka), LogContext).map_err(wrong())?;
    let mut list = TopicPartitionList::new();
    for partition in partitions(&consumer, topic)? {
        list.add_partition(topic, partition);
    }
    let deadline = Instant::now() + REQUEST_TIMEOUT * 3;
    loop {
        match ask(&consumer, list.clone()) {
            // Coordinators move, and the offsets of an open transaction are waited for.
            Err(error) if Instant::now() < deadline && !error.rdkafka_error_code().is_some_and(is_denial) => {
                thread::sleep(Duration::from_millis(100));
            }
            result => return result.map_err(wrong()),
        }
    }
}

fn ask(
    consumer: &BaseConsumer<LogContext>,
    list: TopicPartitionList,
) -> Result<BTreeMap<i32, i64>, KafkaError> {
    let list = consumer.committed_offsets(list, REQUEST_TIMEOUT)?;
    let mut committed = BTreeMap::new();
    for element in list.elements() {
        element.error()?;
        if let Offset::Offset(offset) = element.offset() {
            committed.insert(element.partition(), offset);
        }
    }
    Ok(committed)
}
