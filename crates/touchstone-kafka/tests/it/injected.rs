//! What the committer does about errors that a healthy cluster never gives: injected on the simulated broker.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use touchstone_kafka::sim::SimulatedBroker;
use touchstone_kafka::{Sender, TopicNames, dlq};
use touchstone_testkit::wait_until;
use touchstone_types::ListingId;

use crate::one_node::get;
use crate::support::{LIMIT, Stage, StubJudging, Worker, listing, send_listings};

struct Injected {
    broker: SimulatedBroker,
    stage: Stage,
    address: SocketAddr,
    worker: Worker,
}

impl Injected {
    /// A worker that has judged ten listings.
    fn start() -> Result<Self> {
        let broker = SimulatedBroker::start(&TopicNames::default())?;
        let mut settings = broker.settings();
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        settings.http.listen = Some(address);
        let stage = Stage { settings };
        send_listings(&stage.settings, 10, 10)?;
        let worker = Worker::start(&stage.settings, StubJudging::default());
        stage.wait_done(10, LIMIT)?;
        Ok(Self { broker, stage, address, worker })
    }

    /// Lets the next answers to such requests be these errors, sends ten more listings, and waits for them.
    fn inject(&self, request: RDKafkaApiKey, errors: &'static [RDKafkaRespErr]) -> Result<()> {
        self.broker.with_cluster(move |cluster| cluster.request_errors(request, errors));
        send_listings(&self.stage.settings, 10, 10)?;
        wait_until("twenty inputs to be committed", Duration::from_secs(60), || {
            Ok(self.metric("touchstone_listings_total")? >= 20.0)
        })
    }

    /// The sum of all lines that begin with `name`.
    fn metric(&self, name: &str) -> Result<f64> {
        let text = get(self.address, "/metrics")?;
        let value = |line: &str| line.rsplit(' ').next().and_then(|text| text.parse::<f64>().ok());
        text.lines().filter(|line| line.starts_with(name)).map(|l| value(l).context("no number")).sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_of_an_old_generation_abort_and_the_burst_is_written_again() -> Result<()> {
    let injected = Injected::start()?;
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION;
    injected.inject(RDKafkaApiKey::TxnOffsetCommit, Box::leak(Box::new([error])))?;
    assert!(injected.metric("touchstone_transactions_total{outcome=\"aborted\"}")? >= 1.0);
    assert!(injected.metric("touchstone_transactions_total{outcome=\"indefinite\"}")? < 1.0);
    injected.worker.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_producer_epoch_sets_up_a_new_session() -> Result<()> {
    let injected = Injected::start()?;
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
    injected.inject(RDKafkaApiKey::EndTxn, Box::leak(Box::new([error])))?;
    assert!(injected.metric("touchstone_transactions_total{outcome=\"indefinite\"}")? >= 1.0);
    injected.worker.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_connection_at_the_commit_is_ridden_out() -> Result<()> {
    let injected = Injected::start()?;
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT;
    injected.inject(RDKafkaApiKey::EndTxn, Box::leak(Box::new([error, error])))?;
    injected.worker.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_refused_becomes_a_dead_letter() -> Result<()> {
    let broker = SimulatedBroker::start(&TopicNames::default())?;
    let stage = Stage { settings: broker.settings() };
    let mut sender = Sender::new(&stage.settings)?;
    sender.listing(&ListingId::new("EX-refused")?, &listing("EX-refused", 1, "Lumora 20"))?;
    sender.finish()?;
    // It stands alone in its burst.
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD;
    broker.with_cluster(move |cluster| cluster.request_errors(RDKafkaApiKey::Produce, &[error]));
    let worker = Worker::start(&stage.settings, StubJudging::default());
    let report = stage.wait_done(1, LIMIT)?;
    assert_eq!((report.n_inputs, report.n_dead_letters), (1, 1));
    let letter = &dlq::list(&stage.settings, 100)?[0];
    assert_eq!((letter.reason(), letter.key.as_deref()), ("refused", Some("EX-refused")));
    send_listings(&stage.settings, 10, 10)?;
    // The client library aborts once more, to get a new epoch; on this broker aborted records can be seen.
    assert_eq!(stage.wait_done(11, LIMIT)?.n_dead_letters, 1);
    worker.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_fails_again_and_again_without_a_reason_becomes_a_dead_letter() -> Result<()> {
    let broker = SimulatedBroker::start(&TopicNames::default())?;
    let stage = Stage { settings: broker.settings() };
    let mut sender = Sender::new(&stage.settings)?;
    sender.listing(&ListingId::new("EX-refused")?, &listing("EX-refused", 1, "Lumora 20"))?;
    sender.finish()?;
    // Kafka says so when something in the broker went wrong. Each of three tries writes a verdict and what is remembered.
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN;
    broker.with_cluster(move |cluster| cluster.request_errors(RDKafkaApiKey::Produce, &[error; 6]));
    let worker = Worker::start(&stage.settings, StubJudging::default());
    let report = stage.wait_done(1, LIMIT)?;
    assert_eq!((report.n_inputs, report.n_dead_letters), (1, 1));
    let letter = &dlq::list(&stage.settings, 100)?[0];
    assert_eq!((letter.reason(), letter.key.as_deref()), ("refused", Some("EX-refused")));
    worker.stop().await
}
