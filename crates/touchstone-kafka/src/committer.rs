//! The thread that writes: results, flags, dead letters and offsets of many inputs in one short transaction.
//!
//! The transaction begins when everything that goes into it is ready, so it lives for milliseconds. No transaction call is
//! ever made on another thread: some of them can block whatever their time-out.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::Error;
use crate::board::{Burst, BurstItem, Trigger};
use crate::dead_letter::{DeadLetterWindow, RawInput, Rejection, dead_letter};
use crate::failpoint;
use crate::group::GroupConsumer;
use crate::headers;
use crate::health::Pulse;
use crate::metrics::{Metrics, Stage, TransactionEnd};
use crate::outcome::{Ending, Origin, Outcome, OutputTopic};
use crate::producer::{Failures, StepError, TransactionalProducer, is_denial, is_passing, is_refusal};
use crate::settings::TopicNames;
use crate::stage::Desk;

/// So many results are committed without waiting for more.
const ENOUGH: usize = 2_000;

/// What goes into one transaction at most, in bytes of records.
const MAX_BURST_BYTES: usize = 8 << 20;

/// How often a burst is tried before the session is set up anew.
const MAX_ATTEMPTS: u32 = 8;

/// An input whose records are refused so often when they are written alone, for a reason that does not name them, is given up.
const REFUSALS_ALONE: u32 = 3;

/// The pause after the first such refusal; it is doubled each time, for what went wrong may pass.
const PAUSE: Duration = Duration::from_millis(100);

/// How the committer ended.
#[derive(Debug)]
pub(crate) enum CommitterEnd {
    /// The session is over for another reason.
    Over,
    /// Set up a new session.
    Rebuild { reason: String, fenced: bool },
    /// Nothing helps.
    Failed(Error),
}

pub(crate) struct Committer {
    pub(crate) producer: TransactionalProducer,
    pub(crate) consumer: Arc<GroupConsumer>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) topics: TopicNames,
    pub(crate) window: Arc<Mutex<DeadLetterWindow>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) interval: Duration,
    /// The simulated broker forgets offsets committed in a transaction, so there they are committed again outside.
    pub(crate) commits_outside: bool,
    /// How many inputs go into one transaction at most: fewer for a while after Kafka refused some.
    pub(crate) max_items: Cell<usize>,
}

/// How one attempt at a transaction ended.
enum Attempt {
    Committed,
    /// Nothing was written. Kafka refused these records, if any.
    Aborted(Failures),
}

impl Committer {
    pub(crate) fn run(&self) -> CommitterEnd {
        let mut next = Instant::now();
        loop {
            self.pulse.beat();
            if self.desk.board.has_ended() {
                return CommitterEnd::Over;
            }
            let trigger = Trigger { n_ready: ENOUGH, at: next };
            let Some(burst) =
                self.desk.board.next_burst(trigger, Duration::from_millis(500), MAX_BURST_BYTES)
            else {
                continue;
            };
            next = Instant::now() + self.interval;
            let (burst, too_many) = self.within_limit(burst);
            let n = burst.len();
            match (self.commit_burst(burst), too_many) {
                (Err(end), _) => return end,
                (Ok(n_committed), Some(error)) if n_committed == n => return CommitterEnd::Failed(error),
                // Whatever of the burst is left comes with the next one.
                (Ok(_), _) => {}
            }
        }
    }

    /// What of a burst goes into one transaction. Where its dead letters would pass their limit, it ends before the one too many.
    fn within_limit(&self, mut burst: Burst) -> (Burst, Option<Error>) {
        burst.truncate(self.max_items.get());
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (place, item) in burst.iter().enumerate() {
            if let Err(error) = window.count(item.outcome.ending.dead_letter()) {
                burst.truncate(place);
                return (burst, Some(error));
            }
        }
        (burst, None)
    }

    /// Commits a burst, or the beginning of it, however many attempts it takes. Between attempts, what is no longer ours leaves the
    /// burst. Returns how many inputs were committed.
    fn commit_burst(&self, mut burst: Burst) -> Result<usize, CommitterEnd> {
        let (mut n_attempts, mut n_alone) = (0, 0);
        loop {
            (burst, _) = self.desk.board.still_owned(burst, || ());
            if burst.is_empty() {
                self.desk.board.finish_burst(&[]);
                return Ok(0);
            }
            n_attempts += 1;
            match self.transaction(&burst) {
                Ok(Attempt::Committed) => {
                    self.committed(&burst);
                    return Ok(burst.len());
                }
                Ok(Attempt::Aborted(failures)) => {
                    self.metrics.transaction(TransactionEnd::Aborted);
                    if self.after_refusal(&mut burst, &failures, &mut n_alone)? {
                        n_attempts = 0;
                    } else if n_attempts >= MAX_ATTEMPTS {
                        let reason = format!("{n_attempts} transactions in a row were aborted");
                        return Err(CommitterEnd::Rebuild { reason, fenced: false });
                    }
                }
                Err(error) => return Err(self.give_up(error)),
            }
        }
    }

    /// One transaction: begin, write everything, wait for Kafka's answers, add the offsets, commit.
    fn transaction(&self, burst: &Burst) -> Result<Attempt, StepError> {
        let started = Instant::now();
        self.producer.begin()?;
        failpoint::reach("transaction.begun");
        let failures = match self.write(burst) {
            Err(StepError::Abort(error)) => return self.abort(&error.to_string(), Failures::new()),
            other => other?,
        };
        if !failures.is_empty() {
            return self.abort("records were refused", failures);
        }
        // Ownership and the group's metadata must be seen at the same moment: with fresher metadata, offsets of a
        // partition that has gone meanwhile would be accepted.
        let (owned, group) = self.desk.board.still_owned(burst.clone(), || self.consumer.group_metadata());
        let Some(group) = group.filter(|_| owned.len() == burst.len()) else {
            return self.abort("partitions were taken away", Failures::new());
        };
        match self.commit(burst, &group) {
            Ok(()) => {
                self.metrics.stage(Stage::Commit, started.elapsed());
                Ok(Attempt::Committed)
            }
            Err(StepError::Abort(error)) => self.abort(&error.to_string(), Failures::new()),
            Err(error) => Err(error),
        }
    }

    fn write(&self, burst: &Burst) -> Result<Failures, StepError> {
        for (place, item) in burst.iter().enumerate() {
            for record in &item.outcome.records {
                self.producer.send(record, self.topic(record.topic), place)?;
            }
        }
        failpoint::reach("transaction.sent");
        let failures = self.producer.wait_delivered();
        failpoint::reach("transaction.delivered");
        failures
    }

    fn commit(&self, burst: &Burst, group: &ConsumerGroupMetadata) -> Result<(), StepError> {
        let offsets = self.offsets(burst).map_err(StepError::Indefinite)?;
        failpoint::reach("transaction.checked");
        self.producer.send_offsets(&offsets, group)?;
        failpoint::reach("transaction.offsets");
        self.producer.commit()?;
        failpoint::reach("transaction.committed");
        if self.commits_outside
            && let Err(error) = self.consumer.commit(&offsets, CommitMode::Sync)
        {
            tracing::warn!(%error, "committing outside of a transaction");
        }
        Ok(())
    }

    /// The offset after the last one of each partition in the burst.
    fn offsets(&self, burst: &Burst) -> Result<TopicPartitionList, KafkaError> {
        let mut offsets = TopicPartitionList::new();
        for item in burst {
            let next = Offset::Offset(item.offset + 1);
            match offsets.find_partition(&self.topics.listings, item.partition) {
                Some(mut element) => element.set_offset(next)?,
                None => offsets.add_partition_offset(&self.topics.listings, item.partition, next)?,
            }
        }
        Ok(offsets)
    }

    fn abort(&self, reason: &str, mut failures: Failures) -> Result<Attempt, StepError> {
        // A refusal that came while records were still being handed over is known by now.
        failures.extend(self.producer.wait_delivered()?);
        tracing::warn!(reason, n_refused = failures.len(), "transaction aborted");
        self.producer.abort()?;
        Ok(Attempt::Aborted(failures))
    }

    /// Kafka names every record of a refused batch, so the one that is to blame is sought by halves: what stands before the first
    /// that was refused is committed, or else the first half is tried; the input that is refused alone becomes a dead letter.
    /// Without this the burst would be aborted for ever. True if the burst is another one now.
    fn after_refusal(
        &self,
        burst: &mut Burst,
        failures: &Failures,
        n_alone: &mut u32,
    ) -> Result<bool, CommitterEnd> {
        if let Some((_, code)) = failures.iter().find(|(_, code)| is_denial(*code)) {
            let source = KafkaError::MessageProduction(*code);
            return Err(CommitterEnd::Failed(Error::kafka("write verdicts")(source)));
        }
        let refused = failures.iter().filter(|(_, code)| !is_passing(*code)).min_by_key(|(place, _)| *place);
        let Some((first, code)) = refused else { return Ok(false) };
        if burst.len() > 1 {
            burst.truncate(narrowed(burst.len(), *first));
            self.max_items.set(burst.len());
            return Ok(true);
        }
        *n_alone += 1;
        if is_refusal(*code) || *n_alone >= REFUSALS_ALONE {
            self.replace_refused(&mut burst[0], *code)?;
            return Ok(true);
        }
        thread::sleep(PAUSE * 2_u32.pow(*n_alone - 1));
        Ok(false)
    }

    /// Puts a dead letter with the input's own key, bytes and headers in the place of a result that Kafka refuses.
    fn replace_refused(&self, item: &mut BurstItem, code: RDKafkaErrorCode) -> Result<(), CommitterEnd> {
        let source = KafkaError::MessageProduction(code);
        let refused = Rejection::Refused { message: source.to_string() };
        let old = &item.outcome;
        let (Ending::Judged(_), Some(record)) = (old.ending, old.records.first()) else {
            return Err(CommitterEnd::Failed(Error::kafka("write a dead letter")(source)));
        };
        let header = |name: &str| headers::last(&record.headers, name).unwrap_or_default();
        let Some(source) = headers::Source::parse(header(headers::SOURCE)) else {
            return Err(CommitterEnd::Failed(Error::kafka("write a dead letter")(source)));
        };
        tracing::warn!(%source, reason = refused.word(), "dead letter");
        // Nothing of it has been written, so where this is one too many the next worker begins before it.
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner).clone();
        window.count(Some(refused.word())).map_err(CommitterEnd::Failed)?;
        let catalog_offsets = header(headers::CATALOG_OFFSETS).into();
        let origin = Origin { source, catalog_offsets, trace: Vec::new() };
        let letter = dead_letter(old.raw.clone(), &origin, &refused, self.desk.max_record_bytes.dead_letters);
        let ending = Ending::DeadLetter(refused.word());
        item.outcome = Arc::new(Outcome::new(vec![letter], ending, old.received, RawInput::default(), None));
        Ok(())
    }

    fn committed(&self, burst: &Burst) {
        self.metrics.transaction(TransactionEnd::Committed);
        self.max_items.set(self.max_items.get().saturating_mul(2));
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        for item in burst {
            let ending = item.outcome.ending;
            // It was seen before that the limit is kept.
            let _ = window.count(ending.dead_letter());
            self.metrics.listing(ending.word());
            if let Some(reason) = ending.dead_letter() {
                self.metrics.dead_letter(reason);
            }
            self.metrics.stage(Stage::Whole, item.outcome.received.elapsed());
        }
        drop(window);
        self.desk.board.finish_burst(burst);
    }

    fn give_up(&self, error: StepError) -> CommitterEnd {
        self.metrics.transaction(TransactionEnd::Indefinite);
        match error {
            StepError::Denied(source) => {
                CommitterEnd::Failed(Error::kafka("write verdicts in a transaction")(source))
            }
            StepError::Fenced(error) => CommitterEnd::Rebuild { reason: error.to_string(), fenced: true },
            StepError::Abort(error) | StepError::Indefinite(error) => {
                CommitterEnd::Rebuild { reason: error.to_string(), fenced: false }
            }
        }
    }

    fn topic(&self, topic: OutputTopic) -> &str {
        match topic {
            OutputTopic::Verdicts => &self.topics.verdicts,
            OutputTopic::Review => &self.topics.review,
            OutputTopic::DeadLetters => &self.topics.dead_letters,
        }
    }
}

/// How much of a burst is tried after a refusal whose first record belongs to the item at place `first`.
fn narrowed(n: usize, first: usize) -> usize {
    if first > 0 { first } else { n.div_ceil(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commits 2,000 items with one culprit, of whose batch of up to 300 items Kafka names all. Returns how many transactions it took.
    fn n_transactions(culprit: usize) -> usize {
        let (mut done, mut n_transactions) = (0, 0);
        while done < 2_000 {
            let mut n = 2_000 - done;
            while (done..done + n).contains(&culprit) && n > 1 {
                n_transactions += 1;
                let batch = (culprit - done) / 300 * 300;
                n = narrowed(n, batch);
            }
            n_transactions += 1 + usize::from(n == 1 && done == culprit);
            done += n;
        }
        n_transactions
    }

    #[test]
    fn a_culprit_is_found_by_halves() {
        for culprit in [0, 1, 299, 300, 1_234, 1_999] {
            assert!(n_transactions(culprit) <= 60, "{culprit}: {}", n_transactions(culprit));
        }
    }
}
