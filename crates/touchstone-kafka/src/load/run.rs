//! Sends a mix at its pace and watches for its verdicts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::cpu::process_cpu;
use super::matching::{Counts, Latency, Matching};
use super::mix::{Kind, Message};
use super::pace::{Pace, Step};
use super::sender::LoadSender;
use super::watcher::Watcher;
use crate::Error;
use crate::reader::{consumer, partitions};
use crate::settings::Settings;

/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);
/// How often it is looked whether everything has come.
const LOOK: Duration = Duration::from_millis(10);
/// How many messages go between two looks at the clock for other things than the pace.
const BATCH: u64 = 256;

/// How the load is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadOptions {
    /// Messages a second; 0 is as fast as possible.
    pub rate: f64,
    /// Whether to wait for the verdict or dead letter of every message.
    pub watch: bool,
    /// For how long no verdict or dead letter at all may come, once everything is sent, before waiting is given up.
    pub patience: Duration,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { rate: 0.0, watch: true, patience: Duration::from_secs(60) }
    }
}

/// How far the load has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Messages handed to the producer.
    pub n_sent: u64,
    /// Messages whose verdict or dead letter has been read.
    pub n_ended: u64,
    /// How long it has been going on.
    pub elapsed: Duration,
}

/// What became of a load.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadReport {
    /// Messages sent and acknowledged.
    pub n_sent: u64,
    /// How many of each kind.
    pub kinds: BTreeMap<Kind, u64>,
    /// Messages whose verdict was read; 0 without watching, as the next two.
    pub n_judged: u64,
    /// Messages whose dead letter was read.
    pub n_dead_letters: u64,
    /// Messages of which nothing was read before patience ended.
    pub n_missing: u64,
    /// From the acknowledgement of the first message, which opens the connections, until all were acknowledged.
    pub sending: Duration,
    /// From the same moment until the last verdict or dead letter was read; without watching the same as `sending`.
    pub total: Duration,
    /// How long verdicts and dead letters took, if there were any.
    pub latency: Option<Latency>,
    /// Processor time of this process meanwhile, where the system tells it.
    pub cpu: Option<Duration>,
}

impl LoadReport {
    /// Messages a second over the whole time.
    pub fn per_second(&self) -> f64 {
        let n = if self.latency.is_some() { self.n_judged + self.n_dead_letters } else { self.n_sent };
        n as f64 / self.total.as_secs_f64().max(1e-9)
    }
}

/// Sends the messages to the topic of listings and, if told to, waits for what becomes of them. `progress` is called about
/// once a second.
///
/// # Errors
/// Missing topics, brokers that do not answer, or a message that was refused. That verdicts are missing is no error: the
/// report says how many.
pub fn run(
    settings: &Settings,
    mix: impl Iterator<Item = Message>,
    options: &LoadOptions,
    progress: impl FnMut(&Progress),
) -> Result<LoadReport, Error> {
    check_topics(settings, options.watch)?;
    let watcher = options.watch.then(|| Watcher::new(settings)).transpose()?;
    let matching = Arc::new(Matching::default());
    let sender = LoadSender::new(settings, Arc::clone(&matching), options.watch)?;
    let (cpu, started, stop) = (process_cpu(), Instant::now(), AtomicBool::new(false));
    let load = Load {
        options,
        matching: &matching,
        sender,
        started,
        warm: Duration::ZERO,
        stop: &stop,
        progress,
        told: started,
    };
    let mut report = thread::scope(|scope| {
        let watching = watcher.as_ref().map(|watcher| {
            let (matching, stop) = (&matching, &stop);
            scope.spawn(move || watcher.run(matching, started, stop))
        });
        load.run(mix, watching)
    })?;
    report.cpu = process_cpu().zip(cpu).map(|(after, before)| after.saturating_sub(before));
    Ok(report)
}

fn check_topics(settings: &Settings, watch: bool) -> Result<(), Error> {
    let names = &settings.topics;
    let needed: &[&String] =
        if watch { &[&names.listings, &names.verdicts, &names.dead_letters] } else { &[&names.listings] };
    let mut missing = Vec::new();
    let consumer = consumer(settings, &names.listings)?;
    for topic in needed {
        match partitions(&consumer, topic) {
            Err(Error::MissingTopics { topics }) => missing.extend(topics),
            found => _ = found?,
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Error::MissingTopics { topics: missing }) }
}

/// Everything that a running load needs.
struct Load<'a, F> {
    options: &'a LoadOptions,
    matching: &'a Matching,
    sender: LoadSender,
    started: Instant,
    /// How long the first message took: it opens the connections, and the pace begins after it.
    warm: Duration,
    /// Ends the watching.
    stop: &'a AtomicBool,
    progress: F,
    told: Instant,
}

type Watching<'scope> = Option<ScopedJoinHandle<'scope, Result<(), Error>>>;

impl<F: FnMut(&Progress)> Load<'_, F> {
    fn run(
        mut self,
        mix: impl Iterator<Item = Message>,
        watching: Watching<'_>,
    ) -> Result<LoadReport, Error> {
        let sent = self.send(mix).map(|report| match &watching {
            Some(watching) => self.wait(report, || watching.is_finished()),
            None => report,
        });
        // Also after an error: the watching thread must end before the scope can.
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Ok(watched)) = watching.map(ScopedJoinHandle::join) {
            watched?;
        }
        sent
    }

    fn send(&mut self, mix: impl Iterator<Item = Message>) -> Result<LoadReport, Error> {
        let mut report = LoadReport::default();
        let mut pace = Pace::new(self.options.rate);
        let mut n_may_go = 0;
        for message in mix {
            while n_may_go == 0 {
                match pace.step(self.started.elapsed().saturating_sub(self.warm)) {
                    Step::Go(n) => n_may_go = n,
                    Step::Rest(rest) => {
                        thread::sleep(rest);
                        self.tell(report.n_sent);
                    }
                }
            }
            self.sender.send(&message, self.started.elapsed())?;
            (n_may_go, report.n_sent) = (n_may_go - 1, report.n_sent + 1);
            *report.kinds.entry(message.kind).or_default() += 1;
            if report.n_sent == 1 {
                self.sender.flush()?;
                self.warm = self.started.elapsed();
            }
            if report.n_sent.is_multiple_of(BATCH) {
                self.sender.check()?;
                self.tell(report.n_sent);
            }
        }
        self.sender.flush()?;
        report.sending = self.started.elapsed().saturating_sub(self.warm);
        report.total = report.sending;
        Ok(report)
    }

    /// Waits until everything has come, or nothing has for too long, or nobody watches any more.
    fn wait(&mut self, mut report: LoadReport, is_over: impl Fn() -> bool) -> LoadReport {
        let (mut n_before, mut since) = (0, Instant::now());
        let counts = loop {
            let counts = self.matching.counts();
            // Verdicts on older listings are progress too: workers have those before ours to judge.
            if counts.n_read != n_before {
                (n_before, since) = (counts.n_read, Instant::now());
            }
            if counts.n_ended() >= report.n_sent || since.elapsed() >= self.options.patience || is_over() {
                break counts;
            }
            self.tell(report.n_sent);
            thread::sleep(LOOK);
        };
        let Counts { n_judged, n_dead_letters, last_us, .. } = counts;
        (report.n_judged, report.n_dead_letters) = (n_judged, n_dead_letters);
        report.n_missing = report.n_sent.saturating_sub(counts.n_ended());
        report.latency = self.matching.latency();
        if report.latency.is_some() {
            report.total = Duration::from_micros(last_us).saturating_sub(self.warm);
        }
        report
    }

    fn tell(&mut self, n_sent: u64) {
        if self.told.elapsed() >= TELL {
            self.told = Instant::now();
            let n_ended = self.matching.counts().n_ended();
            (self.progress)(&Progress { n_sent, n_ended, elapsed: self.started.elapsed() });
        }
    }
}
