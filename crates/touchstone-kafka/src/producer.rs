//! The producer of transactions, one step at a time, and what its errors mean.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::client::{self, REQUEST_TIMEOUT, TRANSACTION_TIMEOUT};
use crate::failpoint;
use crate::headers;
use crate::health::Pulse;
use crate::outcome::OutputRecord;
use crate::settings::KafkaSettings;

/// How long one call into the client library may take before we look around and call again.
const CALL: Duration = Duration::from_secs(5);

/// What to do after a step of a transaction failed.
#[derive(Debug)]
pub(crate) enum StepError {
    /// Abort the transaction; then the same records can be written in a new one.
    Abort(KafkaError),
    /// Nobody knows what happened, or this producer is no longer usable: set everything up anew. The committed offsets
    /// tell the truth then.
    Indefinite(KafkaError),
    /// The same as `Indefinite`, and the reason is a producer of the same name.
    Fenced(KafkaError),
    /// Kafka will never allow it.
    Denied(KafkaError),
}

/// Records that Kafka did not take: their place in the burst, and why.
pub(crate) type Failures = Vec<(usize, RDKafkaErrorCode)>;

#[derive(Debug, Default)]
struct DeliveryContext {
    failures: Mutex<Failures>,
}

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka producer");
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        if let Err((error, _)) = result {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            self.failures.lock().unwrap_or_else(PoisonError::into_inner).push((place, code));
        }
    }
}

pub(crate) struct TransactionalProducer {
    producer: ThreadedProducer<DeliveryContext, NoCustomPartitioner>,
    pulse: std::sync::Arc<Pulse>,
    /// False only while the cost of transactions is measured.
    transactional: bool,
}

impl TransactionalProducer {
    pub(crate) fn create(
        kafka: &KafkaSettings,
        transactional_id: &str,
        batch_bytes: usize,
        pulse: std::sync::Arc<Pulse>,
    ) -> Result<Self, KafkaError> {
        let mut config = client::transactional_producer(kafka, transactional_id, batch_bytes);
        let transactional = !failpoint::without_transactions();
        if !transactional {
            tracing::error!("TOUCHSTONE_WITHOUT_TRANSACTIONS is set: listings may be lost and doubled");
            config.remove("transactional.id");
            config.set("enable.idempotence", "true");
        }
        let producer = ThreadedProducer::from_config_and_context(&config, DeliveryContext::default())?;
        Ok(Self { producer, pulse, transactional })
    }

    /// Makes sure that no earlier producer of this name has anything open: what it had begun is aborted, what it was
    /// committing is awaited. Only after that are the group's committed offsets final.
    pub(crate) fn init(&self, give_up: impl Fn() -> bool) -> Result<(), StepError> {
        if !self.transactional {
            return Ok(());
        }
        loop {
            self.pulse.beat();
            let Err(error) = self.producer.init_transactions(REQUEST_TIMEOUT) else { return Ok(()) };
            match classify(error) {
                Step::Retry(error) if give_up() => return Err(StepError::Indefinite(error)),
                Step::Retry(error) => {
                    tracing::warn!(%error, "waiting for the transaction coordinator");
                    thread::sleep(Duration::from_millis(100));
                }
                Step::Stop(error) => return Err(error),
            }
        }
    }

    pub(crate) fn begin(&self) -> Result<(), StepError> {
        self.take_failures();
        if !self.transactional {
            return Ok(());
        }
        self.producer.begin_transaction().map_err(|error| match classify(error) {
            Step::Retry(error) | Step::Stop(StepError::Abort(error)) => StepError::Indefinite(error),
            Step::Stop(error) => error,
        })
    }

    /// Hands one record over. `place` comes back in [`Failures`].
    pub(crate) fn send(&self, record: &OutputRecord, topic: &str, place: usize) -> Result<(), StepError> {
        let mut message: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(topic, place).headers(headers::owned(&record.headers));
        message.key = record.key.as_deref();
        message.payload = record.payload.as_deref();
        message.partition = record.partition;
        let deadline = Instant::now() + TRANSACTION_TIMEOUT;
        loop {
            let Err((error, back)) = self.producer.send(message) else { return Ok(()) };
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(1));
                    message = back;
                }
                Some(
                    code @ (RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize),
                ) => {
                    self.producer.context().delivery_failed(place, code);
                    return Ok(());
                }
                // A record handed over before was refused: the transaction can only be aborted.
                Some(RDKafkaErrorCode::State) => return Err(StepError::Abort(error)),
                _ => {
                    return Err(match classify(error) {
                        Step::Retry(error) => StepError::Abort(error),
                        Step::Stop(error) => error,
                    });
                }
            }
        }
    }

    /// Waits until Kafka has answered for every record, and says which it did not take.
    ///
    /// The transaction could be committed at once, but then the client library polls in steps of 100 ms.
    pub(crate) fn wait_delivered(&self) -> Result<Failures, StepError> {
        let deadline = Instant::now() + TRANSACTION_TIMEOUT;
        while self.producer.in_flight_count() > 0 {
            if Instant::now() >= deadline {
                return Err(StepError::Indefinite(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)));
            }
            self.pulse.beat();
            thread::sleep(Duration::from_micros(300));
        }
        Ok(self.take_failures())
    }

    pub(crate) fn send_offsets(
        &self,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), StepError> {
        self.until_definite(|| self.producer.send_offsets_to_transaction(offsets, group, CALL))
    }

    pub(crate) fn commit(&self) -> Result<(), StepError> {
        self.until_definite(|| self.producer.commit_transaction(CALL))
    }

    /// Aborts. Everything handed over has been answered for by now: an abort that overtakes the first record of a
    /// transaction is refused by brokers and leaves the producer unusable.
    pub(crate) fn abort(&self) -> Result<(), StepError> {
        self.wait_delivered()?;
        self.until_definite(|| self.producer.abort_transaction(CALL)).map_err(|error| match error {
            StepError::Abort(error) => StepError::Indefinite(error),
            other => other,
        })
    }

    fn until_definite(&self, call: impl Fn() -> Result<(), KafkaError>) -> Result<(), StepError> {
        if !self.transactional {
            return Ok(());
        }
        let deadline = Instant::now() + TRANSACTION_TIMEOUT;
        loop {
            self.pulse.beat();
            let Err(error) = call() else { return Ok(()) };
            match classify(error) {
                Step::Retry(error) if Instant::now() >= deadline => return Err(StepError::Indefinite(error)),
                Step::Retry(error) => {
                    tracing::debug!(%error, "trying again");
                    thread::sleep(Duration::from_millis(20));
                }
                Step::Stop(error) => return Err(error),
            }
        }
    }

    fn take_failures(&self) -> Failures {
        let context = self.producer.context();
        std::mem::take(&mut *context.failures.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl DeliveryContext {
    fn delivery_failed(&self, place: usize, code: RDKafkaErrorCode) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push((place, code));
    }
}

enum Step {
    Retry(KafkaError),
    Stop(StepError),
}

/// What an error of the transaction calls asks for. Unknown ones are indefinite: that is always right, if slow.
fn classify(error: KafkaError) -> Step {
    if let Some(code) = error.rdkafka_error_code() {
        if is_denial(code) {
            return Step::Stop(StepError::Denied(error));
        }
        if is_fencing(code) {
            return Step::Stop(StepError::Fenced(error));
        }
    }
    match &error {
        KafkaError::Flush(_) => Step::Retry(error),
        KafkaError::Transaction(e) if e.is_fatal() => Step::Stop(StepError::Indefinite(error)),
        KafkaError::Transaction(e) if e.txn_requires_abort() => Step::Stop(StepError::Abort(error)),
        KafkaError::Transaction(e) if e.is_retriable() => Step::Retry(error),
        _ => Step::Stop(StepError::Indefinite(error)),
    }
}

/// Whether Kafka says that we may not do this, so that trying again is pointless.
pub(crate) fn is_denial(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
    )
}

fn is_fencing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)
}

/// Whether Kafka refused this very record, so that it would refuse it again.
pub(crate) fn is_refusal(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::InvalidMessageSize
            | Code::MessageBatchTooLarge
            | Code::InvalidRecord
            | Code::PolicyViolation
            | Code::InvalidTimestamp
    )
}

/// Whether a record was not taken for a reason that has nothing to do with it: brokers come and go.
pub(crate) fn is_passing(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::MessageTimedOut
            | Code::RequestTimedOut
            | Code::OperationTimedOut
            | Code::BrokerTransportFailure
            | Code::NetworkException
            | Code::AllBrokersDown
            | Code::BrokerNotAvailable
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::KafkaStorageError
            | Code::PurgeQueue
            | Code::PurgeInflight
            | Code::OutOfOrderSequenceNumber
            | Code::UnknownProducerId
            | Code::InvalidProducerEpoch
            | Code::Fenced
            | Code::ProducerFenced
    )
}
