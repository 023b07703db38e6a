//! One worker on one node, for tests on single events: what is sent, and every record that comes of it.

use anyhow::{Context as _, Result, ensure};
use touchstone_catalog::Catalog;
use touchstone_kafka::{Record, Sender, Settings, submit_catalog};
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
        Ok(Self { stage, catalog, worker, n_sent: 0 })
    }

    /// Sends messages on one listing and waits until they are done.
    pub(crate) fn send(&mut self, id: &str, values: &[Option<Vec<u8>>]) -> Result<()> {
        self.post(id, values)?;
        self.wait_sent(0)
    }

    /// Sends messages on one listing.
    pub(crate) fn post(&mut self, id: &str, values: &[Option<Vec<u8>>]) -> Result<()> {
        let mut sender = Sender::new(&self.stage.settings)?;
        for value in values {
            let topic = &self.stage.topics().listings;
            sender.record(topic, Some(id.as_bytes()), value.as_deref(), &Vec::new())?;
        }
        self.n_sent += sender.finish()?;
        Ok(())
    }

    /// Waits until so many more messages are done.
    pub(crate) fn wait_sent(&mut self, n_sent: usize) -> Result<()> {
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
        let mut sender = Sender::new(&self.stage.settings)?;
        sender.catalog(key, record)?;
        sender.finish()?;
        match record {
            Some(record) => self.catalog.insert(record.clone()),
            None => self.catalog.remove(key),
        }
        Ok(())
    }

    /// A ruling on one version of a listing of the market.
    pub(crate) fn rule(&self, id: &str, version: u64, revision: u64, ruling: Ruling) -> Result<()> {
        let ruling = market::ruling(id, (version, revision), ruling);
        let mut sender = Sender::new(&self.stage.settings)?;
        let (topic, value) = (&self.stage.topics().decisions, ruling.to_json());
        sender.record(topic, Some(id.as_bytes()), Some(value.as_bytes()), &Vec::new())?;
        sender.finish()?;
        Ok(())
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

    /// What the pure function says of a listing now, with a revision.
    pub(crate) fn pure(&self, offer: &Offer, photos: &[PhotoInput], revision: u64) -> Verdict {
        let listing = Listing::from_json(&offer.json()).unwrap();
        Verdict { revision, ..judge(&listing, photos, &market::context(&self.catalog)).verdict }
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.worker.stop().await?;
        let report = touchstone_kafka::verify::verify(&self.stage.settings)?;
        assert_eq!((report.violations, report.n_pending), (vec![], 0));
        Ok(())
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
