//! A takedown job: reads `review`, acts once on each flag that proposes a takedown, and undoes it when the flag is taken back.
//!
//! `cargo run -p touchstone-kafka --example takedown_job -- --bootstrap HOST:PORT --group NAME --review TOPIC --journal FILE
//! [--until-idle SECONDS]`
//!
//! What it shows:
//! - It reads committed records only, and of each flag only revisions above the highest that it knows: Kafka may deliver a
//!   record again, and then nothing happens.
//! - What was done is in the journal, on the disk, before the record's offset is committed. The journal is the memory; an
//!   offset only says where to go on reading. The marketplace is called before that, see [`act`], with `flag_id` and `revision`, so
//!   that it can tell a call that is repeated. In a real job the journal is a database which all members of the group share; a file
//!   is one member's, so it is locked and a second one is refused.
//! - A flag that is retracted because the marketplace removed the listing is closed, and nothing is restored: often it was this very
//!   takedown that removed it.
//! - A listing that workers have forgotten (`state_days` without a message) begins anew at revision 1. A job that outlives that
//!   forgets closed flags after as long.
//! - A flag that a newer one supersedes comes as two records next to each other: the retract of the old one, whose
//!   `replaced_by` names the new one, and the new one. This job restores and takes down again. A smarter one would keep the
//!   listing down when the record behind such a retract is that takedown.
#![expect(clippy::print_stdout, reason = "the acts are its output")]

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message as _};
use serde::{Deserialize, Serialize};

/// What of a record of `review` matters here.
#[derive(Debug, Clone, Deserialize)]
struct ReviewRecord {
    listing_id: String,
    flag_id: String,
    revision: u64,
    decision: Decision,
    /// Of a retract: why.
    reasons: Vec<String>,
}

/// What a flag says. Another word is an error: whoever does not understand a flag must not act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Takedown,
    Review,
    Retract,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Deed {
    TakeDown,
    Restore,
    /// Nothing but to note that the marketplace has removed the listing.
    Close,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Act {
    act: Deed,
    listing_id: String,
    flag_id: String,
    revision: u64,
    decision: Decision,
}

/// What is known of each flag, by listing and flag.
#[derive(Debug, Default)]
struct Ledger {
    flags: HashMap<(String, String), Known>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Known {
    revision: u64,
    is_down: bool,
}

impl Ledger {
    /// Takes in a record; returns what is to be done about it, if anything.
    fn take(&mut self, record: ReviewRecord) -> Option<Act> {
        let ReviewRecord { listing_id, flag_id, revision, decision, reasons } = record;
        let known = self.flags.entry((listing_id.clone(), flag_id.clone())).or_default();
        if revision <= known.revision {
            return None;
        }
        let was_down = known.is_down;
        *known = Known { revision, is_down: decision == Decision::Takedown };
        let act = match (was_down, known.is_down) {
            (false, true) => Deed::TakeDown,
            (true, false) if decision == Decision::Retract && reasons == ["removed"] => Deed::Close,
            (true, false) => Deed::Restore,
            _ => return None,
        };
        Some(Act { act, listing_id, flag_id, revision, decision })
    }

    /// Remembers what was done before.
    fn recall(&mut self, act: Act) {
        let known = Known { revision: act.revision, is_down: act.act == Deed::TakeDown };
        self.flags.insert((act.listing_id, act.flag_id), known);
    }
}

/// The file in which every act stands, one JSON object a line, oldest first.
struct Journal(File);

impl Journal {
    /// Opens the journal and reads what was done. A line that a crash cut short is cut off: its act is done again.
    fn open(path: &Path) -> Result<(Self, Ledger)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.try_lock().with_context(|| format!("{} is another job's", path.display()))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        let mut ledger = Ledger::default();
        for (idx, line) in std::str::from_utf8(&text[..whole])?.lines().enumerate() {
            let act = serde_json::from_str(line);
            ledger.recall(act.with_context(|| format!("line {} of the journal is no act", idx + 1))?);
        }
        Ok((Self(file), ledger))
    }

    /// Returns once the act is on the disk.
    fn write(&mut self, act: &Act) -> Result<()> {
        let line = serde_json::to_string(act)? + "\n";
        self.0.write_all(line.as_bytes())?;
        Ok(self.0.sync_data()?)
    }
}

/// Where the marketplace is called. The call comes before the journal and that before the offset, so that a crash anywhere repeats
/// it rather than leaving it out; the same `flag_id` and `revision` tell the marketplace that it is the same call.
fn act(act: &Act) -> Result<()> {
    println!("{}", serde_json::to_string(act)?);
    Ok(())
}

fn main() -> Result<()> {
    run(std::env::args().skip(1))
}

pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<()> {
    let (names, until_idle) = read_arguments(arguments)?;
    let [bootstrap, group, review, journal] = &names;
    let (mut journal, mut ledger) = Journal::open(journal.as_ref())?;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        // So long nobody reads on when this process has died.
        .set("session.timeout.ms", "10000")
        // Offsets are committed from time to time, but only those that are stored below.
        .set("enable.auto.offset.store", "false")
        .create()?;
    consumer.subscribe(&[review])?;
    let mut last_record = Instant::now();
    while until_idle.is_none_or(|idle| last_record.elapsed() < idle) {
        let message = match consumer.poll(Duration::from_millis(100)) {
            None => {
                // Without partitions nothing can come.
                if consumer.assignment()?.count() == 0 {
                    last_record = Instant::now();
                }
                continue;
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error.into()),
            Some(Err(error)) => {
                eprint(&error);
                continue;
            }
            Some(Ok(message)) => message,
        };
        last_record = Instant::now();
        let place = format!("{review}/{}@{}", message.partition(), message.offset());
        let record = serde_json::from_slice(message.payload().unwrap_or_default());
        // Whoever cannot read a flag must not pass over it.
        if let Some(deed) = ledger.take(record.with_context(|| format!("{place} is no flag"))?) {
            act(&deed)?;
            journal.write(&deed)?;
        }
        consumer.store_offset_from_message(&message)?;
    }
    match consumer.commit_consumer_state(CommitMode::Sync) {
        // Nothing new was read.
        Err(error) if error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::NoOffset) => {
            Ok(())
        }
        committed => Ok(committed?),
    }
}

/// The four names that it needs, and for how long it waits for more, if not for ever.
fn read_arguments(mut words: impl Iterator<Item = String>) -> Result<([String; 4], Option<Duration>)> {
    let mut given: HashMap<String, String> = HashMap::new();
    while let Some(name) = words.next() {
        let value = words.next().with_context(|| format!("{name} needs a value"))?;
        given.insert(name, value);
    }
    let mut need = |name: &str| given.remove(name).with_context(|| format!("{name} is missing"));
    let names = [need("--bootstrap")?, need("--group")?, need("--review")?, need("--journal")?];
    let idle = given.remove("--until-idle").map(|seconds| seconds.parse()).transpose()?;
    if let Some(name) = given.keys().next() {
        bail!("{name} is not an argument of this program");
    }
    Ok((names, idle.map(Duration::try_from_secs_f64).transpose().context("--until-idle")?))
}

#[expect(clippy::print_stderr, reason = "talk goes to stderr")]
fn eprint(error: &dyn std::error::Error) {
    eprintln!("kafka: {error}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes in flags of one listing, each as `flag revision decision`, and returns what is done, as `deed flag revision`.
    fn acts(ledger: &mut Ledger, records: &[(&str, u64, &str)]) -> Vec<(Deed, String, u64)> {
        let record = |(flag_id, revision, decision): &(&str, u64, &str)| ReviewRecord {
            listing_id: "EX-1".into(),
            flag_id: (*flag_id).into(),
            revision: *revision,
            decision: serde_json::from_value((*decision).into()).unwrap(),
            reasons: vec![
                if *decision == "retract" { "evidence_changed" } else { "counterfeit_slang" }.into(),
            ],
        };
        let taken = records.iter().filter_map(|r| ledger.take(record(r)));
        taken.map(|act| (act.act, act.flag_id, act.revision)).collect()
    }

    fn down(flag: &str, revision: u64) -> (Deed, String, u64) {
        (Deed::TakeDown, flag.into(), revision)
    }

    fn up(flag: &str, revision: u64) -> (Deed, String, u64) {
        (Deed::Restore, flag.into(), revision)
    }

    #[test]
    fn each_flag_is_acted_on_once_and_undone_when_it_is_taken_back() {
        let mut ledger = Ledger::default();
        let life = [("a", 1, "review"), ("a", 2, "takedown"), ("a", 3, "takedown"), ("a", 4, "retract")];
        assert_eq!(acts(&mut ledger, &life), [down("a", 2), up("a", 4)]);
        assert_eq!(acts(&mut ledger, &life), [], "all of it again");
    }

    #[test]
    fn a_takedown_that_becomes_a_review_is_undone() {
        let life = [("a", 1, "takedown"), ("a", 2, "review"), ("a", 3, "retract")];
        assert_eq!(acts(&mut Ledger::default(), &life), [down("a", 1), up("a", 2)]);
    }

    #[test]
    fn a_listing_that_the_marketplace_removed_is_not_restored() {
        let mut ledger = Ledger::default();
        assert_eq!(acts(&mut ledger, &[("a", 1, "takedown")]), [down("a", 1)]);
        let gone = ReviewRecord {
            listing_id: "EX-1".into(),
            flag_id: "a".into(),
            revision: 2,
            decision: Decision::Retract,
            reasons: vec!["removed".into()],
        };
        assert_eq!(ledger.take(gone).unwrap().act, Deed::Close);
    }

    #[test]
    fn a_flag_that_was_never_acted_on_is_not_undone() {
        assert_eq!(acts(&mut Ledger::default(), &[("a", 1, "review"), ("a", 2, "retract")]), []);
    }

    #[test]
    fn a_flag_that_supersedes_another_is_acted_on_anew() {
        let life = [("a", 1, "takedown"), ("a", 2, "retract"), ("b", 1, "takedown")];
        assert_eq!(acts(&mut Ledger::default(), &life), [down("a", 1), up("a", 2), down("b", 1)]);
    }

    #[test]
    fn the_journal_is_the_memory_and_a_torn_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let act = |revision, act, decision| Act {
            act,
            listing_id: "EX-1".into(),
            flag_id: "a".into(),
            revision,
            decision,
        };
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.write(&act(2, Deed::TakeDown, Decision::Takedown)).unwrap();
        assert!(Journal::open(&path).is_err(), "two jobs on one journal");
        journal.0.write_all(b"{\"act\":\"res").unwrap();
        drop(journal);
        let (mut journal, mut ledger) = Journal::open(&path).unwrap();
        assert_eq!(acts(&mut ledger, &[("a", 1, "takedown"), ("a", 2, "takedown")]), []);
        assert_eq!(acts(&mut ledger, &[("a", 3, "retract")]), [up("a", 3)]);
        journal.write(&act(3, Deed::Restore, Decision::Retract)).unwrap();
        drop(journal);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
        let (_, mut ledger) = Journal::open(&path).unwrap();
        assert_eq!(acts(&mut ledger, &[("a", 3, "takedown"), ("a", 4, "takedown")]), [down("a", 4)]);
    }
}
