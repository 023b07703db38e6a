//! The checker as a pure function.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::report::{Report, Violation};
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
    /// Not a JSON object with a `listing_id`.
    Unreadable,
    /// A verdict that is no flag.
    Plain {
        /// The listing.
        listing_id: String,
    },
    /// A flag, or the verdict that it repeats.
    Flag {
        /// The listing.
        listing_id: String,
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
        let decision = object.get("decision").and_then(Value::as_str).unwrap_or_default();
        if !matches!(decision, "takedown" | "review" | "retract") {
            return Self::Plain { listing_id };
        }
        let part = |name: &str| object.get(name).map(ToString::to_string).unwrap_or_default();
        let name = format!("{} {}", part("flag_id"), part("revision"));
        object.remove("listing");
        object.remove("photos");
        // Maps of serde_json are sorted by key, so equal objects have equal texts.
        Self::Flag { listing_id, name, content: Value::Object(object).to_string() }
    }

    fn listing_id(&self) -> Option<&str> {
        match self {
            Self::Plain { listing_id } | Self::Flag { listing_id, .. } => Some(listing_id),
            Self::DeadLetter { .. } | Self::Unreadable => None,
        }
    }
}

/// Checks the ledger:
///
/// 1. each input is the source of exactly one verdict or dead letter, unless it is still pending;
/// 2. each output names an existing input;
/// 3. for one listing and one input partition, verdicts stand in the order of their inputs;
/// 4. the key of verdicts and flags is the listing's identifier;
/// 5. dead letters say what was wrong with which input, and repeat its key and value, unless they had to be cut;
/// 6. flags and the verdicts that are flags belong together one to one, and are equal but for `listing` and `photos`.
pub fn check(ledger: &Ledger) -> Report {
    let mut violations = Vec::new();
    let (outputs, n_expired) = outputs_by_source(ledger, &mut violations);
    let n_pending = check_inputs(ledger, &outputs, &mut violations);
    check_order(ledger, &mut violations);
    check_values(ledger, &mut violations);
    check_dead_letters(ledger, &mut violations);
    check_flags(ledger, &mut violations);
    violations.sort();
    Report {
        n_inputs: ledger.inputs.values().map(|partition| partition.offsets.len()).sum(),
        n_pending,
        n_verdicts: ledger.verdicts.len(),
        n_flags: ledger.review.len(),
        n_dead_letters: ledger.dead_letters.len(),
        n_expired,
        violations,
    }
}

type OutputsBySource<'a> = BTreeMap<(i32, i64), Vec<&'a OutputRecord>>;

/// The verdicts and dead letters of each input; outputs that name none are violations.
fn outputs_by_source<'a>(
    ledger: &'a Ledger,
    violations: &mut Vec<Violation>,
) -> (OutputsBySource<'a>, usize) {
    use RecordKind::{DeadLetter, Retract, Verdict};
    let mut outputs = OutputsBySource::new();
    let mut n_expired = 0;
    let topics: [(&[OutputRecord], &[RecordKind]); 3] = [
        (&ledger.verdicts, &[Verdict, Retract]),
        (&ledger.review, &[Verdict, Retract]),
        (&ledger.dead_letters, &[DeadLetter]),
    ];
    for (topic_idx, (records, kinds)) in topics.into_iter().enumerate() {
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
            if source.topic != ledger.input_topic {
                violations.push(Violation::NoInput { at, source: source.clone() });
                continue;
            }
            let partition = ledger.inputs.get(&source.partition);
            if partition.is_some_and(|p| source.offset < p.start) {
                n_expired += 1;
                continue;
            }
            if partition.is_none_or(|p| p.offsets.binary_search(&source.offset).is_err()) {
                violations.push(Violation::NoInput { at, source: source.clone() });
            } else if topic_idx != 1 && kind != Retract {
                outputs.entry((source.partition, source.offset)).or_default().push(record);
            }
        }
    }
    (outputs, n_expired)
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
    let mut last: BTreeMap<(i32, &str, i32), &Source> = BTreeMap::new();
    for record in ledger.verdicts.iter().filter(|r| r.kind == Some(RecordKind::Verdict)) {
        let (Some(source), Some(key)) = (&record.source, &record.key) else { continue };
        if source.topic != ledger.input_topic {
            continue;
        }
        let lane = (record.at.partition, key.as_str(), source.partition);
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
fn check_flags(ledger: &Ledger, violations: &mut Vec<Violation>) {
    let verdicts = flags(&ledger.verdicts);
    let reviews = flags(&ledger.review);
    let names: BTreeSet<_> = verdicts.keys().chain(reviews.keys()).collect();
    for name in names {
        // An input with two verdicts is reported as doubled, so only its first verdict counts here.
        match (of(&verdicts, name).first(), of(&reviews, name)) {
            (None, flags) => {
                violations
                    .extend(flags.iter().map(|(at, _)| Violation::FlagWithoutVerdict { at: (*at).clone() }));
            }
            (Some((verdict, _)), []) => {
                violations.push(Violation::FlagMissing { verdict: (*verdict).clone() });
            }
            (Some((verdict, content)), [(at, flag)]) if content != flag => {
                let fields = differing_fields(content, flag);
                let (at, verdict) = ((*at).clone(), (*verdict).clone());
                violations.push(Violation::FlagDiffers { at, verdict, fields });
            }
            (Some(_), [_]) => {}
            (Some(_), many) => {
                let at = many.iter().map(|(at, _)| (*at).clone()).collect();
                violations.push(Violation::FlagDoubled { at });
            }
        }
    }
    let plain = |record: &&OutputRecord| matches!(record.body, Body::Plain { .. });
    let plain_in_review = ledger.review.iter().filter(plain);
    violations.extend(plain_in_review.map(|r| Violation::FlagWithoutVerdict { at: r.at.clone() }));
}

/// Input, and `flag_id` with `revision`: one input may retract one flag and raise another.
type FlagName<'a> = (&'a Source, &'a str);

/// The place and content of each flag of that name.
type Flags<'a> = BTreeMap<FlagName<'a>, Vec<(&'a Source, &'a str)>>;

fn of<'b, 'a>(flags: &'b Flags<'a>, name: &FlagName<'a>) -> &'b [(&'a Source, &'a str)] {
    flags.get(name).map_or(&[], Vec::as_slice)
}

fn flags(records: &[OutputRecord]) -> Flags<'_> {
    let mut flags = Flags::new();
    for record in records {
        if let (Some(source), Body::Flag { name, content, .. }) = (&record.source, &record.body) {
            flags.entry((source, name)).or_default().push((&record.at, content));
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
