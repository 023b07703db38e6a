//! What comes from beside the listings: re-checks that are due, and rulings.
//!
//! Of the re-check topic each worker reads the partitions of its listings, of the decisions all. Neither needs to be read exactly
//! once: what is remembered of a listing says which re-check is awaited, and how far rulings have been taken in. So both begin a
//! little before where the last owner stopped.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use touchstone_types::ReviewDecision;

use crate::Error;
use crate::board::{Lane, Slot};
use crate::client::{LogContext, REQUEST_TIMEOUT};
use crate::clock::now_ms;
use crate::dead_letter::RawInput;
use crate::gate::Gate;
use crate::headers::{self, Source};
use crate::outcome::{Outcome, Work};
use crate::producer::is_denial;
use crate::queue::WorkQueue;
use crate::reader;
use crate::settings::{Settings, TopicNames};
use crate::stage::{CurrentBench, Desk, Input, Task};
use crate::state::{Cause, Token};

const POLL: Duration = Duration::from_millis(20);

/// So many messages are taken between two looks at the clock.
const MAX_POLLED: usize = 500;

/// How often to see which partitions this worker has, and to ask for new partitions of the decisions.
const LOOK: Duration = Duration::from_millis(100);
const LOOK_FOR_PARTITIONS: Duration = Duration::from_secs(30);

/// Re-checks that wait for their time take up to so many bytes; above that no more are read until some were done.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// About what a ruling takes while it waits to be settled.
const RULING_BYTES: usize = 512;

/// What the sidelines share with the rest of the worker.
pub(crate) struct SidelineParts {
    pub(crate) desk: Arc<Desk>,
    pub(crate) bench: Arc<ArcSwap<CurrentBench>>,
    pub(crate) queue: Arc<WorkQueue<Task>>,
    pub(crate) gate: Arc<Gate>,
}

/// The thread that reads beside the listings. It ends with its session.
pub(crate) struct Sidelines {
    parts: SidelineParts,
    topics: TopicNames,
    consumer: Arc<BaseConsumer<LogContext>>,
    lanes: BTreeMap<i32, Following>,
    /// Re-checks by the time at which they are due.
    waiting: BinaryHeap<Reverse<Waiting>>,
    waiting_bytes: usize,
    /// Whether re-checks are paused, as last told to the client library, which remembers it of each partition, also of one that
    /// went and came back; none where partitions have come since.
    paused: Option<bool>,
    /// How far each partition of the decisions is read; none before the first lane.
    decisions: BTreeMap<i32, i64>,
    looked: Instant,
    looked_for_partitions: Instant,
}

/// A partition of the listings whose re-checks and rulings are followed.
struct Following {
    epoch: u64,
    /// The next offset of each partition of the decisions.
    decisions: BTreeMap<i32, i64>,
}

/// A re-check whose time has not come.
struct Waiting {
    due_ms: i64,
    offset: i64,
    input: Box<Pending>,
}

struct Pending {
    slot: Slot,
    source: Source,
    raw: RawInput,
    token: Token,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |waiting: &Self| (waiting.due_ms, waiting.input.source.partition, waiting.offset);
        key(self).cmp(&key(other))
    }
}

impl Sidelines {
    pub(crate) fn new(settings: &Settings, parts: SidelineParts) -> Result<Self, Error> {
        let consumer = Arc::new(reader::consumer(settings, &settings.topics.decisions)?);
        Ok(Self {
            parts,
            topics: settings.topics.clone(),
            consumer,
            lanes: BTreeMap::new(),
            waiting: BinaryHeap::new(),
            waiting_bytes: 0,
            paused: None,
            decisions: BTreeMap::new(),
            looked: Instant::now(),
            looked_for_partitions: Instant::now(),
        })
    }

    /// Reads until the session is over.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        while !self.parts.desk.board.has_ended() {
            if self.looked.elapsed() >= LOOK {
                self.looked = Instant::now();
                self.follow()?;
            }
            self.poll()?;
            self.send_due();
        }
        Ok(())
    }

    /// Takes up the partitions whose state has come, and lets go of those that went.
    fn follow(&mut self) -> Result<(), Error> {
        let lanes = self.parts.desk.board.lanes();
        let is_there = |partition: &i32, epoch: u64| {
            lanes.iter().any(|lane| (lane.partition, lane.epoch) == (*partition, epoch))
        };
        let gone: Vec<i32> =
            self.lanes.iter().filter(|(p, lane)| !is_there(p, lane.epoch)).map(|(p, _)| *p).collect();
        if !gone.is_empty() {
            let mut list = TopicPartitionList::with_capacity(gone.len());
            for partition in &gone {
                list.add_partition(&self.topics.recheck, *partition);
                self.lanes.remove(partition);
            }
            self.waiting.retain(|Reverse(waiting)| !waiting.input.slot.is_void());
            self.waiting_bytes = self.waiting.iter().map(|Reverse(waiting)| waiting.input.raw.bytes()).sum();
            self.consumer.incremental_unassign(&list).map_err(wrong(&self.topics.recheck))?;
        }
        let new: Vec<Lane> =
            lanes.into_iter().filter(|lane| !self.lanes.contains_key(&lane.partition)).collect();
        let is_time = self.looked_for_partitions.elapsed() >= LOOK_FOR_PARTITIONS && !self.lanes.is_empty();
        if new.is_empty() && !is_time {
            return Ok(());
        }
        self.looked_for_partitions = Instant::now();
        match self.take_up(new) {
            Err(error) if error.rdkafka_error_code().is_some_and(is_denial) => {
                Err(Error::kafka("read re-checks and rulings")(error))
            }
            Err(error) => {
                tracing::warn!(%error, "asking for re-checks and rulings again");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Reads beside these partitions too. Either all of it is taken up or, if the brokers do not answer, nothing: the next look tries
    /// again.
    fn take_up(&mut self, new: Vec<Lane>) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        for Lane { partition, recheck_from, .. } in &new {
            let from = self.first_of(&self.topics.recheck, *partition, recheck_from.unwrap_or(0))?;
            list.add_partition_offset(&self.topics.recheck, *partition, Offset::Offset(from))?;
        }
        let mut back = TopicPartitionList::new();
        let mut decisions = self.decisions.clone();
        for partition in self.decision_partitions()? {
            let of_lane = |lane: &Following| lane.decisions.get(&partition).copied().unwrap_or(0);
            let of_new = |lane: &Lane| lane.cursors.decisions.get(&partition).copied().unwrap_or(0);
            let wanted = self.lanes.values().map(of_lane).chain(new.iter().map(of_new)).min().unwrap_or(0);
            let read = decisions.get(&partition).copied();
            if read.is_some_and(|read| read <= wanted) {
                continue;
            }
            if read.is_some() {
                // A partition that came later has taken in less: what the others know already, they pass over.
                back.add_partition(&self.topics.decisions, partition);
            }
            let from = self.first_of(&self.topics.decisions, partition, wanted)?;
            list.add_partition_offset(&self.topics.decisions, partition, Offset::Offset(from))?;
            decisions.insert(partition, from);
        }
        if back.count() > 0 {
            self.consumer.incremental_unassign(&back)?;
        }
        if list.count() > 0 {
            self.consumer.incremental_assign(&list)?;
            self.paused = None;
        }
        self.decisions = decisions;
        for Lane { partition, epoch, cursors, .. } in new {
            self.lanes.insert(partition, Following { epoch, decisions: cursors.decisions });
        }
        Ok(())
    }

    fn decision_partitions(&self) -> Result<Vec<i32>, KafkaError> {
        let metadata = self.consumer.fetch_metadata(Some(&self.topics.decisions), REQUEST_TIMEOUT)?;
        Ok(metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|p| p.id()).collect())
    }

    /// `wanted`, or the first offset that is still there.
    fn first_of(&self, topic: &str, partition: i32, wanted: i64) -> Result<i64, KafkaError> {
        let (start, end) = self.consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
        Ok(wanted.clamp(start, end.max(start)))
    }

    fn poll(&mut self) -> Result<(), Error> {
        if self.parts.gate.is_full() {
            // What is read must go somewhere; the client library's own queue is bounded.
            std::thread::sleep(POLL);
            return Ok(());
        }
        // A clone of the handle, so that the message does not borrow from what takes it in.
        let consumer = Arc::clone(&self.consumer);
        for n in 0..MAX_POLLED {
            match consumer.poll(if n == 0 { POLL } else { Duration::ZERO }) {
                None => break,
                Some(Ok(message)) if message.topic() == self.topics.decisions => {
                    let (at, decision) = read_ruling(&message);
                    self.rule(&at, decision.as_ref());
                }
                Some(Ok(message)) => {
                    let waiting = recheck(&message, &self.lanes, &self.parts.desk);
                    if let Some(waiting) = waiting {
                        self.waiting_bytes += waiting.input.raw.bytes();
                        self.waiting.push(Reverse(waiting));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) => on_error(error)?,
            }
            if self.parts.gate.is_full() {
                break;
            }
        }
        let is_full = self.waiting_bytes > MAX_WAITING_BYTES;
        if self.paused != Some(is_full) {
            self.pause(is_full)?;
        }
        Ok(())
    }

    fn pause(&mut self, pause: bool) -> Result<(), Error> {
        let mut list = TopicPartitionList::with_capacity(self.lanes.len());
        for partition in self.lanes.keys() {
            list.add_partition(&self.topics.recheck, *partition);
        }
        let done = if pause { self.consumer.pause(&list) } else { self.consumer.resume(&list) };
        done.map_err(wrong(&self.topics.recheck))?;
        self.paused = Some(pause);
        Ok(())
    }

    /// Hands the ruling to every partition that has not taken it in: only its state tells whether it has the listing.
    fn rule(&mut self, at: &Source, decision: Option<&ReviewDecision>) {
        self.decisions.insert(at.partition, at.offset + 1);
        let current = self.parts.bench.load();
        for (partition, lane) in &mut self.lanes {
            let next = lane.decisions.entry(at.partition).or_insert(0);
            if at.offset < *next {
                continue;
            }
            *next = at.offset + 1;
            let Some(slot) = self.parts.desk.board.side_slot(*partition, lane.epoch) else { continue };
            let work = Work::Ruling(decision.cloned().map(Box::new));
            let charge = self.parts.gate.enter(RULING_BYTES);
            let outcome = Outcome::beside(work, at.clone(), &current, Some(charge));
            self.parts.desk.board.complete_side(&slot, outcome);
        }
    }

    /// Sends re-checks whose time has come to be judged, as far as there is room.
    fn send_due(&mut self) {
        let now_ms = now_ms();
        if self.parts.desk.board.is_flushing() {
            return;
        }
        while self.waiting.peek().is_some_and(|Reverse(waiting)| waiting.due_ms <= now_ms) {
            if self.parts.gate.is_full() {
                return;
            }
            let Some(Reverse(waiting)) = self.waiting.pop() else { return };
            let Pending { slot, source, raw, token } = *waiting.input;
            self.waiting_bytes -= raw.bytes();
            if slot.is_void() {
                continue;
            }
            let charge = self.parts.gate.enter(raw.bytes());
            let (cause, desk) = (Cause::Recheck(token), Arc::clone(&self.parts.desk));
            let input = Input { slot, cause, source, raw, received: Instant::now(), charge, desk };
            self.parts.queue.push(Task::Fresh(input));
        }
    }
}

/// A re-check as it stands in its topic; `None` where it is not for this worker, or cannot be read.
fn recheck(
    message: &BorrowedMessage<'_>,
    lanes: &BTreeMap<i32, Following>,
    desk: &Arc<Desk>,
) -> Option<Waiting> {
    let (partition, offset) = (message.partition(), message.offset());
    let epoch = lanes.get(&partition)?.epoch;
    let slot = desk.board.side_slot(partition, epoch)?;
    if !desk.board.receive_recheck(partition, epoch, offset) {
        return None;
    }
    let source = Source { topic: message.topic().into(), partition, offset };
    let headers = headers::copy(message.headers());
    let number = |name: &str| headers::last(&headers, name).and_then(|text| text.parse::<i64>().ok());
    let payload = message.payload().map(<[u8]>::to_vec);
    // Where a number is missing no listing waits for it, so it will be dropped.
    let token = Token {
        revision: number(headers::REVISION).and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
        attempt: number(headers::ATTEMPTS).and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
    };
    let due_ms = number(headers::DUE).unwrap_or(0);
    let payload_bytes = message.payload_len();
    let key = message.key().map(<[u8]>::to_vec);
    let raw = RawInput { key, payload, payload_bytes, headers };
    Some(Waiting { due_ms, offset, input: Box::new(Pending { slot, source, raw, token }) })
}

fn read_ruling(message: &BorrowedMessage<'_>) -> (Source, Option<ReviewDecision>) {
    let (partition, offset) = (message.partition(), message.offset());
    let at = Source { topic: message.topic().into(), partition, offset };
    // What a person wrote down beside the ruling matters to nobody here, and may be long.
    let bare = |decision| ReviewDecision { reason: None, reviewer: None, note: None, ..decision };
    let read = ReviewDecision::from_json(message.payload().unwrap_or_default()).map(bare);
    if let Err(error) = &read {
        // The ruling stays in its topic; what is wrong may quote it, so only the word is logged.
        tracing::warn!(%at, reason = error.word(), "unreadable ruling: passed over");
    }
    (at, read.ok())
}

fn on_error(error: KafkaError) -> Result<(), Error> {
    match error.rdkafka_error_code() {
        Some(code) if is_denial(code) => Err(Error::kafka("read re-checks and rulings")(error)),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
            Err(Error::kafka("go on reading re-checks and rulings")(error))
        }
        _ => {
            tracing::warn!(%error, "reading re-checks and rulings");
            Ok(())
        }
    }
}

fn wrong(topic: &str) -> impl FnOnce(KafkaError) -> Error + use<> {
    Error::kafka(format!("read {topic}"))
}
