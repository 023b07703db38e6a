//! One history on Kafka: phase after phase is sent, workers are killed and moved meanwhile, and every record is held against the oracle.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use touchstone_kafka::{Sender, submit_catalog, verify};
use touchstone_testkit::wait_until;

use super::faults::Faults;
use super::history::{History, Phase};
use super::host::Host;
use super::job::Job;
use super::market;
use super::oracle::OpenFlags;
use super::watch::{PROBE, Watch};
use crate::support::Stage;

/// How long one phase may take to be seen.
const PHASE_LIMIT: Duration = Duration::from_secs(120);

/// How long the last tries for photos may take.
const LAST_LIMIT: Duration = Duration::from_secs(240);

pub(crate) const N_PARTITIONS: i32 = 6;

/// What is left at the end.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) open: OpenFlags,
    pub(crate) seconds: f64,
    pub(crate) n_verdicts: usize,
    pub(crate) n_flags: usize,
    /// The offset behind the last record of each partition of `review`.
    pub(crate) review_ends: BTreeMap<i32, i64>,
}

/// Plays a history on the topics of a stage, whose workers and faults are `faults`'s, watched by a takedown job where one is given.
pub(crate) fn play(
    stage: &Stage,
    history: &History,
    host: &Host,
    faults: &mut Faults,
    mut job: Option<&mut Job>,
) -> Result<Outcome> {
    let started = Instant::now();
    host.open(0);
    let records = market::catalog();
    submit_catalog(&stage.settings, records.records())?;
    let mut play = Play {
        stage,
        watch: Watch::new(stage, N_PARTITIONS, &history.oracle.lines)?,
        probes: Probes::new(stage)?,
        n_probed: 0,
    };
    faults.begin()?;
    for (number, phase) in history.phases.iter().enumerate() {
        faults.before(number, phase)?;
        play.send(phase, host).with_context(|| format!("phase {number}"))?;
        play.wait(number, phase, faults, job.as_deref_mut()).with_context(|| format!("phase {number}"))?;
        faults.after()?;
    }
    play.finish(history, faults, started)
}

struct Play<'a> {
    stage: &'a Stage,
    watch: Watch,
    probes: Probes,
    n_probed: usize,
}

impl Play<'_> {
    fn send(&self, phase: &Phase, host: &Host) -> Result<()> {
        let (settings, topics) = (&self.stage.settings, self.stage.topics());
        let mut sender = Sender::new(settings)?;
        match phase {
            Phase::Listings(messages) => {
                for message in messages {
                    let (key, value) = (message.id.as_bytes(), message.value.as_deref());
                    sender.record(&topics.listings, Some(key), value, &Vec::new())?;
                }
            }
            Phase::Catalog(key, record) => sender.catalog(key, record.as_deref())?,
            Phase::Rulings(rulings) => {
                for ruling in rulings {
                    let (key, value) = (ruling.listing_id.as_str(), ruling.to_json());
                    sender.record(
                        &topics.decisions,
                        Some(key.as_bytes()),
                        Some(value.as_bytes()),
                        &Vec::new(),
                    )?;
                }
            }
            Phase::Open(n) => host.open(*n),
        }
        sender.finish()?;
        Ok(())
    }

    /// Waits until all that must come has come, and every partition's worker has seen the catalog.
    fn wait(
        &mut self,
        number: usize,
        phase: &Phase,
        faults: &mut Faults,
        mut job: Option<&mut Job>,
    ) -> Result<()> {
        let waited = wait_until("the stream to say what the oracle says", PHASE_LIMIT, || {
            faults.tick()?;
            job.as_deref_mut().map_or(Ok(()), Job::tick)?;
            self.watch.look(number)?;
            Ok(self.watch.is_done(number))
        });
        waited.with_context(|| self.watch.missing(number))?;
        if matches!(phase, Phase::Catalog(..)) {
            self.wait_catalog(number, faults)?;
        }
        Ok(())
    }

    /// Asks in every partition how far its worker has read the catalog, until it is the end.
    fn wait_catalog(&mut self, number: usize, faults: &mut Faults) -> Result<()> {
        let end = self.probes.catalog_end()?;
        let mut asked = self.probes.ask()?;
        wait_until("every partition's worker to follow the catalog", PHASE_LIMIT, || {
            faults.tick()?;
            self.watch.look(number)?;
            let answers = (0..N_PARTITIONS).map(|partition| self.watch.answers.get(&probe(partition)));
            let answers: Vec<_> = answers.flatten().filter(|answer| answer.version == asked).collect();
            if answers.len() < N_PARTITIONS as usize {
                return Ok(false);
            }
            let is_at_end = answers.iter().all(|answer| answer.catalog_offsets == end);
            if !is_at_end {
                asked = self.probes.ask()?;
            }
            Ok(is_at_end)
        })?;
        self.n_probed = (asked as usize) * N_PARTITIONS as usize;
        Ok(())
    }

    fn finish(mut self, history: &History, faults: &mut Faults, started: Instant) -> Result<Outcome> {
        let last = history.phases.len();
        let waited = wait_until("the last tries for photos", LAST_LIMIT, || {
            faults.tick()?;
            self.watch.look(last)?;
            Ok(self.watch.is_complete())
        });
        waited.with_context(|| self.watch.missing(usize::MAX))?;
        ensure!(
            self.watch.guarded.len() == N_PARTITIONS as usize,
            "guards only in partitions {:?}: rulings may have been taken in late",
            self.watch.guarded
        );
        faults.end()?;
        let n_inputs = history.n_messages() + self.n_probed;
        self.stage.wait_done(n_inputs, PHASE_LIMIT)?;
        let report = verify::verify(&self.stage.settings)?;
        ensure!(report.violations.is_empty() && report.n_pending == 0, "{report:?}");
        ensure!(report.n_inputs == n_inputs, "{} inputs instead of {n_inputs}", report.n_inputs);
        let n_dead = history.oracle.n_dead_letters;
        ensure!(
            report.n_dead_letters == n_dead,
            "{} dead letters instead of {n_dead}",
            report.n_dead_letters
        );
        let (n_verdicts, n_flags) = self.watch.n_records();
        ensure!(report.n_verdicts + report.n_dead_letters == n_inputs, "{report:?}");
        super::state::check(self.stage, &history.oracle)?;
        let seconds = started.elapsed().as_secs_f64();
        let review_ends = self.watch.review_ends();
        Ok(Outcome { open: self.watch.open_flags(), seconds, n_verdicts, n_flags, review_ends })
    }
}

fn probe(partition: i32) -> String {
    format!("{PROBE}{partition}")
}

/// Listings that are clear, one for each partition: the headers of their verdicts say how far the catalog was read.
struct Probes {
    producer: BaseProducer,
    catalog: BaseConsumer,
    topics: (String, String),
    version: u64,
}

impl Probes {
    fn new(stage: &Stage) -> Result<Self> {
        let kafka = stage.settings.kafka()?;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &kafka.bootstrap_servers);
        let producer = config.create()?;
        let catalog = config.set("group.id", format!("{}-probes", stage.name())).create()?;
        let topics = (stage.topics().listings.clone(), stage.topics().catalog.clone());
        Ok(Self { producer, catalog, topics, version: 0 })
    }

    /// The end of the catalog as the header writes it.
    fn catalog_end(&self) -> Result<String> {
        let limit = Duration::from_secs(20);
        let metadata = self.catalog.fetch_metadata(Some(&self.topics.1), limit)?;
        let mut ends = BTreeMap::new();
        for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
            let (_, end) = self.catalog.fetch_watermarks(&self.topics.1, partition.id(), limit)?;
            ends.insert(partition.id(), end);
        }
        let ends: Vec<String> = ends.iter().map(|(partition, end)| format!("{partition}:{end}")).collect();
        Ok(ends.join(","))
    }

    /// Sends the next version of every probe, and returns it.
    fn ask(&mut self) -> Result<u64> {
        self.version += 1;
        for partition in 0..N_PARTITIONS {
            let id = probe(partition);
            let json = crate::support::listing(&id, self.version, "Wooden spoon");
            let record = BaseRecord::to(&self.topics.0).partition(partition).key(&id).payload(&json);
            self.producer.send(record).map_err(|(error, _)| error)?;
        }
        self.producer.flush(Duration::from_secs(20))?;
        Ok(self.version)
    }
}
