//! A run: a steady stream of listings, one fault after the other, and the ledger at the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use touchstone_kafka::verify::Report;
use touchstone_kafka::{Sender, Settings};
use touchstone_testkit::{ApiKey, KafkaCluster, Rule, Way, wait_until};
use touchstone_types::{CatalogRecord, ListingId};

use super::fault::Fault;
use super::fleet::Fleet;
use super::plan::Plan;
use super::witness::{Witness, n_with_aborted};
use crate::photos::photo_host;
use crate::progress::Progress;
use crate::seeded::Seeded;
use crate::support::{Stage, listing};

/// How long the group keeps a silent worker's partitions here.
pub(crate) const SESSION: Duration = Duration::from_secs(6);

/// How long everything may take to move again after a fault.
const RECOVERY_LIMIT: Duration = Duration::from_secs(90);

/// Versions of so many listings follow on one another.
const N_IDS: usize = 3_000;

/// What a run found.
pub(crate) struct Outcome {
    pub(crate) report: Report,
    pub(crate) n_sent: usize,
    pub(crate) n_rejected: usize,
    pub(crate) faults: Vec<Fault>,
    /// From the SIGKILL of a worker until every partition had moved on.
    pub(crate) recoveries: Vec<Duration>,
    /// Exit codes of workers that ended by themselves.
    pub(crate) ended: Vec<i32>,
    pub(crate) n_aborted: usize,
    pub(crate) seconds: f64,
}

/// Runs the plan on three nodes.
pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let cluster = KafkaCluster::start(3)?;
    let stage = Stage::new(&cluster, plan.n_partitions).await?;
    let photo_port = photo_host()?;
    let bootstrap = cluster.proxy()?.bootstrap();
    let through_proxy = Stage { settings: stage.settings_at(&bootstrap)? };
    let settings = move |name: &str| {
        through_proxy.toml(&format!(
            "{name}\nproperties = {{ \"session.timeout.ms\" = {} }}\n\
             [photos]\ntest_origins = [\"http://127.0.0.1:{photo_port}\"]\ndeadline_ms = 400\n\
             [limits]\ndead_letter_limit = 10000\nmax_in_flight = 1000\ncommit_interval_ms = 20\n",
            SESSION.as_millis()
        ))
    };
    let started = Instant::now();
    let sending = Sending::start(&stage.settings, plan.rate)?;
    let witness = Witness::start(&stage, plan.n_partitions)?;
    let mut run = Run {
        seeded: Seeded::new(plan.seed),
        cluster: &cluster,
        progress: Progress::new(&stage, plan.n_partitions)?,
        fleet: Fleet::start(settings)?,
        stage: &stage,
        photo_port,
        n_rejected: 0,
        n_extra: 0,
        recoveries: Vec::new(),
        started,
    };
    run.wait_moving("the workers to begin")?;
    let faults = run.all_faults(plan, &sending)?;
    let n_sent = sending.end()? + run.n_extra;
    eprintln!("{:8.1} s  {n_sent} sent, waiting for the last", started.elapsed().as_secs_f64());
    run.wait_all(n_sent)?;
    let Run { fleet, recoveries, n_rejected, .. } = run;
    let ended = fleet.ended.clone();
    fleet.end()?;
    let report = stage.wait_done(n_sent, RECOVERY_LIMIT)?;
    let seconds = started.elapsed().as_secs_f64();
    let n_aborted = compare_with_witness(&stage, plan, witness)?;
    Ok(Outcome { report, n_sent, n_rejected, faults, recoveries, ended, n_aborted, seconds })
}

/// The witness must have seen each record that stands there in the end, once and in order, and no other. Returns how many
/// records of aborted transactions there were to be seen.
fn compare_with_witness(stage: &Stage, plan: &Plan, witness: Witness) -> Result<usize> {
    let seen = witness.end()?;
    let mut there: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for record in stage.records(&stage.topics().verdicts)? {
        there.entry(record.at.partition).or_default().push(record.at.offset);
    }
    ensure!(seen == there, "a reader that watched all the time saw something else than is there in the end");
    let n_seen: usize = seen.values().map(Vec::len).sum();
    Ok(n_with_aborted(stage, plan.n_partitions)? - n_seen)
}

struct Run<'a> {
    seeded: Seeded,
    cluster: &'a KafkaCluster,
    stage: &'a Stage,
    progress: Progress,
    fleet: Fleet,
    photo_port: u16,
    /// Inputs sent that must become dead letters.
    n_rejected: usize,
    /// Inputs sent beside the steady stream.
    n_extra: usize,
    recoveries: Vec<Duration>,
    started: Instant,
}

impl Run<'_> {
    /// Round after round until time is over and enough is sent.
    fn all_faults(&mut self, plan: &Plan, sending: &Sending) -> Result<Vec<Fault>> {
        let mut done = Vec::new();
        for round in 0.. {
            for fault in plan.round(round) {
                let is_over = match plan.lasts {
                    None => round > 0,
                    Some(lasts) => self.started.elapsed() >= lasts,
                };
                if is_over {
                    wait_until(
                        "enough to be sent",
                        plan.lasts.unwrap_or(RECOVERY_LIMIT) + RECOVERY_LIMIT,
                        || Ok(sending.n_sent() >= plan.n_inputs),
                    )?;
                    return Ok(done);
                }
                eprintln!("{:8.1} s  {fault}", self.started.elapsed().as_secs_f64());
                self.bring_about(&fault).with_context(|| format!("seed {}: {fault}", plan.seed))?;
                self.wait_moving("everything to move again")?;
                done.push(fault);
            }
        }
        Ok(done)
    }

    fn bring_about(&mut self, fault: &Fault) -> Result<()> {
        let ms = Duration::from_millis;
        match fault {
            Fault::KillWorker { worker } => {
                self.fleet.kill(*worker)?;
                let killed = Instant::now();
                self.fleet.restart(*worker)?;
                self.note_recovery(killed)
            }
            Fault::LoseWorker { worker } => {
                self.fleet.kill(*worker)?;
                self.note_recovery(Instant::now())?;
                self.fleet.restart(*worker)
            }
            Fault::KillInCommit { worker, step } => {
                self.fleet.kill_in_commit(*worker, step)?;
                let killed = Instant::now();
                self.fleet.restart(*worker)?;
                self.note_recovery(killed)
            }
            Fault::StopWorker { worker } => {
                self.fleet.stop(*worker)?;
                self.fleet.restart(*worker)
            }
            Fault::FreezeWorker { worker, more_ms } => self.fleet.freeze(*worker, SESSION + ms(*more_ms)),
            Fault::TwinWorker { worker } => self.fleet.twin(*worker),
            Fault::ExtraWorker { stays_ms } => self.fleet.extra(ms(*stays_ms)),
            Fault::KillBroker { broker, away_ms } => {
                self.cluster.kill(*broker)?;
                thread::sleep(ms(*away_ms));
                self.cluster.restart(*broker)
            }
            Fault::FreezeBroker { broker, for_ms } => {
                self.cluster.pause(*broker)?;
                thread::sleep(ms(*for_ms));
                self.cluster.resume(*broker)
            }
            Fault::RollingRestart => {
                for broker in 1..=3 {
                    self.cluster.stop(broker)?;
                    self.cluster.restart(broker)?;
                }
                Ok(())
            }
            Fault::BreakConnections { api, after_answer, times } => {
                self.break_connections(*api, *after_answer, *times)
            }
            Fault::BlackHole { for_ms } => self.with_rule(Rule::black_hole(Way::Both), ms(*for_ms)),
            Fault::Delay { api, by_ms, for_ms } => {
                self.with_rule(Rule::delay(Way::Answers, ms(*by_ms)).of(*api), ms(*for_ms))
            }
            Fault::CutOff { for_ms } => {
                let cut = self.cluster.proxy()?.cut();
                thread::sleep(ms(*for_ms));
                cut.lift()
            }
            Fault::Poison { n } => self.send_extra(*n, |_| b"{poison".to_vec()).map(|n| self.n_rejected += n),
            Fault::DeadPhotos { n } => {
                let port = self.photo_port;
                let photos = |number: u64| {
                    let kind = ["a", "hang", "none", "bomb"][number as usize % 4];
                    let images =
                        format!(r#","images":[{{"url":"http://127.0.0.1:{port}/{kind}{number}"}}]}}"#);
                    let mut json = listing(&format!("EX-photo-{number}"), 1, "Lumora 20 suspicious");
                    json.pop();
                    json.extend(images.into_bytes());
                    json
                };
                self.send_extra(*n, photos).map(drop)
            }
            Fault::CatalogChanges { n } => self.change_catalog(*n),
        }
    }

    fn with_rule(&self, rule: Rule, time: Duration) -> Result<()> {
        let active = self.cluster.proxy()?.set(rule)?;
        thread::sleep(time);
        active.lift();
        Ok(())
    }

    fn break_connections(&self, api: ApiKey, after_answer: bool, times: u64) -> Result<()> {
        let rule = if after_answer { Rule::drop_answer(api) } else { Rule::drop_request(api) };
        let active = self.cluster.proxy()?.set(rule.times(times))?;
        active.wait_fired(times, RECOVERY_LIMIT)
    }

    /// Sends listings beside the steady stream.
    fn send_extra(&mut self, n: u64, make: impl Fn(u64) -> Vec<u8>) -> Result<usize> {
        let mut sender = Sender::new(&self.stage.settings)?;
        for number in 0..n {
            let key = format!("EX-extra-{number}");
            sender.record(
                &self.stage.topics().listings,
                Some(key.as_bytes()),
                Some(&make(number)),
                &Vec::new(),
            )?;
        }
        let n = sender.finish()?;
        self.n_extra += n;
        Ok(n)
    }

    /// Products come, change and go.
    fn change_catalog(&mut self, n: u64) -> Result<()> {
        let mut sender = Sender::new(&self.stage.settings)?;
        for _ in 0..n {
            let id = self.seeded.below(50);
            let json = format!(
                r#"{{"kind":"product","brand_id":"lumora","product_id":"LM-{id}","title":"Lumora {id} n{}"}}"#,
                self.seeded.below(1_000)
            );
            let record = CatalogRecord::from_json(json.as_bytes())?;
            let is_there = self.seeded.below(3) > 0;
            sender.catalog(&record.key(), is_there.then_some(&record))?;
        }
        sender.finish().map(drop).map_err(Into::into)
    }

    /// Every partition commits something that it had not committed before.
    fn wait_moving(&mut self, what: &str) -> Result<()> {
        let mut before = None;
        wait_until(what, RECOVERY_LIMIT, || {
            self.fleet.supervise()?;
            let Some(now) = self.progress.by_partition() else { return Ok(false) };
            let before = before.get_or_insert_with(|| now.clone());
            Ok(now.iter().all(|(partition, offset)| *offset > before[partition]))
        })
    }

    fn note_recovery(&mut self, killed: Instant) -> Result<()> {
        self.wait_moving("every partition to move again after a SIGKILL")?;
        self.recoveries.push(killed.elapsed());
        Ok(())
    }

    fn wait_all(&mut self, n: usize) -> Result<()> {
        let n = i64::try_from(n)?;
        wait_until("all inputs to be committed", 2 * RECOVERY_LIMIT, || {
            self.fleet.supervise()?;
            Ok(self.progress.committed().is_some_and(|committed| committed >= n))
        })
    }
}

/// The steady stream.
struct Sending {
    stop: Arc<AtomicBool>,
    n_sent: Arc<AtomicUsize>,
    thread: JoinHandle<Result<usize>>,
}

impl Sending {
    fn start(settings: &Settings, rate: u64) -> Result<Self> {
        let mut sender = Sender::new(settings)?;
        let (stop, n_sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&n_sent));
        let thread = thread::spawn(move || {
            let started = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                let due = (started.elapsed().as_secs_f64() * rate as f64) as usize;
                for number in counted.load(Ordering::Relaxed)..due {
                    let id = format!("EX-{}", number % N_IDS);
                    let title = if number % 7 == 0 { "Lumora 20 suspicious" } else { "Lumora 20" };
                    let json = listing(&id, (number / N_IDS + 1) as u64, title);
                    sender.listing(&ListingId::new(id)?, &json)?;
                }
                counted.store(due, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(10));
            }
            Ok(sender.finish()?)
        });
        Ok(Self { stop, n_sent, thread })
    }

    fn n_sent(&self) -> usize {
        self.n_sent.load(Ordering::Relaxed)
    }

    fn end(self) -> Result<usize> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the sender panicked"))?
    }
}
