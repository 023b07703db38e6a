//! What becomes of one input: what was found, and the records that are written for it.

use std::sync::Arc;
use std::time::Instant;

use touchstone_types::{Decision, Flag, ListingId, ReviewDecision, Verdict};

use crate::dead_letter::{RawInput, Rejection};
use crate::gate::Charge;
use crate::headers::{self, HeaderList, RecordKind, Source};
use crate::stage::CurrentBench;
use crate::state::{Case, Cause};

/// Where a record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OutputTopic {
    Verdicts,
    Review,
    DeadLetters,
    Recheck,
    State,
}

/// One record to be written.
#[derive(Debug, Clone)]
pub(crate) struct OutputRecord {
    pub(crate) topic: OutputTopic,
    /// Where the partition is not chosen by the key.
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) headers: HeaderList,
}

impl OutputRecord {
    /// About how long the record is on the wire.
    pub(crate) fn bytes(&self) -> usize {
        let text = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + text(value) + 8).sum();
        text(&self.key) + text(&self.payload) + headers + RECORD_OVERHEAD
    }
}

/// What Kafka adds to the key, value and headers of a record that stands alone in its batch: 61 bytes for the batch and up
/// to 21 for the record, rounded up.
const RECORD_OVERHEAD: usize = 128;

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Judged(Decision),
    /// The reason, a word.
    DeadLetter(&'static str),
    /// The removal of a listing of which nothing is remembered. It makes a dead letter, but nothing is wrong with it.
    Unknown,
}

impl Ending {
    /// The reason, if it is a dead letter.
    pub(crate) const fn dead_letter(self) -> Option<&'static str> {
        match self {
            Self::Judged(_) => None,
            Self::DeadLetter(reason) => Some(reason),
            Self::Unknown => Some(Rejection::NullValue.word()),
        }
    }

    /// The reason, if it is a dead letter of which too many stop the worker.
    pub(crate) const fn fault(self) -> Option<&'static str> {
        match self {
            Self::Judged(_) | Self::Unknown => None,
            Self::DeadLetter(reason) => Some(reason),
        }
    }

    /// The word of the metrics' label `outcome`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Judged(decision) => decision.as_str(),
            Self::DeadLetter(_) | Self::Unknown => "dead_letter",
        }
    }
}

/// What is still to be settled with what is remembered of the listing.
#[derive(Debug)]
pub(crate) enum Work {
    /// Nothing: the input cannot be judged for this reason, a word, and its record is a dead letter.
    DeadLetter(&'static str),
    /// A listing was judged; the records are right if nothing is remembered of it.
    Judged { case: Box<Case>, cause: Cause, current: Arc<CurrentBench> },
    /// A message without a value: the listing was removed.
    Null { listing_id: ListingId, current: Arc<CurrentBench> },
    /// A person ruled; `None` where that could not be read.
    Ruling(Option<Box<ReviewDecision>>),
    /// A re-check that could not be judged.
    Dropped,
    /// The state of these listings may have expired.
    Expiry(Vec<ListingId>),
}

/// The end of one input, or of one piece of work from beside the listings.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) records: Vec<OutputRecord>,
    pub(crate) work: Work,
    pub(crate) origin: Origin,
    /// The sum over the records.
    pub(crate) bytes: usize,
    /// When the input was received.
    pub(crate) received: Instant,
    /// The input, kept for as long as Kafka may still refuse the verdict; empty where a record already repeats it.
    pub(crate) raw: RawInput,
    /// Holds the listing's room until it is committed or void.
    _charge: Option<Charge>,
}

impl Outcome {
    pub(crate) fn new(
        found: Found,
        origin: Origin,
        received: Instant,
        raw: RawInput,
        charge: Option<Charge>,
    ) -> Self {
        let Found { records, work } = found;
        let bytes: usize = records.iter().map(OutputRecord::bytes).sum();
        let charge = charge.map(|mut charge| {
            // What was found is held twice until it is settled: as values, and as the records that are most likely written.
            charge.becomes(2 * bytes + raw.bytes());
            charge
        });
        Self { records, work, origin, bytes, received, raw, _charge: charge }
    }

    /// Work from beside the listings, for which `source` is the cause.
    pub(crate) fn beside(work: Work, source: Source, current: &CurrentBench, charge: Option<Charge>) -> Self {
        let catalog_offsets = Arc::clone(&current.catalog_offsets);
        let origin = Origin { source, catalog_offsets, trace: HeaderList::new() };
        let found = Found { records: Vec::new(), work };
        // The charge stays what it is: nothing of what the work holds is counted in records.
        let _charge = charge;
        Self { _charge, ..Self::new(found, origin, Instant::now(), RawInput::default(), None) }
    }

    /// In the place of this work from beside the listings, which cannot be written. Of a re-check the offset counts all the same.
    pub(crate) fn left_out(&self) -> Self {
        let work = match self.recheck_offset() {
            Some(_) => Work::Dropped,
            None => Work::Expiry(Vec::new()),
        };
        let found = Found { records: Vec::new(), work };
        Self::new(found, self.origin.clone(), Instant::now(), RawInput::default(), None)
    }

    /// The offset in the re-check topic, if it came from there.
    pub(crate) fn recheck_offset(&self) -> Option<i64> {
        let is_recheck = matches!(self.work, Work::Dropped | Work::Judged { cause: Cause::Recheck(_), .. });
        is_recheck.then_some(self.origin.source.offset)
    }

    #[cfg(test)]
    pub(crate) fn recheck_for_tests(offset: i64) -> Self {
        let mut outcome = Self::for_tests("");
        outcome.origin.source.offset = offset;
        Self { work: Work::Dropped, ..outcome }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(payload: &str) -> Self {
        let bytes = payload.len();
        let source = Source { topic: "listings".into(), partition: 0, offset: 0 };
        let origin = Origin { source, catalog_offsets: "".into(), trace: Vec::new() };
        let found = Found { records: Vec::new(), work: Work::DeadLetter("test") };
        let outcome = Self::new(found, origin, Instant::now(), RawInput::default(), None);
        Self { bytes, ..outcome }
    }
}

/// What was found of one input, before it is settled.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) records: Vec<OutputRecord>,
    pub(crate) work: Work,
}

/// What an output inherits from its input and from the catalog it was judged with.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) source: Source,
    pub(crate) catalog_offsets: Arc<str>,
    /// `traceparent` and `tracestate` of the input.
    pub(crate) trace: HeaderList,
}

impl Origin {
    /// The headers of every output.
    pub(crate) fn headers(&self, kind: RecordKind) -> HeaderList {
        let mut list: HeaderList = Vec::with_capacity(3 + self.trace.len());
        list.push((headers::SOURCE.into(), Some(self.source.to_string().into_bytes())));
        list.push((headers::KIND.into(), Some(kind.as_str().into())));
        list.push((headers::CATALOG_OFFSETS.into(), Some(self.catalog_offsets.as_bytes().to_vec())));
        list.extend(self.trace.iter().cloned());
        list
    }
}

/// The records of a judged listing: the verdict, and the flag where there is one.
pub(crate) fn verdict_records(
    verdict: &Verdict,
    flag: Option<&Flag>,
    origin: &Origin,
    kind: RecordKind,
) -> Vec<OutputRecord> {
    let record = |topic, payload: String| OutputRecord {
        topic,
        partition: None,
        key: Some(verdict.listing_id.as_str().into()),
        payload: Some(payload.into_bytes()),
        headers: origin.headers(kind),
    };
    let verdict_record = record(OutputTopic::Verdicts, verdict.to_json());
    match flag {
        Some(flag) => vec![verdict_record, record(OutputTopic::Review, flag.to_json())],
        None => vec![verdict_record],
    }
}
