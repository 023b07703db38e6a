//! One worker on one node, for tests on single events: what is sent, and every record that comes of it.

use anyhow::{Context as _, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::Value;
use touchstone_catalog::Catalog;
use touchstone_kafka::verify::{Violation, verify};
use touchstone_kafka::{Record, Settings, submit_catalog};
use touchstone_pipeline::{PhotoInput, judge};
use touchstone_testkit::{KafkaCluster, wait_until};
use touchstone_types::{
    CatalogKey, CatalogRecord, Decision, Evidence, Flag, Listing, Reason, Ruling, Verdict,
};

use super::market::{self, Offer};
use crate::support::{LIMIT, Stage, Worker};

pub(crate) struct Single {
    pub(crate) stage: Stage,
    pub(crate) catalog: Catalog,
    worker: Worker,
    producer: BaseProducer,
    n_sent: usize,
}

/// A record of `verdicts`, read.
pub(crate) struct Found {
    pub(crate) record: Record,
    pub(crate) verdict: Verdict,
}

impl Found {
    pub(crate) fn source(&self) -> &str {
        self.record.header("touchstone-source").unwrap_or_default()
    }

    pub(crate) fn kind(&self) -> &str {
        self.record.header("touchstone-kind").unwrap_or_default()
    }
}

impl Single {
    /// A worker over the catalog of the market; `more` continues its settings.
    pub(crate) async fn start(more: &str) -> Result<Self> {
        let stage = Stage::new(KafkaCluster::shared()?, 2).await?;
        let catalog = market::catalog();
        submit_catalog(&stage.settings, catalog.records())?;
        let settings = Settings::from_toml(&stage.toml(more))?;
        let worker = Worker::start(&settings, market::judging());
        let stage = Stage { settings };
        // One for all that is sent, and not idempotent: each of those takes most of a second to begin.
        let producer = ClientConfig::new()
            .set("bootstrap.servers", &stage.settings.kafka()?.bootstrap_servers)
            .set("partitioner", "murmur2_random")
            .create()?;
        Ok(Self { stage, catalog, worker, producer, n_sent: 0 })
    }

    /// Sends messages on one listing and waits until they are done.
    pub(crate) fn send(&mut self, id: &str, values: &[Option<Vec<u8>>]) -> Result<()> {
        self.post(id, values)?;
        self.wait_sent(0)
    }

    /// Sends messages on one listing.
    pub(crate) fn post(&mut self, id: &str, values: &[Option<Vec<u8>>]) -> Result<()> {
        for value in values {
            self.put(&self.stage.topics().listings, id, value.as_deref(), None)?;
        }
        self.n_sent += values.len();
        Ok(self.producer.flush(LIMIT)?)
    }

    /// Sends an offer as of a time, in milliseconds of Unix time, and waits until it is done.
    pub(crate) fn offer_at(&mut self, offer: &Offer, time_ms: i64) -> Result<()> {
        self.put(&self.stage.topics().listings, &offer.id, Some(&offer.json()), Some(time_ms))?;
        self.wait_sent(1)
    }

    fn put(&self, topic: &str, key: &str, value: Option<&[u8]>, time_ms: Option<i64>) -> Result<()> {
        let mut record = BaseRecord::to(topic).key(key);
        (record.payload, record.timestamp) = (value, time_ms);
        Ok(self.producer.send(record).map_err(|(error, _)| error)?)
    }

    /// Writes a try by hand, as if it were due, for the first flag of a listing.
    pub(crate) fn write_recheck(&self, partition: i32, id: &str, value: Option<&[u8]>) -> Result<()> {
        let headers = [("touchstone-revision", "1"), ("touchstone-attempts", "1"), ("touchstone-due", "0")];
        let headers = headers
            .iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(*value) }));
        let mut record = BaseRecord::to(&self.stage.topics().recheck).partition(partition).key(id);
        (record.payload, record.headers) = (value, Some(headers));
        self.producer.send(record).map_err(|(error, _)| error)?;
        Ok(self.producer.flush(LIMIT)?)
    }

    /// Waits until so many more messages, and all before them, are done.
    pub(crate) fn wait_sent(&mut self, n_sent: usize) -> Result<()> {
        self.producer.flush(LIMIT)?;
        self.n_sent += n_sent;
        let report = self.stage.wait_done(self.n_sent, LIMIT)?;
        ensure!(report.violations.is_empty(), "{report:?}");
        Ok(())
    }

    /// Sends versions of one offer and waits until they are done.
    pub(crate) fn offers(&mut self, offers: &[Offer]) -> Result<()> {
        let values: Vec<_> = offers.iter().map(|offer| Some(offer.json())).collect();
        self.send(&offers[0].id, &values)
    }

    /// Changes the catalog by one record, in the topic and in the test's own copy.
    pub(crate) fn change(&mut self, key: &CatalogKey, record: Option<&CatalogRecord>) -> Result<()> {
        let json = record.map(CatalogRecord::to_json);
        let value = json.as_deref().map(str::as_bytes);
        self.put(&self.stage.topics().catalog, &key.to_string(), value, None)?;
        self.producer.flush(LIMIT)?;
        match record {
            Some(record) => self.catalog.insert(record.clone()),
            None => self.catalog.remove(key),
        }
        Ok(())
    }

    /// A ruling on one version of a listing of the market.
    pub(crate) fn rule(&self, id: &str, version: u64, revision: u64, ruling: Ruling) -> Result<()> {
        let ruling = market::ruling(id, (version, revision), ruling);
        self.put(&self.stage.topics().decisions, id, Some(ruling.to_json().as_bytes()), None)?;
        Ok(self.producer.flush(LIMIT)?)
    }

    /// The verdicts on a listing in their order.
    pub(crate) fn verdicts(&self, id: &str) -> Result<Vec<Found>> {
        let of_listing = |record: &Record| record.key.as_deref() == Some(id.as_bytes());
        let records = self.stage.records(&self.stage.topics().verdicts)?;
        let read = |record: Record| {
            let verdict = Verdict::from_json(record.value.as_deref().context("no value")?)?;
            Ok(Found { record, verdict })
        };
        records.into_iter().filter(of_listing).map(read).collect()
    }

    /// The verdicts in `review` on a listing in their order.
    pub(crate) fn review(&self, id: &str) -> Result<Vec<Verdict>> {
        let of_listing = |record: &Record| record.key.as_deref() == Some(id.as_bytes());
        let records = self.stage.records(&self.stage.topics().review)?;
        let read = |record: Record| {
            Ok(Flag::from_json(record.value.as_deref().context("no value")?)?.verdict().clone())
        };
        records.into_iter().filter(of_listing).map(read).collect()
    }

    /// Waits for so many verdicts on a listing.
    pub(crate) fn wait_verdicts(&self, id: &str, n: usize) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        let waited = wait_until(&format!("{n} verdicts on {id}"), LIMIT, || {
            found = self.verdicts(id)?;
            Ok(found.len() >= n)
        });
        waited.with_context(|| format!("{:?}", found.iter().map(|f| &f.verdict).collect::<Vec<_>>()))?;
        Ok(found)
    }

    /// Holds all verdicts on a listing, and its flags in `review`, against these.
    pub(crate) fn expect(&self, id: &str, expected: &[Verdict]) -> Result<Vec<Found>> {
        let found = self.wait_verdicts(id, expected.len())?;
        let json = |verdict: &Verdict| verdict.to_json();
        let verdicts: Vec<String> = found.iter().map(|found| json(&found.verdict)).collect();
        assert_eq!(verdicts, expected.iter().map(json).collect::<Vec<_>>(), "verdicts on {id}");
        let flags: Vec<String> = self.review(id)?.iter().map(json).collect();
        let is_flag = |verdict: &&Verdict| verdict.decision.is_flag();
        assert_eq!(flags, expected.iter().filter(is_flag).map(json).collect::<Vec<_>>(), "review of {id}");
        for Found { verdict, record } in &found {
            let kind = if verdict.decision == Decision::Retract { "retract" } else { "verdict" };
            assert_eq!(record.header("touchstone-kind"), Some(kind), "{id}");
            assert!(record.header("touchstone-catalog-offsets").is_some(), "{id}");
        }
        Ok(found)
    }

    /// Stops the worker and starts another, for which the last messages about these listings were judged so much earlier.
    pub(crate) async fn aged_by(mut self, earlier_ms: i64, ids: &[&str]) -> Result<Self> {
        self.worker.stop().await?;
        let topic = self.stage.topics().state.clone();
        let records = self.stage.records(&topic)?;
        for id in ids {
            let mut of_listing = records.iter().rev().filter(|r| r.key.as_deref() == Some(id.as_bytes()));
            let last = of_listing.next().with_context(|| format!("no state of {id}"))?;
            let mut entry: Value = serde_json::from_slice(last.value.as_deref().context("forgotten")?)?;
            let seen_ms = entry["seen_ms"].as_i64().context("no time")?;
            entry["seen_ms"] = (seen_ms - earlier_ms).into();
            let value = entry.to_string();
            let record = BaseRecord::to(&topic).partition(last.at.partition).key(*id).payload(&value);
            self.producer.send(record).map_err(|(error, _)| error)?;
        }
        self.producer.flush(LIMIT)?;
        self.worker = Worker::start(&self.stage.settings, market::judging());
        Ok(self)
    }

    /// What the pure function says of a listing now, with a revision.
    pub(crate) fn pure(&self, offer: &Offer, photos: &[PhotoInput], revision: u64) -> Verdict {
        let listing = Listing::from_json(&offer.json()).unwrap();
        Verdict { revision, ..judge(&listing, photos, &market::context(&self.catalog)).verdict }
    }

    pub(crate) async fn stop(self) -> Result<()> {
        assert_eq!(self.end().await?, []);
        Ok(())
    }

    /// Stops the worker. Returns what is wrong in the topics.
    pub(crate) async fn end(self) -> Result<Vec<Violation>> {
        self.worker.stop().await?;
        let report = verify(&self.stage.settings)?;
        ensure!(report.n_pending == 0, "{report:?}");
        Ok(report.violations)
    }
}

/// A flag taken back for one reason.
pub(crate) fn retract(flag: &Verdict, reason: Reason, by: Option<&Verdict>) -> Verdict {
    Verdict {
        revision: flag.revision + 1,
        decision: Decision::Retract,
        reasons: vec![reason],
        replaced_by: by.map(|other| other.flag_id),
        ..flag.clone()
    }
}

/// The verdict with one more piece of evidence.
pub(crate) fn with(mut verdict: Verdict, evidence: Evidence) -> Verdict {
    verdict.evidence.push(evidence);
    verdict.evidence.sort_by(Evidence::order);
    verdict
}
