//! The life of flags: revisions without gaps, one open flag a listing, and nothing taken back without a cause.
//!
//! ```text
//! verdicts ──▶ revisions of each flag_id: 1, 2, 3 …   every retract has its cause
//! review   ──▶ open flag of each listing: opened, goes on, retracted
//! ```
//!
//! What was found wrong with a record itself is reported elsewhere; such a record is no part of a life.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};
use touchstone_types::{Decision, Reason};

use super::ledger::{Ledger, OutputRecord};
use super::report::Violation;
use crate::headers::{RecordKind, Source};

/// The identifier of a flag, in 16 bytes: a ledger holds millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlagId(u128);

impl FlagId {
    /// Reads a UUID of 32 hexadecimal digits and four hyphens; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.replace('-', "");
        let is_uuid = text.len() == 36 && digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        is_uuid.then(|| u128::from_str_radix(&digits, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for FlagId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        f.write_str(&parts.join("-"))
    }
}

/// What a verdict, a flag or a retract says of the life of its flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Whose life.
    pub flag_id: FlagId,
    /// Which step of it, from 1; 0 for a stale version, which is no step.
    pub revision: u64,
    /// The version of the listing.
    pub version: u64,
    /// What was decided.
    pub decision: Decision,
    /// Its reason, where it has exactly one.
    pub reason: Option<Reason>,
    /// Of a retract: the flag whose verdict took its place.
    pub replaced_by: Option<FlagId>,
}

impl Step {
    /// Reads it from a verdict's JSON; `None` where that lacks an identifier, a revision, a version or a decision.
    pub(super) fn of(verdict: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| verdict.get(name).and_then(Value::as_str);
        let number = |name: &str| verdict.get(name).and_then(Value::as_u64);
        let reason = match verdict.get("reasons").and_then(Value::as_array).map(Vec::as_slice) {
            Some([Value::String(reason)]) => Reason::parse(reason),
            _ => None,
        };
        Some(Self {
            flag_id: FlagId::parse(text("flag_id")?)?,
            revision: number("revision")?,
            version: number("listing_version")?,
            decision: Decision::parse(text("decision")?)?,
            reason,
            replaced_by: text("replaced_by").and_then(FlagId::parse),
        })
    }

    /// Whether a flag is open after it.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.decision, Decision::Takedown | Decision::Review)
    }

    /// Whether it stands outside all lives.
    pub(super) fn is_stale(&self) -> bool {
        self.revision == 0 || self.reason == Some(Reason::StaleVersion)
    }
}

/// One record of `verdicts` or `review` that belongs to a life.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event<'a> {
    pub(super) record: &'a OutputRecord,
    pub(super) listing_id: &'a str,
    pub(super) step: &'a Step,
    pub(super) kind: RecordKind,
    pub(super) source: &'a Source,
}

impl Event<'_> {
    /// Whether it answers a message about the listing, and not a re-check, a change of the catalog or a ruling.
    pub(super) fn is_message(&self, ledger: &Ledger) -> bool {
        self.kind == RecordKind::Verdict && self.source.topic == ledger.input_topic
    }

    /// The partition in which its listing is remembered, where it tells.
    fn home(&self, ledger: &Ledger) -> Option<i32> {
        let tells = [&ledger.input_topic, &ledger.recheck.name].contains(&&self.source.topic);
        tells.then_some(self.source.partition)
    }
}

/// The records that belong to lives, in log order within each partition: all but those that are `wrong` in themselves.
pub(super) fn events<'a>(
    records: &'a [OutputRecord],
    wrong: &BTreeSet<Source>,
) -> impl Iterator<Item = Event<'a>> {
    records.iter().filter(|record| !wrong.contains(&record.at)).filter_map(|record| {
        let (listing_id, step) = record.body.step()?;
        Some(Event { record, listing_id, step, kind: record.kind?, source: record.source.as_ref()? })
    })
}

/// The identifier and the revision of an open flag.
pub(super) type OpenFlag = (FlagId, u64);

/// Whether each listing has an open flag and which, as `review` tells. A listing is absent where `review` says nothing of it.
pub(super) type OpenFlags<'a> = BTreeMap<&'a str, Option<OpenFlag>>;

/// Whether lives are kept at all: releases before them wrote neither a state nor retracts nor a second revision, and left
/// every flag open.
pub(super) fn is_kept(ledger: &Ledger) -> bool {
    let is_sign = |step: &Step| step.revision != 1 || step.decision == Decision::Retract;
    let mut steps = ledger.verdicts.iter().chain(&ledger.review).filter_map(|record| record.body.step());
    ledger.state.is_some() || steps.any(|(_, step)| is_sign(step))
}

/// Checks the lives of all flags and returns which are open.
pub(super) fn check<'a>(
    ledger: &'a Ledger,
    wrong: &BTreeSet<Source>,
    violations: &mut Vec<Violation>,
) -> OpenFlags<'a> {
    check_revisions(ledger, wrong, violations);
    check_taken_back(ledger, wrong, violations);
    check_retracts(ledger, wrong, violations);
    follow(ledger, wrong, violations)
}

/// The revisions of each flag rise by one from 1.
fn check_revisions(ledger: &Ledger, wrong: &BTreeSet<Source>, violations: &mut Vec<Violation>) {
    let mut last: BTreeMap<FlagId, (Event<'_>, usize)> = BTreeMap::new();
    let mut memories: BTreeMap<&str, Memory> = BTreeMap::new();
    for event in events(&ledger.verdicts, wrong) {
        let (step, at) = (event.step, &event.record.at);
        let memory = memories.entry(event.listing_id).or_default();
        if event.is_message(ledger) {
            memory.see(event.record.timestamp_ms, ledger.remembered_ms());
        }
        if step.is_stale() {
            violations
                .extend(stale_problem(event).map(|problem| Violation::Stale { at: at.clone(), problem }));
            continue;
        }
        let n_forgotten = memory.n_forgotten;
        let expected = match last.insert(step.flag_id, (event, n_forgotten)) {
            None if is_cut(&ledger.verdict_starts, at) => continue,
            None => 1,
            // Nobody forgets an open flag.
            Some((before, n)) if step.revision == 1 && n < n_forgotten && !before.step.is_open() => continue,
            Some((before, _)) => before.step.revision + 1,
        };
        if step.revision != expected {
            violations.push(Violation::Revision {
                at: at.clone(),
                flag_id: step.flag_id,
                revision: step.revision,
                expected,
            });
        }
    }
}

/// A verdict that is no flag comes after the retract of the flag that was open.
fn check_taken_back(ledger: &Ledger, wrong: &BTreeSet<Source>, violations: &mut Vec<Violation>) {
    // The open flag of each listing, and the partition in which the listing is remembered.
    let mut flags: BTreeMap<&str, (FlagId, Option<i32>)> = BTreeMap::new();
    for event in events(&ledger.verdicts, wrong).filter(|event| !event.step.is_stale()) {
        let home = event.home(ledger);
        if event.step.is_open() {
            let before = flags.get(event.listing_id).and_then(|(_, home)| *home);
            flags.insert(event.listing_id, (event.step.flag_id, home.or(before)));
            continue;
        }
        let Some((open, before)) = flags.get(event.listing_id).copied() else { continue };
        let is_retract = event.step.decision == Decision::Retract;
        // Retracts and sweeps speak of their own flag. Where partitions were added, a listing may have one in each.
        let is_other = event.step.flag_id != open && (is_retract || home.is_none());
        let has_moved = home.zip(before).is_some_and(|(home, before)| home != before);
        if is_other || has_moved {
            continue;
        }
        flags.remove(event.listing_id);
        if !is_retract {
            let (at, listing_id) = (event.record.at.clone(), event.listing_id.to_owned());
            violations.push(Violation::NotTakenBack { at, listing_id, open });
        }
    }
}

/// Between which messages a listing may have been forgotten, so that the revisions of its flags begin anew.
#[derive(Default)]
struct Memory {
    /// When the last message was answered.
    seen_ms: Option<i64>,
    n_forgotten: usize,
}

impl Memory {
    fn see(&mut self, now_ms: Option<i64>, remembered_ms: i64) {
        let gap = self.seen_ms.zip(now_ms).map(|(before, now)| now.saturating_sub(before));
        self.n_forgotten += usize::from(gap.is_some_and(|gap| gap >= remembered_ms));
        self.seen_ms = now_ms;
    }
}

fn stale_problem(event: Event<'_>) -> Option<&'static str> {
    let step = event.step;
    if step.revision != 0 {
        return Some("is a stale version, but its revision is not 0");
    }
    if step.reason != Some(Reason::StaleVersion) {
        return Some("has revision 0, but not the one reason stale_version");
    }
    let is_abstain = step.decision == Decision::Abstain && event.kind == RecordKind::Verdict;
    (!is_abstain).then_some("is a stale version, but no verdict that abstains")
}

/// Whether retention has cut the beginning of the partition in which this record stands.
pub(super) fn is_cut(starts: &BTreeMap<i32, i64>, at: &Source) -> bool {
    starts.get(&at.partition).is_some_and(|start| *start > 0)
}

/// Follows `review` in log order.
fn follow<'a>(
    ledger: &'a Ledger,
    wrong: &BTreeSet<Source>,
    violations: &mut Vec<Violation>,
) -> OpenFlags<'a> {
    let mut flags = OpenFlags::new();
    for event in events(&ledger.review, wrong) {
        let (step, at) = (event.step, &event.record.at);
        let before = flags.get(event.listing_id).copied();
        let open = before.flatten();
        if step.is_open() {
            if let Some((other, _)) = open.filter(|(flag_id, _)| *flag_id != step.flag_id) {
                let (at, listing_id) = (at.clone(), event.listing_id.to_owned());
                violations.push(Violation::TwoOpen { at, listing_id, open: other });
            }
            flags.insert(event.listing_id, Some((step.flag_id, step.revision)));
            continue;
        }
        let is_known = before.is_some() || !is_cut(&ledger.review_starts, at);
        let problem = match open {
            _ if !is_known => None,
            Some((flag_id, _)) if flag_id != step.flag_id => Some("takes back a flag that is not open"),
            Some((_, revision)) if revision + 1 != step.revision => Some("does not follow the last revision"),
            Some(_) => None,
            None => Some("takes back a flag that is not open"),
        };
        violations.extend(problem.map(|problem| Violation::RetractWithoutFlag { at: at.clone(), problem }));
        // The retract of another flag closes nothing.
        if open.is_none_or(|(flag_id, _)| flag_id == step.flag_id) {
            flags.insert(event.listing_id, None);
        }
    }
    flags
}

/// Every retract says why, and the verdict or the ruling that it names is there.
fn check_retracts(ledger: &Ledger, wrong: &BTreeSet<Source>, violations: &mut Vec<Violation>) {
    let retracts: Vec<Event<'_>> =
        events(&ledger.verdicts, wrong).filter(|event| event.kind == RecordKind::Retract).collect();
    let causes: BTreeSet<FlagId> = retracts.iter().map(|event| successor(event.step)).collect();
    let mut verdicts: BTreeMap<FlagId, Vec<Event<'_>>> = BTreeMap::new();
    for event in events(&ledger.verdicts, wrong) {
        let is_retract = event.step.decision == Decision::Retract;
        if is_retract != (event.kind == RecordKind::Retract) {
            let problem = "has another kind than decision";
            violations.push(Violation::RetractWithoutCause { at: event.record.at.clone(), problem });
        } else if !is_retract && causes.contains(&event.step.flag_id) {
            verdicts.entry(event.step.flag_id).or_default().push(event);
        }
    }
    for retract in retracts.iter().filter(|event| event.step.decision == Decision::Retract) {
        let candidates = verdicts.get(&successor(retract.step)).map_or(&[][..], Vec::as_slice);
        let problem = cause_problem(ledger, retract, candidates);
        let at = || retract.record.at.clone();
        violations.extend(problem.map(|problem| Violation::RetractWithoutCause { at: at(), problem }));
    }
}

/// The flag of the verdict that was written together with a retract.
fn successor(retract: &Step) -> FlagId {
    retract.replaced_by.unwrap_or(retract.flag_id)
}

/// Why the cause of a retract is none; `verdicts` are those of its successor.
fn cause_problem(ledger: &Ledger, retract: &Event<'_>, verdicts: &[Event<'_>]) -> Option<&'static str> {
    let step = retract.step;
    let is_replaced = step.replaced_by.is_some_and(|flag_id| flag_id != step.flag_id);
    match step.reason {
        Some(Reason::Dismissed) => return ruling_problem(ledger, retract),
        Some(Reason::Edited | Reason::SupersededByFlag) if !is_replaced => {
            return Some("names no flag that took its place");
        }
        Some(Reason::CatalogWithdrawn | Reason::EvidenceChanged) if step.replaced_by.is_some() => {
            return Some("names a flag that took its place, but not an edit or a removal as the reason");
        }
        Some(Reason::Edited | Reason::SupersededByFlag | Reason::Removed) => {}
        Some(Reason::CatalogWithdrawn | Reason::EvidenceChanged) => {}
        _ => return Some("has not exactly one reason of those that a retract may have"),
    }
    // It was written behind the retract, in the same transaction.
    let follows = |verdict: &&Event<'_>| {
        verdict.source == retract.source
            && verdict.record.at.partition == retract.record.at.partition
            && verdict.record.at.offset > retract.record.at.offset
            && (is_replaced || verdict.step.revision == step.revision + 1)
    };
    let is_superseded = step.reason == Some(Reason::SupersededByFlag);
    match verdicts.iter().find(follows) {
        None => Some("is not followed by the verdict that caused it"),
        Some(verdict) if verdict.step.is_open() == is_superseded => None,
        Some(_) if is_superseded => Some("says that a flag took its place, but that verdict is none"),
        Some(_) => Some("does not say that a flag took its place, but that verdict is one"),
    }
}

/// Why the dismissal of a flag is none. A source that does not exist is reported where sources are.
fn ruling_problem(ledger: &Ledger, retract: &Event<'_>) -> Option<&'static str> {
    if retract.source.topic != ledger.decisions.name {
        return Some("says that a reviewer dismissed it, but names no ruling");
    }
    let ruling = ledger.decisions.record(retract.source)?;
    match ruling {
        None => Some("names a ruling that cannot be read"),
        Some(ruling) if ruling.listing_id != retract.listing_id => Some("names a ruling on another listing"),
        Some(ruling) if !ruling.is_dismissal => Some("names a ruling that dismisses nothing"),
        Some(_) if retract.step.replaced_by.is_some() => Some("was dismissed, yet names a flag in its place"),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
