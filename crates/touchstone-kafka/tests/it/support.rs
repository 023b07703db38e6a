//! Listings, a judge whose verdicts can be told beforehand, and a worker inside the test's own process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use touchstone_kafka::topics::{self, TopicOptions};
use touchstone_kafka::verify::{self, Report};
use touchstone_kafka::{Bench, Error, Judging, Record, Sender, Settings, TopicNames, read_topic, run};
use touchstone_pipeline::Judgement;
use touchstone_testkit::{KafkaCluster, wait_until};
use touchstone_types::{
    CatalogKey, CatalogRecord, Completeness, Decision, Listing, ListingId, Verdict, Versions, flag_id,
};

/// How long a test waits for something that should take a moment.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Topics and a group of its own for one test.
pub(crate) struct Stage {
    pub(crate) settings: Settings,
}

impl Stage {
    /// New topics of `n_partitions` on the cluster.
    pub(crate) async fn new(cluster: &KafkaCluster, n_partitions: i32) -> Result<Self> {
        Self::with_options(cluster, TopicOptions { n_partitions, ..TopicOptions::default() }).await
    }

    pub(crate) async fn with_options(cluster: &KafkaCluster, options: TopicOptions) -> Result<Self> {
        static N_STAGES: AtomicUsize = AtomicUsize::new(0);
        let name = format!("t{}", N_STAGES.fetch_add(1, Ordering::Relaxed));
        let text = settings_text(&cluster.bootstrap(), &name, "");
        let settings = Settings::from_toml(&text)?;
        topics::create(&settings, &options).await?;
        Ok(Self { settings })
    }

    /// The name that all topics of this stage begin with.
    pub(crate) fn name(&self) -> &str {
        &self.settings.kafka.as_ref().unwrap().group_id
    }

    /// The settings with more TOML behind them, for another process.
    pub(crate) fn toml(&self, more: &str) -> String {
        settings_text(&self.settings.kafka.as_ref().unwrap().bootstrap_servers, self.name(), more)
    }

    /// The same settings with other addresses of the brokers.
    pub(crate) fn settings_at(&self, bootstrap: &str) -> Result<Settings> {
        Ok(Settings::from_toml(&settings_text(bootstrap, self.name(), ""))?)
    }

    pub(crate) fn topics(&self) -> &TopicNames {
        &self.settings.topics
    }

    pub(crate) fn records(&self, topic: &str) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        read_topic(&self.settings, topic, |record| records.push(record))?;
        Ok(records)
    }

    /// Waits until everything in the input topic has been committed, and checks the ledger.
    pub(crate) fn wait_done(&self, n_inputs: usize, limit: Duration) -> Result<Report> {
        let mut last = Report::default();
        wait_until("the inputs to be committed", limit, || {
            last = verify::verify(&self.settings)?;
            Ok(last.n_inputs >= n_inputs && last.n_pending == 0)
        })
        .with_context(|| format!("{last:?}"))?;
        Ok(last)
    }
}

/// `more` may continue the table `[kafka]` or begin others.
fn settings_text(bootstrap: &str, name: &str, more: &str) -> String {
    let topics = ["listings", "catalog", "review", "verdicts", "decisions", "recheck", "state"];
    let topics: String = topics.iter().map(|topic| format!("{topic} = \"{name}.{topic}\"\n")).collect();
    format!(
        "[topics]\n{topics}dead_letters = \"{name}.dlq\"\n\
         [kafka]\nbootstrap_servers = \"{bootstrap}\"\ngroup_id = \"{name}\"\n{more}"
    )
}

/// An invented listing.
pub(crate) fn listing(id: &str, version: u64, title: &str) -> Vec<u8> {
    format!(r#"{{"listing_id":"{id}","version":{version},"title":"{title}","seller":{{"seller_id":"S-1"}}}}"#)
        .into_bytes()
}

/// Sends `n` listings on `n_ids` listing ids; each seventh is a flag.
pub(crate) fn send_listings(settings: &Settings, n: usize, n_ids: usize) -> Result<()> {
    let mut sender = Sender::new(settings)?;
    for number in 0..n {
        let id = format!("EX-{}", number % n_ids);
        let title = if number % 7 == 0 { "Lumora 20 suspicious" } else { "Lumora 20" };
        sender.listing(&ListingId::new(id.as_str())?, &listing(&id, (number / n_ids + 1) as u64, title))?;
    }
    anyhow::ensure!(sender.finish()? == n);
    Ok(())
}

/// Flags what has "suspicious" in its title; panics on "panic".
#[derive(Default)]
pub(crate) struct StubJudging {
    n_records: usize,
}

impl Judging for StubJudging {
    fn insert(&mut self, _: CatalogRecord) {
        self.n_records += 1;
    }

    fn remove(&mut self, _: &CatalogKey) {
        self.n_records -= 1;
    }

    fn bench(&mut self) -> Bench {
        let catalog = format!("{} records", self.n_records);
        let judge = move |listing: &Listing, _: &[_]| stub_judgement(listing, &catalog);
        Bench::new(Arc::new(judge), 4)
    }
}

fn stub_judgement(listing: &Listing, catalog: &str) -> Judgement {
    assert!(!listing.title.contains("panic"), "told to panic by the title");
    let decision = if listing.title.contains("suspicious") { Decision::Review } else { Decision::Clear };
    let verdict = Verdict {
        flag_id: flag_id(&listing.marketplace, &listing.listing_id, listing.version),
        revision: 1,
        listing_id: listing.listing_id.clone(),
        listing_version: listing.version,
        marketplace: listing.marketplace.clone(),
        seller_id: listing.seller.seller_id.clone(),
        observed_at: listing.observed_at,
        decision,
        row: None,
        probability: None,
        priority: 1,
        brand_id: None,
        product_id: None,
        reasons: Vec::new(),
        evidence: Vec::new(),
        completeness: Completeness::Full,
        missing: Vec::new(),
        photo_search: None,
        versions: Versions {
            engine: "test".into(),
            catalog: catalog.into(),
            model: None,
            policy: "test".into(),
        },
        replaced_by: None,
    };
    Judgement { verdict, kept: Vec::new(), features: Vec::new() }
}

/// Logs to stderr what the variable `TOUCHSTONE_TEST_LOG` asks for, by default nothing.
pub(crate) fn log() {
    let filter = std::env::var("TOUCHSTONE_TEST_LOG").unwrap_or_else(|_| "off".into());
    // The first test of the process has done it already.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// A worker in this process.
pub(crate) struct Worker {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Error>>,
}

impl Worker {
    pub(crate) fn start(settings: &Settings, judging: impl Judging + 'static) -> Self {
        log();
        let (stop, wait_stop) = oneshot::channel();
        let settings = settings.clone();
        let task = tokio::spawn(async move {
            run(&settings, Box::new(judging), async {
                let _ = wait_stop.await;
            })
            .await
        });
        Self { stop, task }
    }

    /// Stops the worker as SIGTERM would.
    pub(crate) async fn stop(self) -> Result<()> {
        let _ = self.stop.send(());
        Ok(tokio::time::timeout(LIMIT, self.task).await???)
    }

    /// Waits for a worker that ends by itself.
    pub(crate) async fn end(self) -> Result<Error> {
        let ended = tokio::time::timeout(LIMIT, self.task).await??;
        drop(self.stop);
        ended.err().context("the worker ended without an error")
    }
}
