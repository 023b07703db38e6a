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
use super::sources::{Bounds, RecheckRecord, RulingRecord, SideTopic};
use super::states::States;
use crate::Error;
use crate::checksum::checksum;
use crate::client::{self, LogContext, REQUEST_TIMEOUT};
use crate::clock::now_ms;
use crate::headers::{self, RecordKind, Source};
use crate::producer::is_denial;
use crate::reader::{Record, bounds, consumer, partitions, read_topic};
use crate::settings::Settings;

/// Reads everything the ledger is made of, committed records only. Takes about a kilobyte of memory for each flag and
/// some hundred bytes for every other record.
///
/// # Errors
/// Brokers that do not answer, missing topics, or an open transaction that hides the end of a topic for 30 s. Only the
/// topics of re-checks, rulings and the state may be missing, and the catalog.
pub fn read(settings: &Settings) -> Result<Ledger, Error> {
    let names = &settings.topics;
    let committed = committed(settings)?;
    let verdict = |record: &Record| Body::of_verdict(record.value.as_deref());
    let (verdicts, verdict_starts) = outputs(settings, &names.verdicts, verdict)?;
    let (review, review_starts) = outputs(settings, &names.review, verdict)?;
    // Soon after the verdicts: while workers write, the state runs away from what was read of them.
    let state = state(settings)?;
    let (dead_letters, _) = outputs(settings, &names.dead_letters, dead_letter)?;
    // What outputs name is read after them, so that it is there.
    let decisions = decisions(settings, &verdicts)?;
    let mut ledger = Ledger {
        input_topic: names.listings.as_str().into(),
        verdicts,
        review,
        dead_letters,
        verdict_starts,
        review_starts,
        state,
        decisions,
        recheck: side_topic(settings, &names.recheck, |record| Some(RecheckRecord::of(&record)))?,
        catalog: catalog(settings)?,
        read_ms: now_ms(),
        state_days: settings.limits.state_days,
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

/// The bounds of a topic that may be missing; `None` also if nothing was ever written to it.
fn bounds_of(settings: &Settings, topic: &str) -> Result<Option<Bounds>, Error> {
    match bounds(&consumer(settings, topic)?, topic) {
        Err(Error::MissingTopics { .. }) => Ok(None),
        Err(error) => Err(error),
        Ok(bounds) => Ok(bounds.values().any(|(_, end)| *end > 0).then_some(bounds)),
    }
}

fn state(settings: &Settings) -> Result<Option<States>, Error> {
    let topic = &settings.topics.state;
    if bounds_of(settings, topic)?.is_none() {
        return Ok(None);
    }
    let mut states = States { topic: topic.as_str().into(), ..States::default() };
    read_topic(settings, topic, |record| states.take(record))?;
    Ok(Some(states))
}

/// A topic that outputs may name, with those of its records of which `keep` says something.
fn side_topic<R>(
    settings: &Settings,
    topic: &str,
    mut keep: impl FnMut(Record) -> Option<R>,
) -> Result<SideTopic<R>, Error> {
    let name = topic.into();
    if bounds_of(settings, topic)?.is_none() {
        return Ok(SideTopic { name, bounds: None, records: None });
    }
    let mut records = BTreeMap::new();
    read_topic(settings, topic, |record| {
        let place = (record.at.partition, record.at.offset);
        records.extend(keep(record).map(|kept| (place, kept)));
    })?;
    // Asked afterwards: what retention cut meanwhile has expired, and is not missing.
    Ok(SideTopic { name, bounds: bounds_of(settings, topic)?, records: Some(records) })
}

/// The rulings that retracts name. Rulings are kept for ever, so the others are left out.
fn decisions(
    settings: &Settings,
    verdicts: &[OutputRecord],
) -> Result<SideTopic<Option<RulingRecord>>, Error> {
    let topic = settings.topics.decisions.as_str();
    let sources = verdicts.iter().filter_map(|record| record.source.as_ref());
    let named: BTreeSet<(i32, i64)> = sources
        .filter(|source| &*source.topic == topic)
        .map(|source| (source.partition, source.offset))
        .collect();
    side_topic(settings, topic, |record| {
        let is_named = named.contains(&(record.at.partition, record.at.offset));
        is_named.then(|| RulingRecord::of(record.value.as_deref()))
    })
}

fn catalog(settings: &Settings) -> Result<SideTopic<()>, Error> {
    let topic = settings.topics.catalog.as_str();
    Ok(SideTopic { name: topic.into(), bounds: bounds_of(settings, topic)?, records: None })
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
    let optional = [&names.recheck, &names.state];
    for topic in [&names.verdicts, &names.review, &names.dead_letters].into_iter().chain(optional) {
        let partitions = match partitions(&committed, topic) {
            Err(Error::MissingTopics { .. }) if optional.contains(&topic) => continue,
            partitions => partitions?,
        };
        for partition in partitions {
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
) -> Result<(Vec<OutputRecord>, BTreeMap<i32, i64>), Error> {
    let mut outputs = Vec::new();
    let starts = read_topic(settings, topic, |record| {
        outputs.push(OutputRecord {
            kind: record.header(headers::KIND).and_then(RecordKind::parse),
            source: record.header(headers::SOURCE).and_then(Source::parse),
            body: body(&record),
            key: record.key.and_then(|key| String::from_utf8(key).ok()),
            timestamp_ms: record.timestamp_ms,
            at: record.at,
        });
    })?;
    Ok((outputs, starts))
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
