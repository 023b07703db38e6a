//! The state topic against the other topics: what is remembered of each listing is what was written about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::ledger::Ledger;
use super::life::{Event, FlagId, OpenFlag, OpenFlags, events};
use super::report::Violation;
use crate::headers::Source;
use crate::reader::Record;

/// The key under which a partition notes which rulings it has taken in. No listing has it: it is not UTF-8.
const CURSORS_KEY: &[u8] = b"\xffcursors";

/// The latest values of the state topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct States {
    /// What the topic is called.
    pub topic: Arc<str>,
    /// By listing and partition.
    pub entries: BTreeMap<String, BTreeMap<i32, StateRecord>>,
    /// Records under keys that are neither a listing's nor the cursors'.
    pub strays: Vec<Source>,
}

/// The latest value under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRecord {
    /// Where it stands.
    pub offset: i64,
    /// What matters of it; `None` if it cannot be read.
    pub entry: Option<StateEntry>,
}

/// What is remembered of a listing, as far as the ledger tells it too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateEntry {
    /// The version of its last verdict.
    pub version: u64,
    /// The last revision of that version.
    pub revision: u64,
    /// Its open flag.
    pub flag: Option<(FlagId, u64)>,
}

impl StateEntry {
    /// Reads the value of a record; the listing and the photos in it are skipped over.
    pub fn of(value: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Wire {
            version: u64,
            revision: u64,
            flag: Option<WireFlag>,
        }
        #[derive(Deserialize)]
        struct WireFlag {
            flag_id: String,
            revision: u64,
        }
        let wire: Wire = serde_json::from_slice(value).ok()?;
        let flag = match wire.flag {
            None => None,
            Some(flag) => Some((FlagId::parse(&flag.flag_id)?, flag.revision)),
        };
        Some(Self { version: wire.version, revision: wire.revision, flag })
    }
}

impl States {
    /// Takes in the next record of a partition.
    pub fn take(&mut self, record: Record) {
        let Some(key) = record.key.filter(|key| key != CURSORS_KEY) else { return };
        let (partition, offset) = (record.at.partition, record.at.offset);
        let Ok(listing_id) = String::from_utf8(key) else {
            self.strays.push(record.at);
            return;
        };
        match record.value {
            Some(value) => {
                let latest = StateRecord { offset, entry: StateEntry::of(&value) };
                self.entries.entry(listing_id).or_default().insert(partition, latest);
            }
            None => {
                if let Some(partitions) = self.entries.get_mut(&listing_id) {
                    partitions.remove(&partition);
                    if partitions.is_empty() {
                        self.entries.remove(&listing_id);
                    }
                }
            }
        }
    }

    /// How many listings are remembered, each once for every partition that remembers it.
    pub(super) fn n_entries(&self) -> usize {
        self.entries.values().map(BTreeMap::len).sum()
    }

    fn at(&self, partition: i32, offset: i64) -> Source {
        Source { topic: Arc::clone(&self.topic), partition, offset }
    }
}

/// What `verdicts` say of one listing.
struct Known<'a> {
    /// Its last verdict or retract.
    last: Event<'a>,
    /// Its last verdict that answers a listing.
    message: Option<Event<'a>>,
}

impl Known<'_> {
    /// The partition of the last listing.
    fn home(&self) -> Option<i32> {
        self.message.map(|event| event.source.partition)
    }

    /// Whether its last listing is so young that its state cannot have been forgotten yet.
    fn is_fresh(&self, ledger: &Ledger) -> bool {
        let seen_ms = self.message.and_then(|event| event.record.timestamp_ms);
        seen_ms.is_some_and(|seen| ledger.read_ms.saturating_sub(seen) < ledger.remembered_ms())
    }
}

/// What was compared.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compared {
    /// Listings that the state or a verdict speaks of.
    pub(super) n_listings: usize,
    /// Of them, those of which something could not be compared because retention has cut their history.
    pub(super) n_cut: usize,
}

/// Compares the state with `verdicts` and the open flags.
pub(super) fn check(
    ledger: &Ledger,
    states: &States,
    wrong: &BTreeSet<Source>,
    flags: &OpenFlags<'_>,
    violations: &mut Vec<Violation>,
) -> Compared {
    let known = known(ledger, wrong);
    let listings: BTreeSet<&str> =
        known.keys().copied().chain(states.entries.keys().map(String::as_str)).collect();
    let mut compared = Compared { n_listings: listings.len(), n_cut: 0 };
    for listing_id in listings {
        let subject = Subject {
            known: known.get(listing_id),
            open: open_flag(ledger, flags, listing_id),
            are_verdicts_cut: ledger.verdict_starts.values().any(|start| *start > 0),
            is_fresh: known.get(listing_id).is_some_and(|known| known.is_fresh(ledger)),
        };
        let partitions = states.entries.get(listing_id);
        compared.n_cut += usize::from(subject.is_cut());
        for (at, problem) in subject.problems(states, partitions) {
            violations.push(Violation::StateDiffers { listing_id: listing_id.to_owned(), at, problem });
        }
    }
    violations.extend(states.strays.iter().map(|at| Violation::StrayState { at: at.clone() }));
    compared
}

fn known<'a>(ledger: &'a Ledger, wrong: &BTreeSet<Source>) -> BTreeMap<&'a str, Known<'a>> {
    let mut known: BTreeMap<&str, Known<'_>> = BTreeMap::new();
    for event in events(&ledger.verdicts, wrong) {
        let message = event.is_message(ledger).then_some(event);
        if event.step.is_stale() {
            // It changes nothing, but the listing was heard of.
            known.entry(event.listing_id).and_modify(|k| k.message = message.or(k.message));
            continue;
        }
        known
            .entry(event.listing_id)
            .and_modify(|k| *k = Known { last: event, message: message.or(k.message) })
            .or_insert(Known { last: event, message });
    }
    known
}

/// The open flag by `review`; the outer `None` where retention may have cut what would tell.
fn open_flag(ledger: &Ledger, flags: &OpenFlags<'_>, listing_id: &str) -> Option<Option<OpenFlag>> {
    let is_whole = ledger.review_starts.values().all(|start| *start == 0);
    flags.get(listing_id).copied().or_else(|| is_whole.then_some(None))
}

/// One listing, and what should be remembered of it.
struct Subject<'a> {
    known: Option<&'a Known<'a>>,
    open: Option<Option<OpenFlag>>,
    are_verdicts_cut: bool,
    is_fresh: bool,
}

type Problem = (Option<Source>, String);

impl Subject<'_> {
    fn is_cut(&self) -> bool {
        self.open.is_none() || (self.known.is_none() && self.are_verdicts_cut)
    }

    fn problems(&self, states: &States, partitions: Option<&BTreeMap<i32, StateRecord>>) -> Vec<Problem> {
        let home = self.known.and_then(Known::home);
        let mut problems = Vec::new();
        let mut is_remembered = false;
        for (partition, latest) in partitions.into_iter().flatten() {
            let at = Some(states.at(*partition, latest.offset));
            if let Some(home) = home.filter(|home| home != partition) {
                problems.push((at, format!("its last listing came from partition {home}")));
                continue;
            }
            is_remembered = true;
            problems.extend(self.difference(latest).map(|problem| (at, problem)));
        }
        if !is_remembered {
            problems.extend(self.absence());
        }
        problems
    }

    /// How what is remembered differs from what was written.
    fn difference(&self, latest: &StateRecord) -> Option<String> {
        let Some(entry) = &latest.entry else { return Some("it cannot be read".to_owned()) };
        let Some(known) = self.known else {
            return (!self.are_verdicts_cut).then(|| "there is no verdict on it".to_owned());
        };
        let (step, at) = (known.last.step, &known.last.record.at);
        let (found, last) = ((entry.version, entry.revision), (step.version, step.revision));
        if found != last {
            return Some(format!(
                "it says version {}, revision {}, and the last verdict {at} version {}, revision {}",
                found.0, found.1, last.0, last.1
            ));
        }
        let open = self.open?;
        (entry.flag != open).then(|| format!("it has {}, and review has {}", name(entry.flag), name(open)))
    }

    /// What is wrong with nothing being remembered.
    fn absence(&self) -> Option<Problem> {
        let known = self.known?;
        let at = &known.last.record.at;
        match self.open.flatten() {
            Some(open) => {
                Some((None, format!("nothing is remembered, but review has {} ({at})", name(Some(open)))))
            }
            None if self.is_fresh => Some((None, format!("nothing is remembered of the last verdict {at}"))),
            None => None,
        }
    }
}

fn name(flag: Option<OpenFlag>) -> String {
    flag.map_or_else(
        || "no open flag".to_owned(),
        |(flag_id, revision)| format!("flag {flag_id}, revision {revision}"),
    )
}

#[cfg(test)]
mod tests;
