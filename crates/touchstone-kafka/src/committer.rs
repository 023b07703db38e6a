//! The thread that writes: results, flags, dead letters and offsets of many inputs in one short transaction.
//!
//! The transaction begins when everything that goes into it is ready, so it lives for milliseconds. No transaction call is
//! ever made on another thread: some of them can block whatever their time-out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::Error;
use crate::board::{Burst, BurstItem, Place, Trigger};
use crate::book::{Book, Prepared};
use crate::dead_letter::{DeadLetterWindow, RawInput, Rejection, dead_letter};
use crate::failpoint;
use crate::group::GroupConsumer;
use crate::health::Pulse;
use crate::metrics::{Metrics, Stage, TransactionEnd};
use crate::outcome::{Found, Outcome, OutputRecord, OutputTopic, Work};
use crate::producer::{Failures, StepError, TransactionalProducer, is_denial, is_passing, is_refusal};
use crate::settings::TopicNames;
use crate::stage::Desk;
use crate::sweeper::Sweeper;

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
    pub(crate) max_items: usize,
    pub(crate) book: Book,
    pub(crate) sweeper: Sweeper,
}

/// How one attempt at a transaction ended.
enum Attempt {
    Committed,
    /// Nothing was written. Kafka refused these records, if any.
    Aborted(Failures),
}

impl Committer {
    pub(crate) fn run(mut self) -> CommitterEnd {
        let mut next = Instant::now();
        loop {
            self.pulse.beat();
            let board = &self.desk.board;
            if board.has_ended() {
                return CommitterEnd::Over;
            }
            self.book.shelf.sync(board.take_restored(), |partition, epoch| board.is_owned(partition, epoch));
            let wait = match self.sweeper.step(&self.book, &self.desk) {
                Ok(wait) => wait,
                Err(error) => return CommitterEnd::Failed(error),
            };
            let trigger = Trigger { n_ready: ENOUGH, at: next };
            let Some(mut burst) = self.desk.board.next_burst(trigger, wait, MAX_BURST_BYTES) else {
                continue;
            };
            next = Instant::now() + self.interval;
            burst.truncate(self.max_items);
            // Whatever of the burst is left comes with the next one.
            if let Err(end) = self.commit_burst(burst) {
                return end;
            }
        }
    }

    /// What of a burst goes into one transaction: where its dead letters would pass their limit, it ends before the one too many.
    fn keep_within_limit(&self, burst: &mut Burst, prepared: &mut Vec<Prepared>) -> Option<Error> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let endings = prepared.iter().map(|prepared| prepared.ending);
        let too_many = endings.enumerate().find_map(|(place, ending)| {
            let error = window.count(ending?.fault()).err()?;
            Some((place, error))
        });
        let (place, error) = too_many?;
        burst.truncate(place);
        prepared.truncate(place);
        Some(error)
    }

    /// Commits a burst, or the beginning of it, however many attempts it takes. Between attempts, what is no longer ours leaves the
    /// burst.
    fn commit_burst(&mut self, mut burst: Burst) -> Result<(), CommitterEnd> {
        let (mut n_attempts, mut n_alone) = (0, 0);
        loop {
            (burst, _) = self.desk.board.still_owned(burst, || ());
            let mut prepared = self.book.prepare(&burst).map_err(CommitterEnd::Failed)?;
            keep_within_bytes(&mut burst, &mut prepared);
            let too_many = self.keep_within_limit(&mut burst, &mut prepared);
            if burst.is_empty() {
                self.desk.board.finish_burst(&[]);
                return too_many.map_or(Ok(()), |error| Err(CommitterEnd::Failed(error)));
            }
            n_attempts += 1;
            let attempt = match is_empty(&burst, &prepared) {
                true => Ok(Attempt::Committed),
                false => self.transaction(&burst, &prepared),
            };
            match attempt {
                Ok(Attempt::Committed) => {
                    self.committed(&burst, prepared)?;
                    return too_many.map_or(Ok(()), |error| Err(CommitterEnd::Failed(error)));
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
    fn transaction(&self, burst: &Burst, prepared: &[Prepared]) -> Result<Attempt, StepError> {
        let started = Instant::now();
        self.producer.begin()?;
        failpoint::reach("transaction.begun");
        let failures = match self.write(prepared) {
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

    fn write(&self, prepared: &[Prepared]) -> Result<Failures, StepError> {
        for (place, prepared) in prepared.iter().enumerate() {
            for record in &prepared.records {
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

    /// The offset after the last one of each partition in the burst. For what came in beside the listings it is that of the re-check
    /// topic, which may not have moved: without an offset Kafka would not look whether this worker still belongs to the group, and
    /// the next owner of the partition would not wait for a transaction that is open.
    fn offsets(&self, burst: &Burst) -> Result<TopicPartitionList, KafkaError> {
        let mut next: BTreeMap<(&str, i32), i64> = BTreeMap::new();
        for item in burst {
            let (topic, offset) = match item.place {
                Place::Input(offset) => (&self.topics.listings, offset + 1),
                Place::Side(_) => {
                    (&self.topics.recheck, self.desk.board.recheck_next(item.partition).unwrap_or(0))
                }
            };
            next.insert((topic, item.partition), offset);
        }
        let mut offsets = TopicPartitionList::with_capacity(next.len());
        for ((topic, partition), offset) in next {
            offsets.add_partition_offset(topic, partition, Offset::Offset(offset))?;
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
        &mut self,
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
            self.max_items = burst.len();
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
        let origin = old.origin.clone();
        if let Place::Side(_) = item.place {
            // The listing has its verdict, which stands.
            tracing::error!(source = %origin.source, %code, "Kafka refuses what follows from this; it is left out");
            item.outcome = Arc::new(old.left_out());
            return Ok(());
        }
        if matches!(old.work, Work::DeadLetter(_)) {
            return Err(CommitterEnd::Failed(Error::kafka("write a dead letter")(source)));
        }
        tracing::warn!(source = %origin.source, reason = refused.word(), "dead letter");
        // Nothing of it has been written, so where this is one too many the next worker begins before it.
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner).clone();
        window.count(Some(refused.word())).map_err(CommitterEnd::Failed)?;
        let letter = dead_letter(old.raw.clone(), &origin, &refused, self.desk.max_record_bytes.dead_letters);
        let found = Found { records: vec![letter], work: Work::DeadLetter(refused.word()) };
        item.outcome = Arc::new(Outcome::new(found, origin, old.received, RawInput::default(), None));
        Ok(())
    }

    fn committed(&mut self, burst: &Burst, prepared: Vec<Prepared>) -> Result<(), CommitterEnd> {
        self.metrics.transaction(TransactionEnd::Committed);
        self.max_items = self.max_items.saturating_mul(2);
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        for (item, prepared) in burst.iter().zip(&prepared) {
            let Some(ending) = prepared.ending else { continue };
            // It was seen before that the limit is kept.
            let _ = window.count(ending.fault());
            self.metrics.listing(ending.word());
            if let Some(reason) = ending.dead_letter() {
                self.metrics.dead_letter(reason);
            }
            self.metrics.stage(Stage::Whole, item.outcome.received.elapsed());
        }
        drop(window);
        self.book.committed(burst, prepared, &self.metrics).map_err(CommitterEnd::Failed)?;
        self.desk.board.finish_burst(burst);
        Ok(())
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
            OutputTopic::Recheck => &self.topics.recheck,
            OutputTopic::State => &self.topics.state,
        }
    }
}

/// What of a burst goes into one transaction by its bytes: settling may have added to what was counted.
fn keep_within_bytes(burst: &mut Burst, prepared: &mut Vec<Prepared>) {
    let mut bytes = 0;
    let bytes_of = |prepared: &Prepared| prepared.records.iter().map(OutputRecord::bytes).sum::<usize>();
    let fits = prepared.iter().take_while(|prepared| {
        bytes += bytes_of(prepared);
        bytes <= 2 * MAX_BURST_BYTES
    });
    let n = fits.count().max(1);
    burst.truncate(n);
    prepared.truncate(n);
}

/// Whether nothing of a burst has to be written: rulings on listings of other partitions.
fn is_empty(burst: &Burst, prepared: &[Prepared]) -> bool {
    let is_silent =
        |item: &BurstItem| matches!(item.place, Place::Side(_)) && item.outcome.recheck_offset().is_none();
    burst.iter().all(is_silent) && prepared.iter().all(|prepared| prepared.records.is_empty())
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

    /// How many pieces of work go into one transaction, if each writes one record of so many MiB.
    fn n_within_bytes(mebibytes: &[usize]) -> usize {
        let item = |number| BurstItem {
            partition: 0,
            place: Place::Side(number),
            epoch: 1,
            outcome: Arc::new(Outcome::for_tests("")),
        };
        let prepared = |mebibytes: &usize| {
            let mut prepared = Prepared::default();
            prepared.records.push(OutputRecord {
                topic: OutputTopic::State,
                partition: Some(0),
                key: None,
                payload: Some(vec![b' '; mebibytes << 20]),
                headers: Vec::new(),
            });
            prepared
        };
        let mut burst: Burst = (0..mebibytes.len() as u64).map(item).collect();
        let mut prepared: Vec<Prepared> = mebibytes.iter().map(prepared).collect();
        keep_within_bytes(&mut burst, &mut prepared);
        assert_eq!(burst.len(), prepared.len());
        assert!(burst.iter().zip(0..).all(|(item, number)| item.place == Place::Side(number)));
        burst.len()
    }

    #[test]
    fn a_transaction_is_bounded_in_bytes_but_one_piece_always_goes() {
        assert_eq!(n_within_bytes(&[]), 0);
        assert_eq!(n_within_bytes(&[1, 2, 3]), 3);
        assert_eq!(n_within_bytes(&[5, 10, 2, 0]), 2);
        assert_eq!(n_within_bytes(&[20, 1]), 1);
        assert_eq!(n_within_bytes(&[1, 20, 1]), 1);
    }

    #[test]
    fn a_culprit_is_found_by_halves() {
        for culprit in [0, 1, 299, 300, 1_234, 1_999] {
            assert!(n_transactions(culprit) <= 60, "{culprit}: {}", n_transactions(culprit));
        }
    }
}
