//! The life of a flag: a seeded history of a market, in which every record that comes is held against a naive oracle.
//!
//! The short run is a test of every day. `TOUCHSTONE_LIFE_EVENTS=100000` makes it longer, `TOUCHSTONE_SEED` another one.

mod dismissed;
mod events;
mod expiry;
mod faults;
mod history;
mod host;
mod job;
mod late_photos;
mod market;
mod oracle;
mod partitions;
mod run;
mod single;
mod state;
mod watch;

use std::collections::BTreeMap;
use std::env;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use touchstone_testkit::KafkaCluster;
use touchstone_types::{Decision, Reason};

use crate::process::PIPELINE;
use crate::support::Stage;
use faults::{Faults, SESSION};
use history::{History, Size};
use host::Host;
use job::{Down, Job};
use oracle::OpenFlags;

pub(crate) use market::judging;

/// Rounds of the short run.
const N_ROUNDS: usize = 3;

fn variable<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(name: &str) -> Result<Option<T>> {
    env::var(name).ok().map(|text| text.parse().with_context(|| format!("{name}={text}"))).transpose()
}

/// About so many events in all; long runs have longer phases rather than more sweeps.
fn size(n_events: usize) -> Size {
    let n_rounds = if n_events > 20_000 { 8 } else { N_ROUNDS };
    Size { n_rounds, n_events: n_events / n_rounds / 4, n_listings: n_events / 6 }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flag_lives_as_the_oracle_says_whatever_goes_wrong() -> Result<()> {
    let seed = variable("TOUCHSTONE_SEED")?.unwrap_or(20_260_411);
    let n_events = variable("TOUCHSTONE_LIFE_EVENTS")?.unwrap_or(6_000);
    let host = Host::start()?;
    let history = History::new(seed, &size(n_events), &host.origin());
    tell(&history);
    let cluster = KafkaCluster::start(3)?;
    let stage = Stage::new(&cluster, run::N_PARTITIONS).await?;
    let mut job = Job::start(&stage, seed)?;
    let mut faults = Faults::new(Some(seed), settings(&stage, &host));
    let found = run::play(&stage, &history, &host, &mut faults, Some(&mut job))?;
    eprintln!(
        "seed {seed}: {} verdicts and {} flags and retracts as expected in {:.0} s",
        found.n_verdicts, found.n_flags, found.seconds
    );
    eprintln!(
        "{} workers killed, {} of them in a commit, {} rebalances, {} jobs killed",
        faults.n_kills, faults.n_kills_in_commit, faults.n_rebalances, job.n_kills
    );
    let n_wanted = if n_events > 20_000 { 20 } else { 5 };
    assert!(faults.n_kills >= n_wanted, "{} SIGKILLs", faults.n_kills);
    let expected = history.oracle.open_flags();
    assert_same(&expected, &found.open, "review");
    let is_down =
        |(_, (_, decision)): &(&(String, String), &(u64, Decision))| *decision == Decision::Takedown;
    let down: Down = expected.iter().filter(is_down).map(|(flag, _)| flag.clone()).collect();
    assert!(down.len() >= 20, "{} takedowns are too few to say anything", down.len());
    assert_eq!(job.end(&found.review_ends)?, down);

    let again = Stage::new(&cluster, run::N_PARTITIONS).await?;
    let mut peace = Faults::new(None, settings(&again, &host));
    let replayed = run::play(&again, &history, &host, &mut peace, None)?;
    assert_same(&found.open, &replayed.open, "the replay");
    Ok(())
}

/// The settings of a worker, with a line of `[kafka]`.
fn settings(stage: &Stage, host: &Host) -> impl Fn(&str) -> String + 'static {
    let stage = Stage { settings: stage.settings.clone() };
    let origin = host.origin();
    move |name: &str| {
        let more = format!(
            "{name}\nproperties = {{ \"session.timeout.ms\" = {} }}\n\
             [photos]\ntest_origins = [\"{origin}\"]\ndeadline_ms = 20000\nrecheck_after_s = {RECHECKS:?}\n\
             [limits]\ndead_letter_limit = 10000\ncommit_interval_ms = 20\nnull_value = \"removed\"\n\
             sweep_per_second = 2000\n{PIPELINE}\n",
            SESSION.as_millis()
        );
        stage.toml(&more)
    }
}

/// Tries for late photos go on for a minute and more: a phase in which workers are killed is over by then.
const RECHECKS: [u64; 18] = [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5];

fn tell(history: &History) {
    eprintln!("{} phases, {} messages: {:?}", history.phases.len(), history.n_messages(), history.counts);
    let open = history.oracle.open_flags();
    let n_down = open.values().filter(|(_, decision)| *decision == Decision::Takedown).count();
    eprintln!("retracts: {:?}; {} open flags at the end, {n_down} takedowns", retracts(history), open.len());
}

fn retracts(history: &History) -> BTreeMap<&'static str, usize> {
    let mut reasons = BTreeMap::new();
    for line in history.oracle.lines.values().flatten().filter(|line| line.decision == Decision::Retract) {
        *reasons.entry(line.reasons[0].as_str()).or_default() += 1;
    }
    reasons
}

fn assert_same(expected: &OpenFlags, found: &OpenFlags, by: &str) {
    let differ = |(key, value): &(&(String, String), &(u64, Decision))| found.get(*key) != Some(*value);
    let missing: Vec<_> = expected.iter().filter(differ).take(5).collect();
    let extra: Vec<_> = found.iter().filter(|(key, _)| !expected.contains_key(*key)).take(5).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "open flags by {by}: missing or different {missing:?}, too many {extra:?}"
    );
}

#[test]
fn a_history_has_every_kind_of_event_and_of_retract() {
    let history = History::new(7, &size(4_000), "http://127.0.0.1:1");
    tell(&history);
    assert!(history.counts.len() >= 32, "{} kinds of event", history.counts.len());
    let reasons = retracts(&history);
    for reason in [
        Reason::Edited,
        Reason::Removed,
        Reason::SupersededByFlag,
        Reason::EvidenceChanged,
        Reason::CatalogWithdrawn,
        Reason::Dismissed,
    ] {
        assert!(reasons.get(reason.as_str()).is_some_and(|n| *n >= 5), "{reason}: {reasons:?}");
    }
    let open = history.oracle.open_flags();
    let takedowns = open.values().filter(|(_, decision)| *decision == Decision::Takedown);
    assert!(takedowns.count() >= 20, "{open:?}");
}

#[test]
fn a_history_follows_from_its_seed() {
    let histories = [1, 1, 2].map(|seed| History::new(seed, &size(600), "http://127.0.0.1:1"));
    let open = |history: &History| history.oracle.open_flags();
    assert_eq!(open(&histories[0]), open(&histories[1]));
    assert_ne!(open(&histories[0]), open(&histories[2]));
}
