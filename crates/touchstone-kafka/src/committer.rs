//! The thread that writes: results, flags, dead letters and offsets of many inputs in one short transaction.
//!
//! The transaction begins when everything that goes into it is ready, so it lives for milliseconds. No transaction call is
//! ever made on another thread: some of them can block whatever their time-out.

use std::sync::{Arc, Mutex, PoisonError};
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

/// After so many refusals of a burst its records are written one by one, to find the one that is to blame.
const REFUSALS_TOGETHER: u32 = 2;

/// A record that is refused so often when it is written alone, for a reason that does not name the record, is given up.
const REFUSALS_ALONE: u32 = 3;

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
}

/// How one attempt at a transaction ended.
enum Attempt {
    Committed,
    /// Nothing was written. Kafka refused these records, if any.
    Aborted(Failures),
}

/// The search for a record that Kafka refuses, over the attempts at one burst.
#[derive(Debug, Default)]
struct Search {
    n_attempts: u32,
    n_refusals: u32,
    one_by_one: bool,
    /// The input whose record was refused last, and how often in a row.
    suspect: Option<(i64, u32)>,
}

impl Search {
    /// Notes that a record of the input at `offset` was refused. True if it has been shown that this very record is the reason.
    fn is_to_blame(&mut self, offset: i64, code: RDKafkaErrorCode) -> bool {
        self.n_refusals += 1;
        if !self.one_by_one {
            self.one_by_one = is_refusal(code) || self.n_refusals >= REFUSALS_TOGETHER;
            return false;
        }
        let n_before = self.suspect.filter(|(suspect, _)| *suspect == offset).map_or(0, |(_, n)| n);
        self.suspect = Some((offset, n_before + 1));
        is_refusal(code) || n_before + 1 >= REFUSALS_ALONE
    }
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
            let (burst, too_many) = self.count_dead_letters(burst);
            if let Err(end) = self.commit_burst(burst) {
                return end;
            }
            if let Some(error) = too_many {
                return CommitterEnd::Failed(error);
            }
        }
    }

    /// Counts the dead letters of a burst; where they pass the limit, the burst ends before the one too many.
    fn count_dead_letters(&self, mut burst: Burst) -> (Burst, Option<Error>) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, item) in burst.iter().enumerate() {
            let reason = match item.outcome.ending {
                Ending::DeadLetter(reason) => Some(reason),
                Ending::Judged(_) => None,
            };
            if let Err(error) = window.count(reason) {
                burst.truncate(place);
                return (burst, Some(error));
            }
        }
        (burst, None)
    }

    /// Commits a burst, however many attempts it takes. Between attempts, what is no longer ours leaves the burst.
    fn commit_burst(&self, mut burst: Burst) -> Result<(), CommitterEnd> {
        let mut search = Search::default();
        loop {
            (burst, _) = self.desk.board.still_owned(burst, || ());
            if burst.is_empty() {
                self.desk.board.finish_burst(&[]);
                return Ok(());
            }
            search.n_attempts += 1;
            match self.transaction(&burst, search.one_by_one) {
                Ok(Attempt::Committed) => {
                    self.committed(&burst);
                    return Ok(());
                }
                Ok(Attempt::Aborted(_)) if search.n_attempts >= MAX_ATTEMPTS => {
                    let reason = format!("{} transactions in a row were aborted", search.n_attempts);
                    return Err(CommitterEnd::Rebuild { reason, fenced: false });
                }
                Ok(Attempt::Aborted(failures)) => {
                    self.metrics.transaction(TransactionEnd::Aborted);
                    self.after_abort(&mut burst, &failures, &mut search)?;
                }
                Err(error) => return Err(self.give_up(error)),
            }
        }
    }

    /// One transaction: begin, write everything, wait for Kafka's answers, add the offsets, commit.
    fn transaction(&self, burst: &Burst, one_by_one: bool) -> Result<Attempt, StepError> {
        let started = Instant::now();
        self.producer.begin()?;
        failpoint::reach("transaction.begun");
        let failures = match self.write(burst, one_by_one) {
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

    fn write(&self, burst: &Burst, one_by_one: bool) -> Result<Failures, StepError> {
        for (place, item) in burst.iter().enumerate() {
            for record in &item.outcome.records {
                self.producer.send(record, self.topic(record.topic), place)?;
            }
            if one_by_one {
                let failures = self.producer.wait_delivered()?;
                if !failures.is_empty() {
                    return Ok(failures);
                }
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

    fn abort(&self, reason: &str, failures: Failures) -> Result<Attempt, StepError> {
        tracing::warn!(reason, n_refused = failures.len(), "transaction aborted");
        self.producer.abort()?;
        Ok(Attempt::Aborted(failures))
    }

    /// Kafka names every record of a refused batch, so after a refusal the records are written one by one, and the one that is
    /// refused then becomes a dead letter: without this the burst would be aborted for ever. What stands before it is committed
    /// with it; what stands behind it comes with the next burst.
    fn after_abort(
        &self,
        burst: &mut Burst,
        failures: &Failures,
        search: &mut Search,
    ) -> Result<(), CommitterEnd> {
        if let Some((_, code)) = failures.iter().find(|(_, code)| is_denial(*code)) {
            let source = KafkaError::MessageProduction(*code);
            return Err(CommitterEnd::Failed(Error::kafka("write verdicts")(source)));
        }
        let Some((place, code)) = failures.iter().find(|(_, code)| !is_passing(*code)) else { return Ok(()) };
        if search.is_to_blame(burst[*place].offset, *code) {
            self.replace_refused(&mut burst[*place], *code)?;
            burst.truncate(*place + 1);
            *search = Search { one_by_one: true, ..Search::default() };
        }
        Ok(())
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
        // Nothing of the burst has been written, so where this is one too many the next worker begins before it.
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.recount(refused.word()).map_err(CommitterEnd::Failed)?;
        drop(window);
        let catalog_offsets = header(headers::CATALOG_OFFSETS).into();
        let origin = Origin { source, catalog_offsets, trace: Vec::new() };
        let letter = dead_letter(old.raw.clone(), &origin, &refused, self.desk.max_record_bytes.dead_letters);
        let ending = Ending::DeadLetter(refused.word());
        item.outcome = Arc::new(Outcome::new(vec![letter], ending, old.received, RawInput::default(), None));
        Ok(())
    }

    fn committed(&self, burst: &Burst) {
        self.metrics.transaction(TransactionEnd::Committed);
        for item in burst {
            self.metrics.listing(item.outcome.ending.word());
            if let Ending::DeadLetter(reason) = item.outcome.ending {
                self.metrics.dead_letter(reason);
            }
            self.metrics.stage(Stage::Whole, item.outcome.received.elapsed());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_names_the_record_needs_one_proof_alone_and_any_other_three() {
        let (sure, unsure) = (RDKafkaErrorCode::InvalidRecord, RDKafkaErrorCode::Unknown);
        let mut search = Search::default();
        assert!(!search.is_to_blame(7, sure) && search.one_by_one);
        assert!(search.is_to_blame(7, sure));

        let mut search = Search::default();
        assert!(!search.is_to_blame(7, unsure) && !search.one_by_one);
        assert!(!search.is_to_blame(9, unsure) && search.one_by_one);
        assert!(!search.is_to_blame(7, unsure) && !search.is_to_blame(9, unsure));
        assert!(!search.is_to_blame(7, unsure) && !search.is_to_blame(7, unsure));
        assert!(search.is_to_blame(7, unsure));
    }
}
