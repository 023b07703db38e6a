//! One input through the stages: read it, get its photos, judge it, write down what becomes of it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use touchstone_image_hash::DecodeLimits;
use touchstone_pipeline::Judgement;
use touchstone_types::{Flag, KeptPhoto, Listing, ListingId, ListingStatus};

use crate::board::{Board, Slot};
use crate::dead_letter::{RawInput, Rejection, dead_letter};
use crate::gate::Charge;
use crate::headers::{HeaderList, RecordKind, Source, TRACE};
use crate::judging::Bench;
use crate::metrics::{Metrics, Stage};
use crate::outcome::{Found, Origin, Outcome, OutputTopic, Work, verdict_records};
use crate::photos::{Fetched, Photographer, photo_inputs, to_fetch};
use crate::queue::WorkQueue;
use crate::state::{Case, Cause, Token};

/// What listings are judged with, and how far the catalog had been read for it.
#[derive(Debug)]
pub(crate) struct CurrentBench {
    pub(crate) bench: Bench,
    pub(crate) catalog_offsets: Arc<str>,
    /// The last record of the catalog that is in it: the cause of what a change of the catalog does.
    pub(crate) last_record: Source,
}

/// One input on its way.
pub(crate) struct Input {
    pub(crate) slot: Slot,
    /// A message of the listings, or a re-check of one.
    pub(crate) cause: Cause,
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
    pub(crate) state: usize,
}

/// Work for a thread that judges.
pub(crate) enum Task {
    /// An input as it was received.
    Fresh(Input),
    /// An input whose photos have been fetched.
    Fetched(Input, Box<Listing>, Fetched),
    /// An open flag that was judged with another catalog.
    Again(Again),
}

/// An open flag that is to be judged again.
pub(crate) struct Again {
    pub(crate) slot: Slot,
    pub(crate) flag: Box<Flag>,
    pub(crate) kept: Vec<KeptPhoto>,
    pub(crate) token: Token,
    pub(crate) charge: Charge,
    pub(crate) desk: Arc<Desk>,
}

/// What the stages need; shared by all threads that judge.
pub(crate) struct Stages {
    pub(crate) bench: Arc<ArcSwap<CurrentBench>>,
    pub(crate) photographer: Arc<Photographer>,
    pub(crate) decode_limits: DecodeLimits,
    pub(crate) max_listing_bytes: usize,
    /// A message without a value says that its listing was removed.
    pub(crate) null_is_removed: bool,
    pub(crate) queue: Arc<WorkQueue<Task>>,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) metrics: Arc<Metrics>,
}

/// How a step of the work ends.
enum Step {
    Done(Found),
    /// The photos of this listing have to be fetched first.
    Fetch(Box<Listing>),
}

impl Stages {
    /// Does one piece of work. A panic in any stage ends that listing alone.
    pub(crate) fn work(self: &Arc<Self>, task: Task) {
        let (input, fetched) = match task {
            Task::Fresh(input) => (input, None),
            Task::Fetched(input, listing, fetched) => (input, Some((listing, fetched))),
            Task::Again(again) => return self.judge_again(again),
        };
        if input.slot.is_void() {
            return;
        }
        let current = self.bench.load_full();
        let origin = origin(&input, &current);
        let step = catch_unwind(AssertUnwindSafe(|| match fetched {
            None => self.start(&input, &current, &origin),
            Some((listing, fetched)) => {
                Ok(Step::Done(self.judge(*listing, &fetched, &current, &origin, input.cause)))
            }
        }));
        match step.unwrap_or_else(|payload| Err(Rejection::Panic { message: panic_message(payload) })) {
            Ok(Step::Done(found)) => self.finish(input, origin, found),
            Ok(Step::Fetch(listing)) => self.fetch(input, listing, current.bench.max_images),
            Err(rejection) => self.reject(input, origin, &rejection),
        }
    }

    fn start(&self, input: &Input, current: &Arc<CurrentBench>, origin: &Origin) -> Result<Step, Rejection> {
        let started = Instant::now();
        let raw = &input.raw;
        let Some(payload) = raw.payload.as_deref() else { return self.removal(input, current) };
        if raw.payload_bytes > self.max_listing_bytes {
            let (bytes, max_bytes) = (raw.payload_bytes, self.max_listing_bytes);
            return Err(Rejection::TooLarge { bytes, max_bytes });
        }
        let listing = Listing::from_json(payload).map_err(Rejection::Unreadable)?;
        self.metrics.stage(Stage::Parse, started.elapsed());
        let is_up = listing.status == ListingStatus::Active;
        if is_up && to_fetch(&listing, current.bench.max_images).next().is_some() {
            return Ok(Step::Fetch(Box::new(listing)));
        }
        Ok(Step::Done(self.judge(listing, &Fetched::new(), current, origin, input.cause)))
    }

    /// A message without a value. What it means for the listing is settled with what is remembered of it.
    fn removal(&self, input: &Input, current: &Arc<CurrentBench>) -> Result<Step, Rejection> {
        // A re-check repeats a listing; without one it is nothing that this program wrote.
        let is_message = matches!(input.cause, Cause::Listing);
        let key = input.raw.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        let id = key.and_then(|key| ListingId::new(key).ok());
        let listing_id = id.filter(|_| self.null_is_removed && is_message).ok_or(Rejection::NullValue)?;
        let work = Work::Null { listing_id, current: Arc::clone(current) };
        Ok(Step::Done(Found { records: Vec::new(), work }))
    }

    fn judge(
        &self,
        listing: Listing,
        fetched: &Fetched,
        current: &Arc<CurrentBench>,
        origin: &Origin,
        cause: Cause,
    ) -> Found {
        let started = Instant::now();
        let photos = photo_inputs(&listing, fetched, &self.decode_limits, current.bench.max_images);
        let judgement = (current.bench.judge)(&listing, &photos);
        let found = found(judgement, listing, current, origin, cause);
        self.metrics.stage(Stage::Judge, started.elapsed());
        found
    }

    /// Judges an open flag again. If that panics the flag stands as it is, and is taken up again later.
    fn judge_again(&self, again: Again) {
        let Again { slot, flag, kept, token, charge, desk } = again;
        if slot.is_void() {
            return;
        }
        let current = self.bench.load_full();
        let started = Instant::now();
        let judge = || (current.bench.again)(&flag, &kept);
        let Ok(judgement) = catch_unwind(AssertUnwindSafe(judge)) else {
            tracing::error!(flag = %flag.verdict().flag_id, "judging an open flag again has panicked: it stands as it is");
            return;
        };
        let case = Case { verdict: judgement.verdict, listing: flag.listing().clone(), kept };
        let (cause, source) = (Cause::Sweep(token), current.last_record.clone());
        let work = Work::Judged { case: Box::new(case), cause, current: Arc::clone(&current) };
        self.metrics.stage(Stage::Judge, started.elapsed());
        desk.board.complete_side(&slot, Outcome::beside(work, source, &current, Some(charge)));
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
                    stages.reject(input, origin, &Rejection::Panic { message });
                }
            }
        });
    }

    fn finish(&self, input: Input, origin: Origin, found: Found) {
        match too_large(&found, &input.desk.max_record_bytes) {
            Some(rejection) => self.reject(input, origin, &rejection),
            None => complete(input, origin, found),
        }
    }

    fn reject(&self, mut input: Input, origin: Origin, rejection: &Rejection) {
        // What was wrong may quote the listing, so the log has only the word; the dead letter has the rest.
        let reason = rejection.word();
        tracing::warn!(source = %origin.source, reason, "dead letter");
        if let Cause::Recheck(_) = input.cause {
            // Its listing has its verdict already, which stands.
            return complete(input, origin, Found { records: Vec::new(), work: Work::Dropped });
        }
        let raw = std::mem::take(&mut input.raw);
        let record = dead_letter(raw, &origin, rejection, input.desk.max_record_bytes.dead_letters);
        complete(input, origin, Found { records: vec![record], work: Work::DeadLetter(reason) });
    }
}

/// A judgement, and the records that are written if nothing is remembered of the listing.
fn found(
    judgement: Judgement,
    listing: Listing,
    current: &Arc<CurrentBench>,
    origin: &Origin,
    cause: Cause,
) -> Found {
    let flag = judgement.flag(&listing);
    let listing = match &flag {
        Some(flag) => flag.listing().clone(),
        None if judgement.kept.is_empty() => without_pictures(listing),
        // Named by the hashes of its photos like the listing of a flag, so that an edit of one can be told from none.
        None => judgement.judged(&listing),
    };
    let Judgement { verdict, kept, .. } = judgement;
    let kept = if flag.is_some() { kept } else { Vec::new() };
    let records = verdict_records(&verdict, flag.as_ref(), origin, RecordKind::Verdict);
    let case = Box::new(Case { verdict, listing, kept });
    Found { records, work: Work::Judged { case, cause, current: Arc::clone(current) } }
}

fn without_pictures(mut listing: Listing) -> Listing {
    listing.images.iter_mut().for_each(|image| image.data = None);
    listing
}

fn complete(input: Input, origin: Origin, found: Found) {
    let Input { slot, cause, desk, received, charge, raw, .. } = input;
    let outcome = Outcome::new(found, origin, received, raw, Some(charge));
    match cause {
        Cause::Listing => desk.board.complete(&slot, outcome),
        Cause::Recheck(_) | Cause::Sweep(_) => desk.board.complete_side(&slot, outcome),
    }
}

fn origin(input: &Input, current: &CurrentBench) -> Origin {
    let is_trace = |name: &str| TRACE.iter().any(|trace| trace.eq_ignore_ascii_case(name));
    let trace: HeaderList = input.raw.headers.iter().filter(|(name, _)| is_trace(name)).cloned().collect();
    Origin { source: input.source.clone(), catalog_offsets: Arc::clone(&current.catalog_offsets), trace }
}

/// Settling can make a record longer: another revision, another reason, what an edit changed.
const LIFE_BYTES: usize = 48 << 10;

/// About what a photo of an open flag takes in the state topic.
const KEPT_PHOTO_BYTES: usize = 3 << 10;

fn too_large(found: &Found, limits: &MaxRecordBytes) -> Option<Rejection> {
    let exceeds = |topic, bytes: usize, max_bytes: usize| {
        (bytes > max_bytes).then_some(Rejection::OutputTooLarge { topic, bytes, max_bytes })
    };
    let n_kept = match &found.work {
        Work::Judged { case, .. } => case.kept.len(),
        _ => 0,
    };
    found.records.iter().find_map(|record| {
        let bytes = record.bytes() + LIFE_BYTES;
        match record.topic {
            OutputTopic::Verdicts => exceeds("verdicts", bytes, limits.verdicts),
            OutputTopic::Review => exceeds("review", bytes, limits.review)
                .or_else(|| exceeds("state", bytes + n_kept * KEPT_PHOTO_BYTES, limits.state)),
            _ => None,
        }
    })
}

fn panic_message(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast_ref::<&str>().map_or("without a message", |text| text).to_owned(),
    }
}
