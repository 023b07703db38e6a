//! Sending listings and catalog records to their topics.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, Producer, ProducerContext, ThreadedProducer};
use touchstone_types::{CatalogKey, CatalogRecord, ListingId};

use crate::Error;
use crate::client;
use crate::headers::{self, HeaderList};
use crate::settings::Settings;

/// How long the brokers may take to acknowledge everything after the last record.
const FLUSH_LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct FirstFailure(Mutex<Option<KafkaError>>);

impl ClientContext for FirstFailure {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka producer");
    }
}

impl ProducerContext for FirstFailure {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error.clone());
        }
    }
}

/// Sends records outside any transaction, each acknowledged by all replicas. Not for verdicts.
pub struct Sender {
    producer: ThreadedProducer<FirstFailure, NoCustomPartitioner>,
    listings: String,
    catalog: String,
    n_sent: usize,
}

impl Sender {
    /// A sender to the cluster and the topics of the settings.
    ///
    /// # Errors
    /// No `[kafka]`, properties that librdkafka refuses, or brokers that do not answer within ten seconds.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let config = client::plain_producer(settings.kafka()?);
        let producer = ThreadedProducer::from_config_and_context(&config, FirstFailure::default())
            .map_err(Error::kafka("set up a producer"))?;
        let addresses = &settings.kafka()?.bootstrap_servers;
        let answer = producer.client().fetch_metadata(None, client::REQUEST_TIMEOUT);
        answer.map_err(Error::kafka(format!("reach the brokers at {addresses}")))?;
        let (listings, catalog) = (settings.topics.listings.clone(), settings.topics.catalog.clone());
        Ok(Self { producer, listings, catalog, n_sent: 0 })
    }

    /// Sends a listing's JSON under its identifier.
    ///
    /// # Errors
    /// A record that the client library refuses, or a full queue that does not empty for a minute.
    pub fn listing(&mut self, id: &ListingId, json: &[u8]) -> Result<(), Error> {
        let topic = self.listings.clone();
        self.record(&topic, Some(id.as_str().as_bytes()), Some(json), &Vec::new())
    }

    /// Sends a catalog record, or deletes what stands under the key.
    ///
    /// # Errors
    /// As [`Sender::listing`].
    pub fn catalog(&mut self, key: &CatalogKey, record: Option<&CatalogRecord>) -> Result<(), Error> {
        let (topic, json) = (self.catalog.clone(), record.map(CatalogRecord::to_json));
        let value = json.as_deref().map(str::as_bytes);
        self.record(&topic, Some(key.to_string().as_bytes()), value, &Vec::new())
    }

    /// Sends any record to any topic.
    ///
    /// # Errors
    /// As [`Sender::listing`].
    pub fn record(
        &mut self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &HeaderList,
    ) -> Result<(), Error> {
        let mut record: BaseRecord<'_, [u8], [u8], ()> = BaseRecord::with_opaque_to(topic, ());
        (record.key, record.payload) = (key, value);
        self.send(record, headers)
    }

    /// Sends a record to the partition that is named, whatever its key.
    pub(crate) fn record_to(
        &mut self,
        (topic, partition): (&str, i32),
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &HeaderList,
    ) -> Result<(), Error> {
        let mut record: BaseRecord<'_, [u8], [u8], ()> = BaseRecord::with_opaque_to(topic, ());
        (record.key, record.payload, record.partition) = (key, value, Some(partition));
        self.send(record, headers)
    }

    fn send(
        &mut self,
        mut record: BaseRecord<'_, [u8], [u8], ()>,
        headers: &HeaderList,
    ) -> Result<(), Error> {
        record.headers = (!headers.is_empty()).then(|| headers::owned(headers));
        let deadline = Instant::now() + FLUSH_LIMIT;
        while let Err((error, back)) = self.producer.send(record) {
            let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            if !is_full || Instant::now() >= deadline {
                return Err(Error::kafka(format!("write to {}", back.topic))(error));
            }
            thread::sleep(Duration::from_millis(1));
            record = back;
        }
        self.n_sent += 1;
        Ok(())
    }

    /// Waits until everything is acknowledged; returns how many records that were.
    ///
    /// # Errors
    /// The first record that was not.
    pub fn finish(self) -> Result<usize, Error> {
        self.producer.flush(FLUSH_LIMIT).map_err(Error::kafka("write everything within a minute"))?;
        let failure = self.producer.context().0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match failure {
            None => Ok(self.n_sent),
            Some(source) => Err(Error::kafka("write every record")(source)),
        }
    }
}

/// Sends catalog records and waits for them.
///
/// # Errors
/// As [`Sender::finish`].
pub fn submit_catalog<'a>(
    settings: &Settings,
    records: impl IntoIterator<Item = &'a CatalogRecord>,
) -> Result<usize, Error> {
    let mut sender = Sender::new(settings)?;
    for record in records {
        sender.catalog(&record.key(), Some(record))?;
    }
    sender.finish()
}

/// Sends listings, each with its JSON, and waits for them.
///
/// # Errors
/// As [`Sender::finish`].
pub fn send_listings<'a>(
    settings: &Settings,
    listings: impl IntoIterator<Item = (&'a ListingId, &'a [u8])>,
) -> Result<usize, Error> {
    let mut sender = Sender::new(settings)?;
    for (id, json) in listings {
        sender.listing(id, json)?;
    }
    sender.finish()
}
