//! One input through the stages: read it, get its photos, judge it, write down what becomes of it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use touchstone_image_hash::DecodeLimits;
use touchstone_types::Listing;

use crate::board::{Board, Slot};
use crate::dead_letter::{RawInput, Rejection, dead_letter};
use crate::gate::Charge;
use crate::headers::{HeaderList, Source, TRACE};
use crate::judging::Bench;
use crate::metrics::{Metrics, Stage};
use crate::outcome::{Ending, Origin, Outcome, OutputRecord, OutputTopic, verdict_records};
use crate::photos::{Fetched, Photographer, photo_inputs, to_fetch};
use crate::queue::WorkQueue;

/// What listings are judged with, and how far the catalog had been read for it.
pub(crate) struct CurrentBench {
    pub(crate) bench: Bench,
    pub(crate) catalog_offsets: Arc<str>,
}

/// One input on its way.
pub(crate) struct Input {
    pub(crate) slot: Slot,
    pub(crate) source: Source,
    pub(crate) raw: RawInput,
    pub(crate) received: Instant,
    pub(crate) charge: Charge,
    /// Where the result goes, and what fits into the output topics.
    pub(crate) desk: Arc<Desk>,
}

/// What belongs to one session with Kafka.
pub(crate) struct Desk {
    pub(crate) board: Board,
    pub(crate) max_record_bytes: MaxRecordBytes,
}

/// The largest records that the output topics take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaxRecordBytes {
    pub(crate) verdicts: usize,
    pub(crate) review: usize,
    pub(crate) dead_letters: usize,
}

/// Work for a thread that judges.
pub(crate) enum Task {
    /// An input as it was received.
    Fresh(Input),
    /// An input whose photos have been fetched.
    Fetched(Input, Box<Listing>, Fetched),
}

/// What the stages need; shared by all threads that judge.
pub(crate) struct Stages {
    pub(crate) bench: Arc<ArcSwap<CurrentBench>>,
    pub(crate) photographer: Arc<Photographer>,
    pub(crate) decode_limits: DecodeLimits,
    pub(crate) max_listing_bytes: usize,
    pub(crate) queue: Arc<WorkQueue<Task>>,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) metrics: Arc<Metrics>,
}

/// How a step of the work ends.
enum Step {
    Done(Vec<OutputRecord>, Ending),
    /// The photos of this listing have to be fetched first.
    Fetch(Box<Listing>),
}

impl Stages {
    /// Does one piece of work. A panic in any stage ends that listing alone.
    pub(crate) fn work(self: &Arc<Self>, task: Task) {
        let (input, fetched) = match task {
            Task::Fresh(input) => (input, None),
            Task::Fetched(input, listing, fetched) => (input, Some((listing, fetched))),
        };
        if input.slot.is_void() {
            return;
        }
        let current = self.bench.load_full();
        let origin = origin(&input, &current);
        let step = catch_unwind(AssertUnwindSafe(|| match fetched {
            None => self.start(&input, &current, &origin),
            Some((listing, fetched)) => Ok(self.judge(&listing, &fetched, &current, &origin)),
        }));
        match step.unwrap_or_else(|payload| Err(Rejection::Panic { message: panic_message(payload) })) {
            Ok(Step::Done(records, ending)) => self.finish(input, &origin, records, ending),
            Ok(Step::Fetch(listing)) => self.fetch(input, listing, current.bench.max_images),
            Err(rejection) => self.reject(input, &origin, &rejection),
        }
    }

    fn start(&self, input: &Input, current: &CurrentBench, origin: &Origin) -> Result<Step, Rejection> {
        let started = Instant::now();
        let raw = &input.raw;
        let payload = raw.payload.as_deref().ok_or(Rejection::NullValue)?;
        if raw.payload_bytes > self.max_listing_bytes {
            let (bytes, max_bytes) = (raw.payload_bytes, self.max_listing_bytes);
            return Err(Rejection::TooLarge { bytes, max_bytes });
        }
        let listing = Listing::from_json(payload).map_err(Rejection::Unreadable)?;
        self.metrics.stage(Stage::Parse, started.elapsed());
        let is_up = listing.status == touchstone_types::ListingStatus::Active;
        if is_up && to_fetch(&listing, current.bench.max_images).next().is_some() {
            return Ok(Step::Fetch(Box::new(listing)));
        }
        Ok(self.judge(&listing, &Fetched::new(), current, origin))
    }

    fn judge(&self, listing: &Listing, fetched: &Fetched, current: &CurrentBench, origin: &Origin) -> Step {
        let started = Instant::now();
        let photos = photo_inputs(listing, fetched, &self.decode_limits, current.bench.max_images);
        let judgement = (current.bench.judge)(listing, &photos);
        let records = verdict_records(&judgement.verdict, judgement.flag(listing).as_ref(), origin);
        self.metrics.stage(Stage::Judge, started.elapsed());
        Step::Done(records, Ending::Judged(judgement.verdict.decision))
    }

    /// Fetches photos on the runtime, and puts the listing back into the queue when they are there or late.
    fn fetch(self: &Arc<Self>, input: Input, listing: Box<Listing>, max_images: usize) {
        let stages = Arc::clone(self);
        self.runtime.spawn(async move {
            let _turn = stages.photographer.turn().await;
            if input.slot.is_void() {
                return;
            }
            match stages.photographer.fetch(&listing, max_images).await {
                Ok(fetched) => stages.queue.push_first(Task::Fetched(input, listing, fetched)),
                Err(error) => {
                    let message = error.try_into_panic().map_or_else(|e| e.to_string(), panic_message);
                    let origin = origin(&input, &stages.bench.load());
                    stages.reject(input, &origin, &Rejection::Panic { message });
                }
            }
        });
    }

    fn finish(&self, input: Input, origin: &Origin, records: Vec<OutputRecord>, ending: Ending) {
        match too_large(&records, &input.desk.max_record_bytes) {
            Some(rejection) => self.reject(input, origin, &rejection),
            None => complete(input, records, ending),
        }
    }

    fn reject(&self, mut input: Input, origin: &Origin, rejection: &Rejection) {
        // What was wrong may quote the listing, so the log has only the word; the dead letter has the rest.
        tracing::warn!(source = %origin.source, reason = rejection.word(), "dead letter");
        let raw = std::mem::take(&mut input.raw);
        let record = dead_letter(raw, origin, rejection, input.desk.max_record_bytes.dead_letters);
        complete(input, vec![record], Ending::DeadLetter(rejection.word()));
    }
}

fn complete(input: Input, records: Vec<OutputRecord>, ending: Ending) {
    let Input { slot, desk, received, charge, raw, .. } = input;
    desk.board.complete(&slot, Outcome::new(records, ending, received, raw, Some(charge)));
}

fn origin(input: &Input, current: &CurrentBench) -> Origin {
    let is_trace = |name: &str| TRACE.iter().any(|trace| trace.eq_ignore_ascii_case(name));
    let trace: HeaderList = input.raw.headers.iter().filter(|(name, _)| is_trace(name)).cloned().collect();
    Origin { source: input.source.clone(), catalog_offsets: Arc::clone(&current.catalog_offsets), trace }
}

fn too_large(records: &[OutputRecord], limits: &MaxRecordBytes) -> Option<Rejection> {
    records.iter().find_map(|record| {
        let (topic, max_bytes) = match record.topic {
            OutputTopic::Verdicts => ("verdicts", limits.verdicts),
            OutputTopic::Review => ("review", limits.review),
            OutputTopic::DeadLetters => return None,
        };
        let bytes = record.bytes();
        (bytes > max_bytes).then_some(Rejection::OutputTooLarge { topic, bytes, max_bytes })
    })
}

fn panic_message(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast_ref::<&str>().map_or("without a message", |text| text).to_owned(),
    }
}
