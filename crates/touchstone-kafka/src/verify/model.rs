//! A worker as its contract describes it, without Kafka and without a judge: it makes whole ledgers for tests.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ledger::{Body, Ledger, OutputRecord};
use super::life::FlagId;
use super::sources::{RecheckRecord, RulingRecord, SideTopic};
use super::states::{StateEntry, StateRecord, States};
use crate::headers::{RecordKind, Source};

pub(super) const STATE_DAYS: u32 = 90;
const START_MS: i64 = 1_767_000_000_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What the pure judge would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Takedown,
    Review,
    Clear,
    Removed,
}

impl Says {
    pub(super) const ALL: [Self; 4] = [Self::Takedown, Self::Review, Self::Clear, Self::Removed];

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Takedown => ("takedown", "photo_of_known_fake"),
            Self::Review => ("review", "counterfeit_slang"),
            Self::Clear => ("clear", "nothing_found"),
            Self::Removed => ("clear", "removed"),
        }
    }

    fn is_flag(self) -> bool {
        matches!(self, Self::Takedown | Self::Review)
    }
}

#[derive(Debug, Clone)]
struct Remembered {
    version: u64,
    revision: u64,
    is_open: bool,
    is_dismissed: bool,
    seen_ms: i64,
}

/// The worker with all its topics. Listing `n` stands in partition `n % 2` everywhere.
pub(super) struct Model {
    pub(super) ledger: Ledger,
    remembered: BTreeMap<u8, Remembered>,
    now_ms: i64,
    ends: BTreeMap<(&'static str, i32), i64>,
}

pub(super) fn listing_id(number: u8) -> String {
    format!("EX-{number}")
}

pub(super) fn flag_id(number: u8, version: u64) -> String {
    format!("00000000-0000-5000-8000-{:04x}{version:08x}", u16::from(number))
}

fn partition(number: u8) -> i32 {
    i32::from(number % 2)
}

impl Model {
    pub(super) fn new() -> Self {
        fn side<R>(name: &str) -> SideTopic<R> {
            SideTopic { name: name.into(), bounds: Some(BTreeMap::new()), records: Some(BTreeMap::new()) }
        }
        let ledger = Ledger {
            input_topic: "listings".into(),
            recheck: side("recheck"),
            decisions: side("decisions"),
            catalog: SideTopic { records: None, ..side("catalog") },
            state: Some(States { topic: "state".into(), ..States::default() }),
            state_days: STATE_DAYS,
            read_ms: START_MS,
            ..Ledger::default()
        };
        Self { ledger, remembered: BTreeMap::new(), now_ms: START_MS, ends: BTreeMap::new() }
    }

    /// The next place of a partition. Every third is a mark of a transaction, as in Kafka.
    fn next(&mut self, topic: &'static str, partition: i32) -> Source {
        let end = self.ends.entry((topic, partition)).or_default();
        let offset = *end;
        *end += 1 + i64::from(offset % 3 == 1);
        let bounds = (0, *end);
        match topic {
            "recheck" => self.ledger.recheck.bounds.as_mut().unwrap().insert(partition, bounds),
            "decisions" => self.ledger.decisions.bounds.as_mut().unwrap().insert(partition, bounds),
            "catalog" => self.ledger.catalog.bounds.as_mut().unwrap().insert(partition, bounds),
            _ => None,
        };
        Source { topic: topic.into(), partition, offset }
    }

    fn input(&mut self, number: u8) -> Source {
        let source = self.next("listings", partition(number));
        let input = self.ledger.inputs.entry(source.partition).or_default();
        input.offsets.push(source.offset);
        input.checksums.push(0);
        source
    }

    fn write(&mut self, number: u8, source: &Source, value: &Value) {
        let is_retract = value["decision"] == "retract";
        let is_flag = is_retract || value["decision"] == "takedown" || value["decision"] == "review";
        let verdict = OutputRecord {
            at: self.next("verdicts", partition(number)),
            timestamp_ms: Some(self.now_ms),
            key: Some(listing_id(number)),
            kind: Some(if is_retract { RecordKind::Retract } else { RecordKind::Verdict }),
            source: Some(source.clone()),
            body: Body::of_verdict(Some(value.to_string().as_bytes())),
        };
        if is_flag {
            let at = self.next("review", partition(number));
            self.ledger.review.push(OutputRecord { at, ..verdict.clone() });
        }
        self.ledger.verdicts.push(verdict);
    }

    fn verdict(&mut self, number: u8, source: &Source, (version, revision): (u64, u64), says: Says) {
        let (decision, reason) = says.words();
        let value = json!({"listing_id": listing_id(number), "listing_version": version,
            "flag_id": flag_id(number, version), "revision": revision, "decision": decision, "reasons": [reason]});
        self.write(number, source, &value);
    }

    fn retract(&mut self, number: u8, source: &Source, reason: &str, replaced_by: Option<u64>) {
        let known = self.remembered.get_mut(&number).unwrap();
        known.revision += 1;
        known.is_open = false;
        known.seen_ms = self.now_ms;
        let mut value = json!({"listing_id": listing_id(number), "listing_version": known.version,
            "flag_id": flag_id(number, known.version), "revision": known.revision, "decision": "retract",
            "reasons": [reason]});
        if let Some(version) = replaced_by {
            value["replaced_by"] = flag_id(number, version).into();
        }
        self.write(number, source, &value);
    }

    /// A version of a listing comes in.
    pub(super) fn listing(&mut self, number: u8, version: u64, says: Says) {
        let source = self.input(number);
        match self.remembered.get(&number).cloned() {
            Some(known) if version < known.version => {
                let value = json!({"listing_id": listing_id(number), "listing_version": version,
                    "flag_id": flag_id(number, version), "revision": 0, "decision": "abstain",
                    "reasons": ["stale_version"]});
                self.write(number, &source, &value);
            }
            Some(known) if version == known.version => self.judge_again(number, &source, says),
            known => {
                let is_dismissed = known.as_ref().is_some_and(|known| known.is_dismissed);
                let says = if is_dismissed && says.is_flag() { Says::Clear } else { says };
                if known.is_some_and(|known| known.is_open) {
                    let reason = match says {
                        Says::Removed => "removed",
                        Says::Clear => "edited",
                        Says::Takedown | Says::Review => "superseded_by_flag",
                    };
                    self.retract(number, &source, reason, Some(version));
                }
                self.verdict(number, &source, (version, 1), says);
                let (is_open, seen_ms) = (says.is_flag(), self.now_ms);
                let known = Remembered { version, revision: 1, is_open, is_dismissed, seen_ms };
                self.remembered.insert(number, known);
            }
        }
        if let Some(known) = self.remembered.get_mut(&number) {
            known.seen_ms = self.now_ms;
        }
        self.remember(number);
    }

    fn judge_again(&mut self, number: u8, source: &Source, says: Says) {
        let known = self.remembered[&number].clone();
        let says = if known.is_dismissed && says.is_flag() { Says::Clear } else { says };
        if known.is_open && !says.is_flag() {
            let reason = if says == Says::Removed { "removed" } else { "evidence_changed" };
            self.retract(number, source, reason, None);
        }
        let known = self.remembered.get_mut(&number).unwrap();
        known.revision += 1;
        known.is_open = says.is_flag();
        let place = (known.version, known.revision);
        self.verdict(number, source, place, says);
        self.remember(number);
    }

    /// The catalog changes, and the open flag is judged again.
    pub(super) fn sweep(&mut self, number: u8, says: Says) {
        let source = self.next("catalog", 0);
        let is_open = self.remembered.get(&number).is_some_and(|known| known.is_open);
        if is_open && says != Says::Removed {
            self.judge_again(number, &source, says);
        }
    }

    /// A re-check is written for the last listing and comes due.
    pub(super) fn recheck(&mut self, number: u8, says: Says) {
        let of = |record: &&OutputRecord| record.key.as_deref() == Some(&listing_id(number));
        let inputs = self.ledger.verdicts.iter().filter(of).filter_map(|record| record.source.clone());
        let Some(input) = inputs.rev().find(|source| &*source.topic == "listings") else { return };
        if !self.remembered.contains_key(&number) || says == Says::Removed {
            return;
        }
        let source = self.next("recheck", partition(number));
        let recheck = RecheckRecord { source: Some(input), problem: None };
        let records = self.ledger.recheck.records.as_mut().unwrap();
        records.insert((source.partition, source.offset), recheck);
        self.judge_again(number, &source, says);
    }

    /// A reviewer rules on the listing.
    pub(super) fn rule(&mut self, number: u8, is_dismissal: bool) {
        let source = self.next("decisions", 0);
        let ruling = RulingRecord { listing_id: listing_id(number), is_dismissal };
        let records = self.ledger.decisions.records.as_mut().unwrap();
        records.insert((source.partition, source.offset), Some(ruling));
        let Some(known) = self.remembered.get_mut(&number) else { return };
        known.is_dismissed = is_dismissal;
        if is_dismissal && known.is_open {
            self.retract(number, &source, "dismissed", None);
        }
        self.remember(number);
    }

    /// Days go by, and states expire.
    pub(super) fn wait(&mut self, days: i64) {
        self.now_ms += days * DAY_MS;
        self.ledger.read_ms = self.now_ms;
        let oldest = self.now_ms - i64::from(STATE_DAYS) * DAY_MS;
        let expired = |known: &Remembered| !known.is_open && !known.is_dismissed && known.seen_ms <= oldest;
        let numbers: Vec<u8> =
            self.remembered.iter().filter(|(_, known)| expired(known)).map(|(number, _)| *number).collect();
        for number in numbers {
            self.remembered.remove(&number);
            self.ledger.state.as_mut().unwrap().entries.remove(&listing_id(number));
        }
    }

    fn remember(&mut self, number: u8) {
        let Some(known) = self.remembered.get(&number).cloned() else { return };
        let id = FlagId::parse(&flag_id(number, known.version)).unwrap();
        let flag = known.is_open.then_some((id, known.revision));
        let entry = Some(StateEntry { version: known.version, revision: known.revision, flag });
        let offset = self.next("state", partition(number)).offset;
        let states = self.ledger.state.as_mut().unwrap();
        let latest = StateRecord { offset, entry };
        states.entries.entry(listing_id(number)).or_default().insert(partition(number), latest);
    }

    pub(super) fn version(&self, number: u8) -> u64 {
        self.remembered.get(&number).map_or(0, |known| known.version)
    }
}
