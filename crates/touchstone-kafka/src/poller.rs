//! The thread that reads listings: it never works on them, never waits for long, and alone runs the group's callbacks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::Error;
use crate::client::REQUEST_TIMEOUT;
use crate::dead_letter::{RawInput, TRUNCATED_BYTES};
use crate::gate::Gate;
use crate::group::GroupConsumer;
use crate::headers::{self, Source};
use crate::health::Pulse;
use crate::producer::is_denial;
use crate::queue::WorkQueue;
use crate::stage::{Desk, Input, Task};
use crate::state::Cause;

/// How long one `poll` waits for a message.
const POLL: Duration = Duration::from_millis(20);

/// How long the poller waits for room before it pauses the partitions. A pause throws away what has been prefetched, so a
/// worker that is merely busy must not pause; but while it waits here, rebalances wait too.
const WAIT_FOR_ROOM: Duration = Duration::from_millis(300);

/// How long the poller tries to leave the group.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// How the poller ended.
#[derive(Debug)]
pub(crate) enum PollerEnd {
    /// It was told to stop, and everything in hand was committed within the limit, or not.
    Stopped { drained: bool },
    /// The session is over for another reason.
    Over,
    /// Set up a new session.
    Rebuild(String),
    /// Nothing helps.
    Failed(Error),
}

/// What has been paused. The client library remembers it of a partition that goes away and comes back.
#[derive(Debug, Default)]
struct Pauses {
    /// The whole worker is full.
    is_full: bool,
    partitions: BTreeSet<i32>,
}

pub(crate) struct Poller {
    pub(crate) consumer: Arc<GroupConsumer>,
    pub(crate) topic: Arc<str>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) queue: Arc<WorkQueue<Task>>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) max_listing_bytes: usize,
    pub(crate) drain_limit: Duration,
}

impl Poller {
    pub(crate) fn run(self) -> PollerEnd {
        if let Err(source) = self.consumer.subscribe(&[&self.topic]) {
            return PollerEnd::Failed(Error::kafka(format!("subscribe to {}", self.topic))(source));
        }
        let mut pauses = Pauses::default();
        loop {
            self.pulse.beat();
            if self.desk.board.has_ended() {
                return PollerEnd::Over;
            }
            if self.stop.load(Ordering::Relaxed) {
                return self.drain();
            }
            let step = self
                .keep_within_bounds(&mut pauses)
                .map_err(|error| Self::rebuild(&error))
                .and_then(|()| self.poll_once());
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Pauses the whole worker when it is full and stays full, and resumes it when half of it is empty. A partition whose state is
    /// still being read is paused too: nothing of it could be committed, and it would fill the worker up.
    fn keep_within_bounds(&self, pauses: &mut Pauses) -> Result<(), KafkaError> {
        if self.desk.board.assignment_changed.swap(false, Ordering::Relaxed) {
            // New partitions are not paused, but those that went while they were paused come back so. To pause twice does no harm.
            self.pause_or_resume(pauses)?;
        }
        if pauses.is_full {
            if self.gate.is_half_empty() {
                pauses.is_full = false;
                self.pause_or_resume(pauses)?;
                tracing::debug!("reading again");
            }
            return Ok(());
        }
        let since = Instant::now();
        while self.gate.is_full() && !self.stop.load(Ordering::Relaxed) {
            if since.elapsed() >= WAIT_FOR_ROOM {
                pauses.is_full = true;
                tracing::debug!(n_in_flight = self.gate.n_inside(), "full: reading paused");
                return self.pause_or_resume(pauses);
            }
            thread::park_timeout(Duration::from_millis(2));
        }
        Ok(())
    }

    fn poll_once(&self) -> Result<(), PollerEnd> {
        let polled = self.consumer.poll(POLL);
        if let Some(error) =
            self.consumer.context().failure.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            return Err(Self::rebuild(&error));
        }
        match polled {
            None => Ok(()),
            Some(Ok(message)) => {
                self.take(&message);
                Ok(())
            }
            Some(Err(error)) => self.judge_error(error),
        }
    }

    /// Copies a message and sends it on its way. Nothing of the client library is kept: a borrowed message would hold on
    /// to its buffers.
    fn take(&self, message: &BorrowedMessage<'_>) {
        let (partition, offset) = (message.partition(), message.offset());
        let Some(slot) = self.desk.board.receive(partition, offset) else {
            tracing::debug!(partition, offset, "not ours any more, or received before");
            return;
        };
        let raw = self.copy(message);
        let charge = self.gate.enter(raw.bytes() + INPUT_OVERHEAD);
        let source = Source { topic: Arc::clone(&self.topic), partition, offset };
        let desk = Arc::clone(&self.desk);
        let (cause, received) = (Cause::Listing, Instant::now());
        self.queue.push(Task::Fresh(Input { slot, cause, source, raw, received, charge, desk }));
    }

    /// A listing that is too long to be judged is kept whole only if the dead-letter topic can hold it.
    fn copy(&self, message: &BorrowedMessage<'_>) -> RawInput {
        let payload_bytes = message.payload_len();
        let key = message.key().map(<[u8]>::to_vec);
        let headers = headers::copy(message.headers());
        let keep = if payload_bytes <= self.max_listing_bytes.max(self.desk.max_record_bytes.dead_letters) {
            payload_bytes
        } else {
            TRUNCATED_BYTES
        };
        let payload = message.payload().map(|payload| payload[..keep].to_vec());
        RawInput { key, payload, payload_bytes, headers }
    }

    fn judge_error(&self, error: KafkaError) -> Result<(), PollerEnd> {
        let code = error.rdkafka_error_code();
        match code {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                Err(PollerEnd::Failed(self.lost_offset(error)))
            }
            Some(RDKafkaErrorCode::FencedInstanceId) => {
                Err(PollerEnd::Failed(Error::Replaced { what: "kafka.instance_id" }))
            }
            Some(code) if is_denial(code) => {
                Err(PollerEnd::Failed(Error::kafka(format!("read {}", self.topic))(error)))
            }
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => Err(Self::rebuild(&error)),
            _ => {
                // Lost connections and moving leaders: the client library goes on by itself.
                tracing::warn!(%error, "reading listings");
                Ok(())
            }
        }
    }

    /// Finds the partition whose next offset is gone, to say how much was lost.
    fn lost_offset(&self, source: KafkaError) -> Error {
        for (partition, next) in self.desk.board.positions() {
            let Some(offset) = next else { continue };
            let Ok((start, _)) = self.consumer.fetch_watermarks(&self.topic, partition, REQUEST_TIMEOUT)
            else {
                continue;
            };
            if offset < start {
                return Error::OffsetGone { topic: self.topic.to_string(), partition, offset, start };
            }
        }
        Error::kafka(format!("read {} from where the group left off", self.topic))(source)
    }

    /// Stops taking, lets everything in hand be finished and committed, and leaves the group.
    fn drain(&self) -> PollerEnd {
        tracing::info!(n_in_flight = self.gate.n_inside(), "stopping: finishing what is in hand");
        if let Err(error) = self.consumer.pause(&self.list(&self.desk.board.partitions())) {
            tracing::warn!(%error, "pausing");
        }
        let deadline = Instant::now() + self.drain_limit;
        let mut drained = false;
        while !drained && Instant::now() < deadline && !self.desk.board.has_ended() {
            self.pulse.beat();
            drained = self.desk.board.wait_idle(Duration::from_millis(50));
            // Messages that slip through belong to the next owner; callbacks must go on.
            drop(self.consumer.poll(Duration::ZERO));
        }
        self.leave();
        if self.desk.board.has_ended() { PollerEnd::Over } else { PollerEnd::Stopped { drained } }
    }

    fn leave(&self) {
        self.consumer.unsubscribe();
        let deadline = Instant::now() + LEAVE_LIMIT;
        while !self.desk.board.partitions().is_empty() && Instant::now() < deadline {
            self.pulse.beat();
            drop(self.consumer.poll(POLL));
        }
    }

    /// Pauses what is owned and should not be read now, and resumes what should and was paused, in this ownership or an earlier one.
    fn pause_or_resume(&self, pauses: &mut Pauses) -> Result<(), KafkaError> {
        let (owned, unrestored) = (self.desk.board.partitions(), self.desk.board.unrestored());
        let (pause, read): (Vec<i32>, Vec<i32>) =
            owned.into_iter().partition(|partition| pauses.is_full || unrestored.contains(partition));
        let resume: Vec<i32> = read.into_iter().filter(|p| pauses.partitions.contains(p)).collect();
        if !pause.is_empty() {
            self.consumer.pause(&self.list(&pause))?;
        }
        if !resume.is_empty() {
            self.consumer.resume(&self.list(&resume))?;
        }
        pauses.partitions.extend(pause);
        pauses.partitions.retain(|partition| !resume.contains(partition));
        Ok(())
    }

    fn list(&self, partitions: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        list
    }

    fn rebuild(error: &KafkaError) -> PollerEnd {
        PollerEnd::Rebuild(error.to_string())
    }
}

/// About what an input takes beyond its bytes.
const INPUT_OVERHEAD: usize = 512;
