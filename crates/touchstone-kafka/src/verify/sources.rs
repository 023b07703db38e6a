//! What an output may name as its source, and whether that exists.

use std::collections::BTreeMap;
use std::sync::Arc;

use touchstone_types::{Listing, ReviewDecision, Ruling};

use super::ledger::Ledger;
use super::report::Violation;
use crate::headers::{self, RecordKind, Source};
use crate::reader::Record;

/// The first offset that each partition of a topic still has, and the one behind its last record.
pub type Bounds = BTreeMap<i32, (i64, i64)>;

/// A topic beside the listings that outputs may name as their source.
#[derive(Debug, Clone, PartialEq)]
pub struct SideTopic<R> {
    /// What it is called.
    pub name: Arc<str>,
    /// Where it begins and ends; `None` if it does not exist or nothing was ever written to it.
    pub bounds: Option<Bounds>,
    /// What matters of its records, by partition and offset; `None` in a compacted topic, where any record may be gone.
    pub records: Option<BTreeMap<(i32, i64), R>>,
}

impl<R> Default for SideTopic<R> {
    fn default() -> Self {
        Self { name: Arc::from(""), bounds: None, records: None }
    }
}

/// Whether a source exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Yes,
    /// The topic no longer has it.
    Expired,
    No,
    /// There is no such topic.
    Unchecked,
}

impl<R> SideTopic<R> {
    /// The record at that place.
    pub(super) fn record(&self, source: &Source) -> Option<&R> {
        self.records.as_ref()?.get(&(source.partition, source.offset))
    }

    fn find(&self, source: &Source) -> Found {
        let Some(bounds) = &self.bounds else { return Found::Unchecked };
        match bounds.get(&source.partition) {
            Some((start, _)) if source.offset < *start => Found::Expired,
            Some((_, end)) if source.offset < *end => match &self.records {
                Some(records) if !records.contains_key(&(source.partition, source.offset)) => Found::No,
                _ => Found::Yes,
            },
            _ => Found::No,
        }
    }
}

/// A ruling, as far as a retract names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulingRecord {
    /// The listing that was ruled on.
    pub listing_id: String,
    /// Whether the flag was dismissed.
    pub is_dismissal: bool,
}

impl RulingRecord {
    /// Reads the value of a record of `decisions`; `None` if it is no ruling.
    pub fn of(value: Option<&[u8]>) -> Option<Self> {
        let ruling = ReviewDecision::from_json(value?).ok()?;
        let is_dismissal = ruling.ruling == Ruling::Dismiss;
        Some(Self { listing_id: ruling.listing_id.to_string(), is_dismissal })
    }
}

/// A listing that is to be judged again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecheckRecord {
    /// The input for which it was written.
    pub source: Option<Source>,
    /// What is wrong with its headers, its key or its value.
    pub problem: Option<&'static str>,
}

impl RecheckRecord {
    /// What matters of a record of the re-check topic.
    pub fn of(record: &Record) -> Self {
        let source = record.header(headers::SOURCE).and_then(Source::parse);
        Self { problem: recheck_problem(record), source }
    }
}

fn recheck_problem(record: &Record) -> Option<&'static str> {
    let number = |name| record.header(name).and_then(|text| text.parse::<u64>().ok());
    if record.header(headers::KIND).and_then(RecordKind::parse) != Some(RecordKind::Recheck) {
        return Some("has no header touchstone-kind that says recheck");
    }
    if [headers::ATTEMPTS, headers::REVISION].iter().any(|name| number(name).is_none_or(|n| n == 0)) {
        return Some("does not say which attempt for which revision it is");
    }
    if number(headers::DUE).is_none() {
        return Some("does not say when it is due");
    }
    let listing = record.value.as_deref().and_then(|value| Listing::from_json(value).ok());
    match listing {
        None => Some("is no listing"),
        Some(listing) if record.key.as_deref() != Some(listing.listing_id.as_str().as_bytes()) => {
            Some("has another key than its listing's identifier")
        }
        Some(_) => None,
    }
}

/// Whether a record of `verdicts` or `review` may name this source, and whether it exists.
pub(super) fn find(ledger: &Ledger, kind: RecordKind, source: &Source) -> Found {
    if source.topic == ledger.input_topic {
        return find_input(ledger, source);
    }
    if kind == RecordKind::DeadLetter {
        return Found::No;
    }
    if source.topic == ledger.recheck.name {
        ledger.recheck.find(source)
    } else if source.topic == ledger.catalog.name {
        ledger.catalog.find(source)
    } else if source.topic == ledger.decisions.name && kind == RecordKind::Retract {
        ledger.decisions.find(source)
    } else {
        Found::No
    }
}

fn find_input(ledger: &Ledger, source: &Source) -> Found {
    match ledger.inputs.get(&source.partition) {
        Some(input) if source.offset < input.start => Found::Expired,
        Some(input) if input.offsets.binary_search(&source.offset).is_ok() => Found::Yes,
        _ => Found::No,
    }
}

/// Every re-check explains itself, and stands in the partition of its input.
pub(super) fn check_rechecks(ledger: &Ledger, violations: &mut Vec<Violation>) {
    for ((partition, offset), recheck) in ledger.recheck.records.iter().flatten() {
        let at = Source { topic: Arc::clone(&ledger.recheck.name), partition: *partition, offset: *offset };
        let problem = recheck.problem.or_else(|| {
            let Some(source) = &recheck.source else { return Some("names no input") };
            if source.topic != ledger.input_topic && source.topic != ledger.recheck.name {
                return Some("names a source that is neither a listing nor a re-check");
            }
            if source.partition != *partition {
                return Some("stands in another partition than its input");
            }
            (find(ledger, RecordKind::Recheck, source) == Found::No)
                .then_some("names an input that does not exist")
        });
        violations.extend(problem.map(|problem| Violation::BadRecheck { at, problem }));
    }
}
