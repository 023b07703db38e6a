//! The producer of the load: it tells where each message was written.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, Producer, ProducerContext, ThreadedProducer};

use super::matching::Matching;
use super::mix::Message;
use crate::Error;
use crate::client;
use crate::settings::Settings;

/// How long the brokers may take to make room, and to acknowledge everything after the last message.
const LIMIT: Duration = Duration::from_secs(60);

struct Deliveries {
    matching: Arc<Matching>,
    watched: bool,
    failure: Mutex<Option<KafkaError>>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka producer");
    }
}

impl ProducerContext for Deliveries {
    /// When the message was handed over, in microseconds after the start: it fits into the pointer that the library carries.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, handed_us: usize) {
        match result {
            Ok(message) if self.watched => {
                self.matching.written((message.partition(), message.offset()), handed_us as u64);
            }
            Ok(_) => self.matching.written_unwatched(),
            Err((error, _)) => {
                self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error.clone());
            }
        }
    }
}

pub(super) struct LoadSender {
    producer: ThreadedProducer<Deliveries, NoCustomPartitioner>,
    topic: String,
}

impl LoadSender {
    pub(super) fn new(settings: &Settings, matching: Arc<Matching>, watched: bool) -> Result<Self, Error> {
        let config = client::plain_producer(settings.kafka()?);
        let context = Deliveries { matching, watched, failure: Mutex::default() };
        let producer = ThreadedProducer::from_config_and_context(&config, context)
            .map_err(Error::kafka("set up a producer"))?;
        Ok(Self { producer, topic: settings.topics.listings.clone() })
    }

    /// Hands a message over, waiting while the producer's queue is full.
    pub(super) fn send(&self, message: &Message, handed: Duration) -> Result<(), Error> {
        let handed_us = usize::try_from(handed.as_micros()).unwrap_or(usize::MAX);
        let mut record: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(&self.topic, handed_us);
        (record.key, record.payload) = (Some(message.key.as_slice()), message.value.as_deref());
        let mut deadline = None;
        while let Err((error, back)) = self.producer.send(record) {
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + LIMIT);
            let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            if !is_full || Instant::now() >= deadline {
                return Err(Error::kafka(format!("write to {}", self.topic))(error));
            }
            thread::sleep(Duration::from_millis(1));
            record = back;
        }
        Ok(())
    }

    /// Waits until everything is acknowledged.
    pub(super) fn flush(&self) -> Result<(), Error> {
        self.producer.flush(LIMIT).map_err(Error::kafka("write everything within a minute"))?;
        self.check()
    }

    /// The first message that was refused.
    pub(super) fn check(&self) -> Result<(), Error> {
        let failure = self.producer.context().failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.map_or(Ok(()), |source| Err(Error::kafka("write every message")(source)))
    }
}
