//! The checker as a pure function.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::life::{self, Step};
use super::report::{Report, Unchecked, Violation};
use super::retention::Remains;
use super::sources::{self, Found, RecheckRecord, RulingRecord, SideTopic};
use super::states::{self, States};
use crate::headers::{RecordKind, Source};

/// What the topics hold, as far as the ledger is concerned.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    /// The input topic: outputs that name another one have no input.
    pub input_topic: Arc<str>,
    /// The partitions of the input topic by number.
    pub inputs: BTreeMap<i32, Partition>,
    /// The records of `verdicts`, in order of offset within each partition.
    pub verdicts: Vec<OutputRecord>,
    /// The records of `review`.
    pub review: Vec<OutputRecord>,
    /// The records of the dead-letter topic.
    pub dead_letters: Vec<OutputRecord>,
    /// The first offset that each partition of `verdicts` still has.
    pub verdict_starts: BTreeMap<i32, i64>,
    /// The first offset that each partition of `review` still has.
    pub review_starts: BTreeMap<i32, i64>,
    /// The listings that were to be judged again.
    pub recheck: SideTopic<RecheckRecord>,
    /// The catalog, which sweeps name.
    pub catalog: SideTopic<()>,
    /// The rulings that retracts name; `None` for one that cannot be read.
    pub decisions: SideTopic<Option<RulingRecord>>,
    /// What is remembered of each listing; `None` if there is no such topic or nothing was ever written to it.
    pub state: Option<States>,
    /// When all this was read, in milliseconds of Unix time.
    pub read_ms: i64,
    /// For how many days a listing without flag and ruling is remembered after its last message.
    pub state_days: u32,
}

impl Ledger {
    /// How long after the verdict on its last message a listing is surely remembered, in milliseconds. An hour less than the
    /// setting: the clocks of workers and brokers differ, and stale versions are noted every ten minutes only (`STALE_NOTED_MS`).
    pub(super) fn remembered_ms(&self) -> i64 {
        (i64::from(self.state_days) * 24 - 1) * 60 * 60 * 1000
    }
}

/// One partition of the input topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partition {
    /// The first offset that the topic still has. Outputs of earlier inputs cannot be checked.
    pub start: i64,
    /// The offsets of its committed records, ascending.
    pub offsets: Vec<i64>,
    /// The checksum of the key and the value of each.
    pub checksums: Vec<u32>,
    /// The group's committed offset: everything below it must have an output, and everything below the highest offset that
    /// has one, whatever is committed. `None` means everything must.
    pub committed: Option<i64>,
}

/// One record of an output topic.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputRecord {
    /// Where it stands.
    pub at: Source,
    /// When it was written, in milliseconds of Unix time, if the topic tells.
    pub timestamp_ms: Option<i64>,
    /// Its key, where it is UTF-8.
    pub key: Option<String>,
    /// Its kind, where the header says one.
    pub kind: Option<RecordKind>,
    /// Its input, where the header names one.
    pub source: Option<Source>,
    /// What of its value matters.
    pub body: Body,
}

/// What of an output's value matters to the ledger.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A dead letter.
    DeadLetter {
        /// What it does not say of its input.
        lacks: Option<&'static str>,
        /// The checksum of its key and its value; none where the value was cut.
        checksum: Option<u32>,
    },
    /// Not a JSON object with a `listing_id`, or not with what a verdict says of its flag.
    Unreadable,
    /// A verdict that is no flag.
    Plain {
        /// The listing.
        listing_id: String,
        /// What it says of its flag.
        step: Step,
    },
    /// A flag, or the verdict that it repeats.
    Flag {
        /// The listing.
        listing_id: String,
        /// What it says of the life of the flag.
        step: Step,
        /// `flag_id` and `revision`, which tell the flags of one input apart.
        name: String,
        /// The value without `listing` and `photos`, as JSON with sorted keys.
        content: String,
    },
}

impl Body {
    /// Reads the value of a verdict or a flag.
    pub fn of_verdict(value: Option<&[u8]>) -> Self {
        let Some(Value::Object(mut object)) = value.and_then(|v| serde_json::from_slice(v).ok()) else {
            return Self::Unreadable;
        };
        let Some(listing_id) = object.get("listing_id").and_then(Value::as_str).map(str::to_owned) else {
            return Self::Unreadable;
        };
        let Some(step) = Step::of(&object) else { return Self::Unreadable };
        if !step.decision.is_flag() {
            return Self::Plain { listing_id, step };
        }
        let part = |name: &str| object.get(name).map(ToString::to_string).unwrap_or_default();
        let name = format!("{} {}", part("flag_id"), part("revision"));
        object.remove("listing");
        object.remove("photos");
        // Maps of serde_json are sorted by key, so equal objects have equal texts.
        Self::Flag { listing_id, step, name, content: Value::Object(object).to_string() }
    }

    /// The listing, and what is said of the life of its flag.
    pub(super) fn step(&self) -> Option<(&str, &Step)> {
        match self {
            Self::Plain { listing_id, step } | Self::Flag { listing_id, step, .. } => {
                Some((listing_id, step))
            }
            Self::DeadLetter { .. } | Self::Unreadable => None,
        }
    }

    fn listing_id(&self) -> Option<&str> {
        self.step().map(|(listing_id, _)| listing_id)
    }
}

/// Checks the ledger:
///
/// 1. each input is the source of exactly one verdict or dead letter, unless it is still pending, and each re-check of at most
///    one verdict;
/// 2. each output names an existing source that it may have;
/// 3. for one listing and one source partition, verdicts stand in the order of their sources;
/// 4. the key of verdicts and flags is the listing's identifier;
/// 5. dead letters say what was wrong with which input, and repeat its key and value, unless they had to be cut;
/// 6. flags and the verdicts that are flags belong together one to one, but where retention may have cut one of them, and are
///    equal but for `listing` and `photos`;
/// 7. re-checks explain themselves;
/// 8. the lives of flags are whole, where a worker that keeps them has written: see `life.rs`;
/// 9. what is remembered of each listing is what was written about it: see `states.rs`.
pub fn check(ledger: &Ledger) -> Report {
    let mut violations = Vec::new();
    let mut unchecked = Vec::new();
    let (outputs, n_expired) = outputs_by_source(ledger, &mut violations, &mut unchecked);
    let n_pending = check_inputs(ledger, &outputs.of_inputs, &mut violations);
    check_once(&outputs.of_rechecks, &ledger.recheck.name, &mut violations);
    check_order(ledger, &mut violations);
    check_values(ledger, &mut violations);
    check_dead_letters(ledger, &mut violations);
    check_flags(ledger, &mut violations, &mut unchecked);
    let n_open = check_lives(ledger, &mut violations, &mut unchecked);
    sources::check_rechecks(ledger, &mut violations);
    violations.sort();
    let is_retract = |record: &&OutputRecord| record.kind == Some(RecordKind::Retract);
    let is_on_input = |record: &&OutputRecord| {
        let source = record.source.as_ref();
        record.kind == Some(RecordKind::Verdict) && source.is_some_and(|s| s.topic == ledger.input_topic)
    };
    Report {
        n_inputs: ledger.inputs.values().map(|partition| partition.offsets.len()).sum(),
        n_pending,
        n_verdicts: ledger.verdicts.iter().filter(is_on_input).count(),
        n_flags: ledger.review.len(),
        n_open,
        n_retracts: ledger.verdicts.iter().filter(is_retract).count(),
        n_rechecks: ledger.recheck.records.as_ref().map_or(0, BTreeMap::len),
        n_states: ledger.state.as_ref().map_or(0, States::n_entries),
        n_dead_letters: ledger.dead_letters.len(),
        n_expired,
        unchecked,
        violations,
    }
}

/// Checks the lives of flags and the state, and returns how many flags are open.
fn check_lives(ledger: &Ledger, violations: &mut Vec<Violation>, unchecked: &mut Vec<Unchecked>) -> usize {
    let wrong = wrong_in_themselves(ledger, violations);
    if !life::is_kept(ledger) {
        let flags = life::check(ledger, &wrong, &mut Vec::new());
        unchecked.extend(Unchecked::new(
            "verdicts for the life of their flags",
            ledger.verdicts.len(),
            ledger.verdicts.len(),
            "no worker that keeps a state has written here",
        ));
        return flags.values().flatten().count();
    }
    let flags = life::check(ledger, &wrong, violations);
    if let Some(states) = &ledger.state {
        let compared = states::check(ledger, states, &wrong, &flags, violations);
        let why = "retention has cut their history";
        unchecked.extend(Unchecked::new(
            "listings for their state",
            compared.n_cut,
            compared.n_listings,
            why,
        ));
    } else {
        let n = life::events(&ledger.verdicts, &wrong).map(|event| event.listing_id);
        let n = n.collect::<BTreeSet<_>>().len();
        let why = "the state topic is missing or empty";
        unchecked.extend(Unchecked::new("listings for their state", n, n, why));
    }
    flags.values().flatten().count()
}

/// Where the outputs stand that have been found wrong in themselves, so that nothing follows from them for the life of a flag.
fn wrong_in_themselves(ledger: &Ledger, violations: &[Violation]) -> BTreeSet<Source> {
    let is_retract = |record: &&OutputRecord| record.kind == Some(RecordKind::Retract);
    let retracts: BTreeSet<&Source> = ledger.verdicts.iter().filter(is_retract).map(|r| &r.at).collect();
    let mut wrong = BTreeSet::new();
    for violation in violations {
        match violation {
            Violation::Unsourced { at, .. } | Violation::FlagWithoutVerdict { at } => {
                wrong.insert(at.clone());
            }
            // A flag is taken back whatever the retract names.
            Violation::NoSource { at, .. } if !retracts.contains(at) => {
                wrong.insert(at.clone());
            }
            Violation::Doubled { at, .. } | Violation::FlagDoubled { at } => {
                wrong.extend(at.iter().skip(1).cloned());
            }
            _ => {}
        }
    }
    wrong
}

type OutputsBySource<'a> = BTreeMap<(i32, i64), Vec<&'a OutputRecord>>;

/// Verdicts and dead letters by the partition and the offset of their source.
#[derive(Default)]
struct Outputs<'a> {
    of_inputs: OutputsBySource<'a>,
    of_rechecks: OutputsBySource<'a>,
}

/// The verdicts and dead letters of each input and re-check; outputs that name none are violations.
fn outputs_by_source<'a>(
    ledger: &'a Ledger,
    violations: &mut Vec<Violation>,
    unchecked: &mut Vec<Unchecked>,
) -> (Outputs<'a>, usize) {
    use RecordKind::{DeadLetter, Retract, Verdict};
    let mut outputs = Outputs::default();
    let (mut n_expired, mut n_unchecked, mut n_all) = (0, 0, 0);
    let topics: [(&[OutputRecord], &[RecordKind]); 3] = [
        (&ledger.verdicts, &[Verdict, Retract]),
        (&ledger.review, &[Verdict, Retract]),
        (&ledger.dead_letters, &[DeadLetter]),
    ];
    for (topic_idx, (records, kinds)) in topics.into_iter().enumerate() {
        n_all += records.len();
        for record in records {
            let at = record.at.clone();
            let Some(source) = &record.source else {
                violations.push(Violation::Unsourced { at, problem: "no header touchstone-source" });
                continue;
            };
            let Some(kind) = record.kind.filter(|kind| kinds.contains(kind)) else {
                let problem = "the header touchstone-kind is missing or of another topic";
                violations.push(Violation::Unsourced { at, problem });
                continue;
            };
            match sources::find(ledger, kind, source) {
                Found::No => violations.push(Violation::NoSource { at, source: source.clone() }),
                Found::Expired => n_expired += 1,
                Found::Unchecked => n_unchecked += 1,
                Found::Yes if topic_idx != 1 && kind != Retract => outputs.add(ledger, source, record),
                Found::Yes => {}
            }
        }
    }
    let why = "the topic that they name is missing or empty";
    unchecked.extend(Unchecked::new(
        "verdicts, flags and dead letters for their source",
        n_unchecked,
        n_all,
        why,
    ));
    (outputs, n_expired)
}

impl<'a> Outputs<'a> {
    fn add(&mut self, ledger: &Ledger, source: &Source, record: &'a OutputRecord) {
        let outputs = if source.topic == ledger.input_topic {
            &mut self.of_inputs
        } else if source.topic == ledger.recheck.name {
            &mut self.of_rechecks
        } else {
            // One change of the catalog may bring about many verdicts.
            return;
        };
        outputs.entry((source.partition, source.offset)).or_default().push(record);
    }
}

/// Every source has at most one output.
fn check_once(outputs: &OutputsBySource<'_>, topic: &Arc<str>, violations: &mut Vec<Violation>) {
    for ((partition, offset), many) in outputs.iter().filter(|(_, many)| many.len() > 1) {
        let source = Source { topic: Arc::clone(topic), partition: *partition, offset: *offset };
        violations.push(Violation::Doubled { source, at: many.iter().map(|o| o.at.clone()).collect() });
    }
}

fn check_inputs(ledger: &Ledger, outputs: &OutputsBySource<'_>, violations: &mut Vec<Violation>) -> usize {
    let topic = &ledger.input_topic;
    let mut n_pending = 0;
    for (partition, input) in &ledger.inputs {
        // A worker never commits past an unfinished input, so what stands before a finished one was passed over.
        let highest = outputs.range((*partition, i64::MIN)..=(*partition, i64::MAX)).next_back();
        let highest = highest.map_or(i64::MIN, |((_, offset), _)| *offset);
        for offset in &input.offsets {
            let source = || Source { topic: Arc::clone(topic), partition: *partition, offset: *offset };
            match outputs.get(&(*partition, *offset)).map(Vec::as_slice) {
                Some([_]) => {}
                Some(many) => {
                    let at = many.iter().map(|o| o.at.clone()).collect();
                    violations.push(Violation::Doubled { source: source(), at });
                }
                None if *offset > highest && input.committed.is_some_and(|c| *offset >= c) => n_pending += 1,
                None => violations.push(Violation::Lost { source: source() }),
            }
        }
    }
    n_pending
}

fn check_order(ledger: &Ledger, violations: &mut Vec<Violation>) {
    // By the verdicts' partition too: between partitions there is no order.
    let mut last: BTreeMap<(i32, &str, &str, i32), &Source> = BTreeMap::new();
    for record in ledger.verdicts.iter().filter(|r| r.kind == Some(RecordKind::Verdict)) {
        let (Some(source), Some(key)) = (&record.source, &record.key) else { continue };
        // Workers follow the catalog each at its own pace, so a sweep may name less of it than the one before.
        if source.topic != ledger.input_topic && source.topic != ledger.recheck.name {
            continue;
        }
        let lane = (record.at.partition, key.as_str(), &*source.topic, source.partition);
        match last.get(&lane) {
            Some(before) if before.offset > source.offset => violations.push(Violation::Reordered {
                listing_id: key.clone(),
                at: record.at.clone(),
                source: source.clone(),
                after: (*before).clone(),
            }),
            _ => {
                last.insert(lane, source);
            }
        }
    }
}

fn check_values(ledger: &Ledger, violations: &mut Vec<Violation>) {
    for record in ledger.verdicts.iter().chain(&ledger.review) {
        let at = || record.at.clone();
        match record.body.listing_id() {
            None => violations.push(Violation::Unreadable { at: at() }),
            Some(id) if record.key.as_deref() != Some(id) => {
                violations.push(Violation::WrongKey { at: at() });
            }
            Some(_) => {}
        }
    }
}

fn check_dead_letters(ledger: &Ledger, violations: &mut Vec<Violation>) {
    for letter in &ledger.dead_letters {
        let Body::DeadLetter { lacks, checksum } = letter.body else { continue };
        let input = letter.source.as_ref().and_then(|source| {
            let partition =
                ledger.inputs.get(&source.partition).filter(|_| source.topic == ledger.input_topic)?;
            partition.checksums.get(partition.offsets.binary_search(&source.offset).ok()?)
        });
        let differs = input.zip(checksum).is_some_and(|(input, letter)| *input != letter);
        let problem = lacks.or(differs.then_some("is not what stands in the input topic"));
        violations.extend(problem.map(|problem| Violation::BadDeadLetter { at: letter.at.clone(), problem }));
    }
}

/// Pairs each flag with the verdict it repeats.
fn check_flags(ledger: &Ledger, violations: &mut Vec<Violation>, unchecked: &mut Vec<Unchecked>) {
    let verdicts = flags(&ledger.verdicts);
    let reviews = flags(&ledger.review);
    let of_verdicts = Remains::of(&ledger.verdicts, &ledger.verdict_starts);
    let of_review = Remains::of(&ledger.review, &ledger.review_starts);
    let names: BTreeSet<_> = verdicts.keys().chain(reviews.keys()).collect();
    let (mut n_cut, n_all) = (0, names.len());
    for name in names {
        // An input with two verdicts is reported as doubled, so only its first verdict counts here.
        match (of(&verdicts, name).first(), of(&reviews, name)) {
            (None, [(flag, _), ..]) if of_verdicts.may_lack(&of_review, flag) => n_cut += 1,
            (None, flags) => {
                let at = flags.iter().map(|(flag, _)| flag.at.clone());
                violations.extend(at.map(|at| Violation::FlagWithoutVerdict { at }));
            }
            (Some((verdict, _)), []) if of_review.may_lack(&of_verdicts, verdict) => n_cut += 1,
            (Some((verdict, _)), []) => {
                violations.push(Violation::FlagMissing { verdict: verdict.at.clone() });
            }
            (Some((verdict, content)), [(flag, repeated)]) if content != repeated => {
                let fields = differing_fields(content, repeated);
                let (at, verdict) = (flag.at.clone(), verdict.at.clone());
                violations.push(Violation::FlagDiffers { at, verdict, fields });
            }
            (Some(_), [_]) => {}
            (Some(_), many) => {
                let at = many.iter().map(|(flag, _)| flag.at.clone()).collect();
                violations.push(Violation::FlagDoubled { at });
            }
        }
    }
    let why = "retention has cut one of the two topics";
    unchecked.extend(Unchecked::new("flags for the verdict that they repeat", n_cut, n_all, why));
    let plain = |record: &&OutputRecord| matches!(record.body, Body::Plain { .. });
    let plain_in_review = ledger.review.iter().filter(plain);
    violations.extend(plain_in_review.map(|r| Violation::FlagWithoutVerdict { at: r.at.clone() }));
}

/// Input, and `flag_id` with `revision`: one input may retract one flag and raise another.
type FlagName<'a> = (&'a Source, &'a str);

/// The record and the content of each flag of that name.
type Flags<'a> = BTreeMap<FlagName<'a>, Vec<(&'a OutputRecord, &'a str)>>;

fn of<'b, 'a>(flags: &'b Flags<'a>, name: &FlagName<'a>) -> &'b [(&'a OutputRecord, &'a str)] {
    flags.get(name).map_or(&[], Vec::as_slice)
}

fn flags(records: &[OutputRecord]) -> Flags<'_> {
    let mut flags = Flags::new();
    for record in records {
        if let (Some(source), Body::Flag { name, content, .. }) = (&record.source, &record.body) {
            flags.entry((source, name)).or_default().push((record, content));
        }
    }
    flags
}

fn differing_fields(left: &str, right: &str) -> Vec<String> {
    let object = |text: &str| match serde_json::from_str(text) {
        Ok(Value::Object(object)) => object,
        _ => serde_json::Map::new(),
    };
    let (left, right) = (object(left), object(right));
    let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    names.into_iter().filter(|name| left.get(*name) != right.get(*name)).cloned().collect()
}

#[cfg(test)]
mod tests;
