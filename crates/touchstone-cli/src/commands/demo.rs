//! `touchstone demo`: everything at once, on a simulated broker.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use tokio::sync::oneshot;
use touchstone_kafka::sim::SimulatedBroker;
use touchstone_kafka::verify::verify;
use touchstone_kafka::{Settings, TopicNames, read_topic};
use touchstone_types::{Flag, Listing, Verdict};

use crate::assets;
use crate::brokers::runtime;
use crate::commands::{run, verify as ledger};
use crate::fault::{End, Outcome};
use crate::setup::load_catalog;
use crate::tally::Tally;
use crate::terminal::{FAINT, HEADING, decision_style, plain, print, say, styled, table};

/// How many flags are shown.
const SHOWN: usize = 15;

/// How long the demo may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(50);

/// Show everything at once: a catalog goes in, invented listings are streamed, flags come out
///
/// Runs the real worker on a simulated broker inside this process. Nothing is installed, fetched or left behind.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {}

pub(crate) fn run(_args: &DemoArgs) -> Outcome {
    let started = Instant::now();
    let broker = SimulatedBroker::start(&TopicNames::default())?;
    let settings = broker.settings();
    say(format!("{} {}", styled(HEADING, "simulated broker"), broker.bootstrap()));

    let catalog = load_catalog(&[])?;
    let n_records = touchstone_kafka::submit_catalog(&settings, catalog.records())?;
    say(format!("{n_records} catalog records submitted"));

    let mut inputs = demo_listings()?;
    // One message that is no listing, to show where such messages go.
    inputs.push(("EX-BROKEN".to_owned(), br#"{"listing_id":"EX-BROKEN","title":7}"#.to_vec()));
    let mut sender = touchstone_kafka::Sender::new(&settings)?;
    for (id, json) in &inputs {
        sender.record(&settings.topics.listings, Some(id.as_bytes()), Some(json), &Vec::new())?;
    }
    say(format!("{} messages sent to the listings topic", sender.finish()?));

    let worker = Worker::start(settings.clone())?;
    worker.wait_for(inputs.len(), &settings)?;
    worker.stop()?;
    show(&settings, started.elapsed())
}

/// The compiled-in listings, their pictures put inside: the simulated market has no web server.
fn demo_listings() -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let lines = assets::LISTINGS.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.map(with_pictures).collect()
}

fn with_pictures(line: &[u8]) -> anyhow::Result<(String, Vec<u8>)> {
    let mut listing: serde_json::Value = serde_json::from_slice(line)?;
    for image in listing["images"].as_array_mut().into_iter().flatten() {
        if let Some(bytes) = image["url"].as_str().and_then(assets::picture) {
            image["data"] = STANDARD.encode(bytes).into();
        }
    }
    let bytes = listing.to_string().into_bytes();
    Ok((Listing::from_json(&bytes)?.listing_id.to_string(), bytes))
}

/// The worker, on a thread of its own.
struct Worker {
    stop: oneshot::Sender<()>,
    done: mpsc::Receiver<Outcome<()>>,
}

impl Worker {
    fn start(settings: Settings) -> Outcome<Self> {
        let judging = run::judging(&settings)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (done, wait_done) = mpsc::channel();
        thread::Builder::new().name("worker".to_owned()).spawn(move || {
            let work = || -> Outcome<()> {
                let shutdown = async {
                    // A dropped sender means stop as well.
                    let _ = stopped.await;
                };
                runtime()?.block_on(touchstone_kafka::run(&settings, Box::new(judging), shutdown))?;
                Ok(())
            };
            // Nobody listens any more once the demo has given up.
            let _ = done.send(work());
        })?;
        Ok(Self { stop, done: wait_done })
    }

    /// Waits until every input has its verdict or dead letter.
    fn wait_for(&self, n_inputs: usize, settings: &Settings) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut n = 0;
            for topic in [&settings.topics.verdicts, &settings.topics.dead_letters] {
                read_topic(settings, topic, |_| n += 1)?;
            }
            if n >= n_inputs {
                return Ok(());
            }
            if let Ok(outcome) = self.done.try_recv() {
                return outcome
                    .and(Err(anyhow!("the worker stopped before it had judged everything").into()));
            }
            if Instant::now() > deadline {
                return Err(
                    anyhow!("{n} of {n_inputs} messages were judged in {} s", PATIENCE.as_secs()).into()
                );
            }
        }
    }

    fn stop(self) -> Outcome<()> {
        // A worker that has stopped already needs no telling.
        let _ = self.stop.send(());
        self.done.recv_timeout(PATIENCE)?
    }
}

fn show(settings: &Settings, elapsed: Duration) -> Outcome {
    let mut tally = Tally::default();
    let mut broken = None;
    read_topic(settings, &settings.topics.verdicts, |record| {
        match Verdict::from_json(record.value.as_deref().unwrap_or_default()) {
            Ok(verdict) => tally.add(&verdict),
            Err(error) => broken = Some(error),
        }
    })?;
    let mut flags: BTreeMap<String, Flag> = BTreeMap::new();
    read_topic(settings, &settings.topics.review, |record| {
        match Flag::from_json(record.value.as_deref().unwrap_or_default()) {
            Ok(flag) => _ = flags.insert(flag.listing().listing_id.to_string(), flag),
            Err(error) => broken = Some(error),
        }
    })?;
    if let Some(error) = broken {
        return Err(anyhow!(error).context("an output cannot be read back").into());
    }
    if flags.is_empty() {
        return Err(anyhow!("nothing was flagged").into());
    }
    print(styled(HEADING, "\nFlags in the review topic, the most urgent first"))?;
    print(flag_table(flags.into_values().collect()))?;
    print(styled(HEADING, "\nAll verdicts by reason"))?;
    print(tally.table().trim_fmt())?;
    print(styled(HEADING, "\nThe ledger"))?;
    let report = verify(settings)?;
    ledger::show(&report)?;
    if !report.is_exact() {
        bail_out()?;
    }
    print(format!(
        "\n{} messages judged in {:.1} s on a simulated broker, which proves nothing about exactly-once; the tests do, \
         on Apache Kafka.\n{}",
        report.n_inputs,
        elapsed.as_secs_f64(),
        styled(FAINT, NEXT)
    ))?;
    Ok(End::Done)
}

fn bail_out() -> anyhow::Result<()> {
    bail!("the demo's own ledger is broken")
}

const NEXT: &str = "\
Next: judge a file of your own        touchstone scan --catalog FILE --listings FILE
      see why, for one listing        touchstone explain LISTING.json --catalog FILE
      run on your Kafka               touchstone topics create --bootstrap HOST:PORT
                                      touchstone catalog submit FILE --bootstrap HOST:PORT
                                      touchstone run --config config/worker.toml";

fn flag_table(mut flags: Vec<Flag>) -> String {
    flags.sort_by(|a, b| {
        let key =
            |flag: &Flag| (std::cmp::Reverse(flag.verdict().priority), flag.verdict().listing_id.clone());
        key(a).cmp(&key(b))
    });
    let mut rows = table(&["decision", "p", "listing", "title", "why"], 5);
    for flag in flags.iter().take(SHOWN) {
        let verdict = flag.verdict();
        let reasons: Vec<&str> = verdict.reasons.iter().take(2).map(|r| r.as_str()).collect();
        let title: String = plain(&flag.listing().title).chars().take(33).collect();
        rows.add_row([
            styled(decision_style(verdict.decision), verdict.decision),
            verdict.probability.map_or(String::new(), |p| format!("{:.2}", p.get())),
            verdict.listing_id.to_string(),
            title,
            reasons.join(", "),
        ]);
    }
    let more = flags.len().saturating_sub(SHOWN);
    if more == 0 { rows.trim_fmt() } else { format!("{}\n and {more} more", rows.trim_fmt()) }
}
