//! Reading the ledger from Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::ledger::{Body, Ledger, OutputRecord, Partition};
use crate::Error;
use crate::checksum::checksum;
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
        dead_letters: outputs(settings, &names.dead_letters, dead_letter)?,
        inputs: BTreeMap::new(),
    };
    let inputs = &mut ledger.inputs;
    let starts = read_topic(settings, &names.listings, |record| {
        let partition: &mut Partition = inputs.entry(record.at.partition).or_default();
        partition.offsets.push(record.at.offset);
        partition.checksums.push(checksum(record.key.as_deref(), record.value.as_deref()));
    })?;
    for (number, start) in starts {
        let partition = inputs.entry(number).or_default();
        partition.start = start;
        // A group without a committed offset has not begun with this partition.
        partition.committed = Some(committed.get(&number).copied().unwrap_or(start));
    }
    Ok(ledger)
}

fn dead_letter(record: &Record) -> Body {
    let named = [headers::ERROR, headers::TOPIC, headers::PARTITION, headers::OFFSET, headers::ATTEMPTS];
    let header = |name: &str| record.header(name).unwrap_or_default();
    let place = [headers::TOPIC, headers::PARTITION, headers::OFFSET].map(header);
    let same = header(headers::SOURCE) == format!("{}/{}@{}", place[0], place[1], place[2]);
    let lacks = if named.iter().any(|name| header(name).is_empty()) {
        Some("lacks one of the headers that say what was wrong with what")
    } else if !same {
        Some("names two inputs")
    } else {
        None
    };
    let is_whole = record.header(headers::TRUNCATED).is_none();
    Body::DeadLetter {
        lacks,
        checksum: is_whole.then(|| checksum(record.key.as_deref(), record.value.as_deref())),
    }
}

/// The output partitions that readers of committed records cannot read to their end, each with the first record that they do
/// not see: there a transaction is open.
///
/// # Errors
/// Brokers that do not answer.
pub(super) fn open_transactions(settings: &Settings) -> Result<BTreeSet<Source>, Error> {
    let config = client::reader(settings.kafka()?);
    let mut all = config.clone();
    all.set("isolation.level", "read_uncommitted");
    let client = |config: &ClientConfig| -> Result<BaseConsumer<LogContext>, Error> {
        BaseConsumer::from_config_and_context(config, LogContext)
            .map_err(Error::kafka("look for open transactions"))
    };
    let (committed, all) = (client(&config)?, client(&all)?);
    let names = &settings.topics;
    let mut open = BTreeSet::new();
    for topic in [&names.verdicts, &names.review, &names.dead_letters] {
        for partition in partitions(&committed, topic)? {
            // The end of all first: what is committed between the two questions is not taken for open.
            let end = |consumer: &BaseConsumer<LogContext>| {
                let watermarks = consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT);
                watermarks.map(|(_, end)| end).map_err(Error::kafka(format!("find the end of {topic}")))
            };
            let (last, seen) = (end(&all)?, end(&committed)?);
            if seen < last {
                open.insert(Source { topic: topic.as_str().into(), partition, offset: seen });
            }
        }
    }
    Ok(open)
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
