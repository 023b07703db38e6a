//! Reading the state of newly assigned partitions, before anything of them is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::StateError;
use super::shelf::{PartitionState, Room};
use crate::Error;
use crate::client::{self, LogContext, REQUEST_TIMEOUT};
use crate::producer::is_denial;
use crate::settings::Settings;
use crate::stage::Desk;
use crate::state_store::Change;

/// Records are taken in together until they have so many bytes.
const BATCH_BYTES: usize = 4 << 20;

/// An open transaction of a worker that has died is ended by the brokers well within this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A partition whose state is wanted, and the number of its ownership.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) partition: i32,
    pub(crate) epoch: u64,
}

/// The thread that reads states. It ends with its session.
pub(crate) struct Restorer {
    topic: String,
    committed: ClientConfig,
    all: ClientConfig,
    room: Room,
    desk: Arc<Desk>,
    requests: Receiver<Request>,
}

impl Restorer {
    /// A restorer, and where requests are sent.
    pub(crate) fn new(settings: &Settings, desk: Arc<Desk>) -> Result<(Self, Sender<Request>), Error> {
        let committed = client::reader(settings.kafka()?);
        let mut all = committed.clone();
        all.set("isolation.level", "read_uncommitted");
        let (sender, requests) = channel();
        let (topic, room) = (settings.topics.state.clone(), settings.state.room());
        Ok((Self { topic, committed, all, room, desk, requests }, sender))
    }

    /// Reads what is asked for until the session is over.
    pub(crate) fn run(self) -> Result<(), Error> {
        while !self.desk.board.has_ended() {
            let first = match self.requests.recv_timeout(Duration::from_millis(200)) {
                Ok(request) => request,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            // Those of one rebalance are read side by side.
            let wanted: BTreeMap<i32, u64> = std::iter::once(first)
                .chain(self.requests.try_iter())
                .map(|request| (request.partition, request.epoch))
                .collect();
            self.restore(&wanted)?;
        }
        Ok(())
    }

    fn restore(&self, wanted: &BTreeMap<i32, u64>) -> Result<(), Error> {
        let started = Instant::now();
        let consumer = self.client(&self.committed)?;
        self.wait_stable(&consumer, wanted)?;
        let mut assignment = TopicPartitionList::with_capacity(wanted.len());
        for partition in wanted.keys() {
            assignment
                .add_partition_offset(&self.topic, *partition, Offset::Beginning)
                .map_err(self.wrong())?;
        }
        consumer.assign(&assignment).map_err(self.wrong())?;
        let mut reading: BTreeMap<i32, Reading> =
            wanted.keys().map(|p| (*p, Reading::new(&self.room))).collect();
        let mut last_progress = Instant::now();
        while !reading.is_empty() && !self.desk.board.has_ended() {
            match consumer.poll(Duration::from_millis(50)) {
                Some(Ok(message)) => {
                    last_progress = Instant::now();
                    let Some(reading) = reading.get_mut(&message.partition()) else { continue };
                    let key = message.key().unwrap_or_default().to_vec();
                    reading.bytes += key.len() + message.payload_len();
                    reading.batch.push((key, message.payload().map(<[u8]>::to_vec)));
                    if reading.bytes >= BATCH_BYTES {
                        self.load(message.partition(), reading)?;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    last_progress = Instant::now();
                    let Some(mut reading) = reading.remove(&partition) else { continue };
                    self.load(partition, &mut reading)?;
                    let state = reading.state;
                    let (n_listings, seconds) = (state.len(), started.elapsed().as_secs_f64());
                    let n_open = state.open_flags().len();
                    tracing::info!(partition, n_listings, n_open, seconds, "state restored");
                    let epoch = wanted.get(&partition).copied().unwrap_or_default();
                    self.desk.board.restored(partition, epoch, state);
                }
                Some(Err(error)) if error.rdkafka_error_code().is_some_and(is_denial) => {
                    return Err(self.wrong()(error));
                }
                Some(Err(error)) => tracing::warn!(%error, topic = self.topic, "reading the state"),
                None => {}
            }
            let is_owned = |partition: &i32| {
                wanted.get(partition).is_some_and(|epoch| self.desk.board.is_owned(*partition, *epoch))
            };
            if last_progress.elapsed() > PATIENCE {
                return Err(Error::ReadTimeout { topic: self.topic.clone(), seconds: PATIENCE.as_secs() });
            }
            if last_progress.elapsed() > Duration::from_secs(1) {
                reading.retain(|partition, _| is_owned(partition));
            }
        }
        Ok(())
    }

    fn load(&self, partition: i32, reading: &mut Reading) -> Result<(), Error> {
        let wrong = |source: StateError| Error::State { topic: self.topic.clone(), partition, source };
        reading.bytes = 0;
        reading.state.load(std::mem::take(&mut reading.batch)).map_err(wrong)
    }

    /// Waits until nothing is open in these partitions that was begun before now: the last owner's transaction is committed or
    /// aborted, but the brokers may not have told its partitions yet.
    fn wait_stable(
        &self,
        committed: &BaseConsumer<LogContext>,
        wanted: &BTreeMap<i32, u64>,
    ) -> Result<(), Error> {
        let all = self.client(&self.all)?;
        let deadline = Instant::now() + PATIENCE;
        let mut ends: BTreeMap<i32, i64> = BTreeMap::new();
        let mut open: BTreeSet<i32> = wanted.keys().copied().collect();
        while !open.is_empty() && !self.desk.board.has_ended() {
            for partition in open.clone() {
                let step = self.is_stable(committed, &all, partition, &mut ends);
                match step {
                    Ok(true) => {
                        open.remove(&partition);
                    }
                    Ok(false) => {}
                    Err(error) if error.rdkafka_error_code().is_some_and(is_denial) => {
                        return Err(self.wrong()(error));
                    }
                    Err(error) if Instant::now() >= deadline => return Err(self.wrong()(error)),
                    Err(error) => tracing::warn!(%error, partition, "asking for the end of the state again"),
                }
            }
            if open.is_empty() {
                break;
            }
            if Instant::now() >= deadline {
                return Err(Error::ReadTimeout { topic: self.topic.clone(), seconds: PATIENCE.as_secs() });
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn is_stable(
        &self,
        committed: &BaseConsumer<LogContext>,
        all: &BaseConsumer<LogContext>,
        partition: i32,
        ends: &mut BTreeMap<i32, i64>,
    ) -> Result<bool, KafkaError> {
        let end = match ends.get(&partition) {
            Some(end) => *end,
            None => {
                let (_, end) = all.fetch_watermarks(&self.topic, partition, REQUEST_TIMEOUT)?;
                *ends.entry(partition).or_insert(end)
            }
        };
        let (_, stable) = committed.fetch_watermarks(&self.topic, partition, REQUEST_TIMEOUT)?;
        Ok(stable >= end)
    }

    fn client(&self, config: &ClientConfig) -> Result<BaseConsumer<LogContext>, Error> {
        BaseConsumer::from_config_and_context(config, LogContext).map_err(self.wrong())
    }

    fn wrong(&self) -> impl FnOnce(KafkaError) -> Error + use<> {
        Error::kafka(format!("read {}", self.topic))
    }
}

/// A partition on the way.
struct Reading {
    state: PartitionState,
    /// What is still to be taken in, and its bytes.
    batch: Vec<Change>,
    bytes: usize,
}

impl Reading {
    fn new(room: &Room) -> Self {
        Self { state: PartitionState::new(room), batch: Vec::new(), bytes: 0 }
    }
}
