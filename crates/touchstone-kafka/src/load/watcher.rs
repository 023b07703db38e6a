//! Reads the outputs while the load runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::matching::Matching;
use crate::Error;
use crate::client::{self, LogContext};
use crate::headers::{self, RecordKind, Source};
use crate::producer::is_denial;
use crate::reader::bounds;
use crate::settings::Settings;

/// A reader of committed verdicts and dead letters that begins at their ends.
pub(super) struct Watcher {
    consumer: BaseConsumer<LogContext>,
    listings: String,
    dead_letters: String,
}

impl Watcher {
    /// Notes where the topics end now.
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        let names = &settings.topics;
        let mut config = client::reader(settings.kafka()?);
        config.set("enable.partition.eof", "false");
        let consumer: BaseConsumer<LogContext> = BaseConsumer::from_config_and_context(&config, LogContext)
            .map_err(Error::kafka("read verdicts"))?;
        let mut assignment = TopicPartitionList::new();
        for topic in [&names.verdicts, &names.dead_letters] {
            for (partition, (_, end)) in bounds(&consumer, topic)? {
                let added = assignment.add_partition_offset(topic, partition, Offset::Offset(end));
                added.map_err(Error::kafka(format!("read {topic}")))?;
            }
        }
        consumer.assign(&assignment).map_err(Error::kafka(format!("read {}", names.verdicts)))?;
        let (listings, dead_letters) = (names.listings.clone(), names.dead_letters.clone());
        Ok(Self { consumer, listings, dead_letters })
    }

    /// Reads until told to stop.
    pub(super) fn run(&self, matching: &Matching, started: Instant, stop: &AtomicBool) -> Result<(), Error> {
        while !stop.load(Ordering::Relaxed) {
            match self.consumer.poll(Duration::from_millis(50)) {
                Some(Ok(message)) => {
                    if let Some((source, is_dead)) = self.end_of(&message) {
                        let read_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
                        matching.ended((source.partition, source.offset), read_us, is_dead);
                    }
                }
                Some(Err(error)) if is_lasting(&error) => {
                    return Err(Error::kafka("read verdicts and dead letters")(error));
                }
                Some(Err(error)) => tracing::warn!(%error, "reading verdicts and dead letters"),
                None => {}
            }
        }
        Ok(())
    }

    /// Which input the record is the end of, and whether as a dead letter.
    fn end_of(&self, message: &BorrowedMessage<'_>) -> Option<(Source, bool)> {
        let (mut source, mut kind) = (None, None);
        // The last of a name counts: the worker's own stand behind the input's.
        for header in message.headers()?.iter() {
            match header.key {
                headers::SOURCE => source = header.value,
                headers::KIND => kind = header.value,
                _ => {}
            }
        }
        let is_dead = message.topic() == self.dead_letters;
        let expected = if is_dead { RecordKind::DeadLetter } else { RecordKind::Verdict };
        if kind != Some(expected.as_str().as_bytes()) {
            return None;
        }
        let source = Source::parse(std::str::from_utf8(source?).ok()?)?;
        (*source.topic == *self.listings).then_some((source, is_dead))
    }
}

fn is_lasting(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(is_denial)
        || matches!(error, KafkaError::MessageConsumptionFatal(_))
}
