//! The catalog topic, read to its end before the first listing and followed ever after.
//!
//! Every worker reads all of it, belongs to no group and commits nothing. A change makes a new bench on this thread, while
//! listings are judged with the old one; then the two are swapped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::oneshot;
use touchstone_types::{CatalogKey, CatalogRecord};

use crate::Error;
use crate::client::{self, LogContext, REQUEST_TIMEOUT};
use crate::headers::Source;
use crate::health::Health;
use crate::judging::Judging;
use crate::local_snapshot::{LocalSnapshot, Mark, are_there};
use crate::metrics::Metrics;
use crate::photos::Photographer;
use crate::producer::is_denial;
use crate::reference_photos::ReferencePhotos;
use crate::settings::Settings;
use crate::stage::CurrentBench;
use crate::topics::may_pass;

const POLL: Duration = Duration::from_millis(20);

/// A change waits so long for others before a bench is made of them.
const QUIET: Duration = Duration::from_millis(50);

/// Under a steady stream of changes a bench is made at least so often, so that each is in use within a second.
const MAX_WAIT: Duration = Duration::from_millis(400);

/// How often to ask whether the topic has more partitions.
const LOOK_FOR_PARTITIONS: Duration = Duration::from_secs(30);

/// The thread that follows the catalog, as the worker sees it.
pub(crate) struct CatalogFollower {
    first: Option<oneshot::Receiver<Arc<ArcSwap<CurrentBench>>>>,
    failure: Option<oneshot::Receiver<Error>>,
    stop: Arc<AtomicBool>,
    pub(crate) news: Arc<News>,
}

impl CatalogFollower {
    pub(crate) fn start(
        settings: &Settings,
        judging: Box<dyn Judging>,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
        photographer: &Arc<Photographer>,
        delete_retention: Duration,
    ) -> Result<Self, Error> {
        let topic = settings.topics.catalog.clone();
        let config = client::reader(settings.kafka()?);
        let consumer = BaseConsumer::from_config_and_context(&config, LogContext)
            .map_err(Error::kafka("set up the reader of the catalog"))?;
        let (first, first_receiver) = oneshot::channel();
        let (failure, failure_receiver) = oneshot::channel();
        let (stop, news) = (Arc::new(AtomicBool::new(false)), Arc::new(News::default()));
        let thread = Thread {
            news: Arc::clone(&news),
            changed: BTreeSet::new(),
            consumer,
            config,
            folder: settings.catalog.snapshot_path.clone(),
            delete_retention,
            local: None,
            topic,
            judging,
            health,
            metrics,
            photos: ReferencePhotos::new(Arc::clone(photographer)),
            stop: Arc::clone(&stop),
            n_partitions: 0,
            at_end: BTreeSet::new(),
            marks: BTreeMap::new(),
            dirty: None,
            bench: None,
        };
        let run = move || {
            if let Err(error) = thread.run(first) {
                // Nobody listens any more once the worker has ended.
                let _ = failure.send(error);
            }
        };
        thread::Builder::new().name("catalog".into()).spawn(run).map_err(Error::Thread)?;
        Ok(Self { first: Some(first_receiver), failure: Some(failure_receiver), stop, news })
    }

    /// Waits until the catalog has been read to its end.
    pub(crate) async fn wait_read(&mut self) -> Result<Arc<ArcSwap<CurrentBench>>, Error> {
        let Some(first) = self.first.take() else { return Err(self.failed().await) };
        match first.await {
            Ok(bench) => Ok(bench),
            Err(_) => Err(self.failed().await),
        }
    }

    /// Completes only if the catalog can no longer be followed.
    pub(crate) async fn failed(&mut self) -> Error {
        if let Some(failure) = &mut self.failure {
            if let Ok(error) = failure.await {
                self.failure = None;
                return error;
            }
            self.failure = None;
            return Error::Stuck { thread: "catalog follower", seconds: 0 };
        }
        std::future::pending().await
    }
}

impl Drop for CatalogFollower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The catalog records that changed between one bench and the next.
#[derive(Debug, Default)]
pub(crate) struct News(Mutex<BTreeSet<CatalogKey>>);

impl News {
    /// So many are told at most: after a large change the order hardly matters.
    const MAX: usize = 10_000;

    fn tell(&self, mut keys: BTreeSet<CatalogKey>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < Self::MAX {
            told.append(&mut keys);
        }
    }

    /// What changed since the last call.
    pub(crate) fn take(&self) -> BTreeSet<CatalogKey> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// When the first and the last change since the last bench came.
#[derive(Debug, Clone, Copy)]
struct Dirty {
    first: Instant,
    last: Instant,
}

struct Thread {
    consumer: BaseConsumer<LogContext>,
    /// For a second look with another client.
    config: ClientConfig,
    /// Where the local snapshot lies, if there shall be one.
    folder: Option<PathBuf>,
    delete_retention: Duration,
    local: Option<LocalSnapshot>,
    topic: String,
    news: Arc<News>,
    /// The records that changed since the last bench.
    changed: BTreeSet<CatalogKey>,
    judging: Box<dyn Judging>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    photos: ReferencePhotos,
    stop: Arc<AtomicBool>,
    n_partitions: usize,
    /// Partitions read to their end since the last message.
    at_end: BTreeSet<i32>,
    /// The last record of each partition that is in the judging.
    marks: BTreeMap<i32, Mark>,
    dirty: Option<Dirty>,
    bench: Option<Arc<ArcSwap<CurrentBench>>>,
}

impl Thread {
    fn run(mut self, first: oneshot::Sender<Arc<ArcSwap<CurrentBench>>>) -> Result<(), Error> {
        let mut first = Some(first);
        let mut looked = Instant::now();
        let started = Instant::now();
        self.restore();
        while let Err(error) = self.look_for_partitions() {
            if !may_pass(&error, started) || self.stop.load(Ordering::Relaxed) {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(100));
        }
        while !self.stop.load(Ordering::Relaxed) {
            self.poll()?;
            let mut look_at_photos = self.photos.take_in();
            if self.should_swap() {
                self.swap();
                look_at_photos = true;
            }
            if self.bench.is_some() && self.is_at_end() && self.dirty.is_none() {
                self.health.catalog_is_current();
                if let Some(local) = &mut self.local {
                    local.keep_up(self.judging.as_ref(), &self.marks);
                }
            }
            if look_at_photos && self.photos.complete(self.judging.as_mut()) {
                self.mark_dirty();
                self.local.iter_mut().for_each(|local| local.came(1));
            }
            if let (Some(bench), Some(_)) = (&self.bench, &first) {
                self.health.catalog_read.store(true, Ordering::Relaxed);
                tracing::info!(
                    offsets = self.offset_text(),
                    n_partitions = self.n_partitions,
                    "catalog read"
                );
                // If the worker has gone, `stop` is set too.
                let _ = first.take().map(|first| first.send(Arc::clone(bench)));
            }
            if looked.elapsed() >= LOOK_FOR_PARTITIONS {
                looked = Instant::now();
                self.look_for_partitions()?;
            }
        }
        Ok(())
    }

    fn poll(&mut self) -> Result<(), Error> {
        let is_followed = self.bench.is_some();
        let Self { consumer, judging, metrics, at_end, marks, changed: keys, .. } = self;
        let (mut changed, mut n_came) = (false, 0);
        // Many records are taken between two looks at the clock, or a large catalog would take long to read.
        for n in 0..1_000 {
            match consumer.poll(if n == 0 { POLL } else { Duration::ZERO }) {
                None => break,
                Some(Ok(message)) => {
                    at_end.remove(&message.partition());
                    marks.insert(message.partition(), Mark::of_message(&message));
                    n_came += 1;
                    let applied = apply(judging.as_mut(), &message);
                    metrics.catalog_record(applied.is_some());
                    changed |= applied.is_some();
                    keys.extend(applied.filter(|_| is_followed));
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    at_end.insert(partition);
                }
                Some(Err(error)) => on_error(&self.topic, error)?,
            }
        }
        self.local.iter_mut().for_each(|local| local.came(n_came));
        if changed {
            self.mark_dirty();
        }
        Ok(())
    }

    /// Begins with the local snapshot where there is one that is still right.
    fn restore(&mut self) {
        let Some(folder) = self.folder.clone() else { return };
        let Some(cluster_id) = self.consumer.client().fetch_cluster_id(REQUEST_TIMEOUT) else {
            tracing::warn!("the cluster does not tell its id: no local snapshot");
            return;
        };
        let local = match LocalSnapshot::open(&folder, cluster_id, &self.topic, self.delete_retention) {
            Ok(local) => self.local.insert(local),
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "no local snapshot");
                return;
            }
        };
        let started = Instant::now();
        let is_same = |marks: &_| are_there(&self.config, &self.topic, marks);
        match local.load(is_same, |bytes| self.judging.restore(bytes)) {
            Ok(marks) => {
                self.marks = marks;
                let (offsets, seconds) = (self.offset_text(), started.elapsed().as_secs_f64());
                tracing::info!(offsets, seconds, "local snapshot taken up");
            }
            Err(reason) => {
                local.came(1);
                tracing::info!(reason, "the catalog is read from its beginning");
            }
        }
    }

    fn mark_dirty(&mut self) {
        let now = Instant::now();
        let first = self.dirty.map_or(now, |dirty| dirty.first);
        self.dirty = Some(Dirty { first, last: now });
    }

    fn is_at_end(&self) -> bool {
        self.at_end.len() == self.n_partitions
    }

    /// The first bench is made when everything has been read, and is then the only one that matters.
    fn should_swap(&self) -> bool {
        match (&self.bench, self.dirty) {
            (None, _) => self.is_at_end(),
            (Some(_), None) => false,
            (Some(_), Some(dirty)) => dirty.last.elapsed() >= QUIET || dirty.first.elapsed() >= MAX_WAIT,
        }
    }

    fn swap(&mut self) {
        let started = Instant::now();
        let offsets = self.offset_text();
        self.news.tell(std::mem::take(&mut self.changed));
        let current = CurrentBench {
            bench: self.judging.bench(),
            catalog_offsets: offsets.as_str().into(),
            last_record: self.last_record(),
        };
        match &self.bench {
            Some(bench) => bench.store(Arc::new(current)),
            None => self.bench = Some(Arc::new(ArcSwap::from_pointee(current))),
        }
        self.dirty = None;
        tracing::debug!(offsets, seconds = started.elapsed().as_secs_f64(), "catalog swapped");
    }

    /// The last record of the first partition that has any.
    fn last_record(&self) -> Source {
        let (partition, offset) = self.marks.iter().next().map_or((0, 0), |(p, last)| (*p, last.offset));
        Source { topic: self.topic.as_str().into(), partition, offset }
    }

    /// `partition:next offset` of each partition that has records, joined by commas.
    fn offset_text(&self) -> String {
        let parts: Vec<String> =
            self.marks.iter().map(|(p, last)| format!("{p}:{}", last.offset + 1)).collect();
        parts.join(",")
    }

    /// Takes up the partitions that the topic has beyond those already read: all of them the first time.
    fn look_for_partitions(&mut self) -> Result<(), Error> {
        let metadata = match self.consumer.fetch_metadata(Some(&self.topic), REQUEST_TIMEOUT) {
            Ok(metadata) => metadata,
            Err(error) if self.n_partitions > 0 => {
                tracing::warn!(%error, "looking for partitions of the catalog");
                return Ok(());
            }
            Err(source) => return Err(Error::kafka(format!("read {}", self.topic))(source)),
        };
        let found = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        if found == 0 && self.n_partitions == 0 {
            return Err(Error::MissingTopics { topics: vec![self.topic.clone()] });
        }
        if found <= self.n_partitions {
            return Ok(());
        }
        let wrong = || Error::kafka(format!("read {}", self.topic));
        let mut new = TopicPartitionList::new();
        for partition in self.n_partitions..found {
            let partition = i32::try_from(partition).unwrap_or(i32::MAX);
            let next = self.marks.get(&partition).map(|last| Offset::Offset(last.offset + 1));
            new.add_partition_offset(&self.topic, partition, next.unwrap_or(Offset::Beginning))
                .map_err(wrong())?;
        }
        match self.n_partitions {
            0 => self.consumer.assign(&new).map_err(wrong())?,
            _ => self.consumer.incremental_assign(&new).map_err(wrong())?,
        }
        self.n_partitions = found;
        Ok(())
    }
}

/// Applies one record and returns its key; `None` if it is bad. A bad record is said and counted and changes nothing: one slip of a brand must
/// not stop the judging of everybody's listings.
fn apply(judging: &mut dyn Judging, message: &BorrowedMessage<'_>) -> Option<CatalogKey> {
    match read(message.key(), message.payload()) {
        Ok((key, record)) => {
            match record {
                Some(record) => judging.insert(record),
                None => judging.remove(&key),
            }
            Some(key)
        }
        Err(problem) => {
            let (partition, offset) = (message.partition(), message.offset());
            tracing::warn!(partition, offset, problem, "bad catalog record");
            None
        }
    }
}

/// A record of the catalog topic: its key and, unless it withdraws that, what it says. An error says what is wrong with it.
pub(crate) fn read(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Result<(CatalogKey, Option<CatalogRecord>), String> {
    let text = std::str::from_utf8(key.unwrap_or_default()).map_err(|_| "the key is not UTF-8")?;
    let key = CatalogKey::parse(text).ok_or("the key is of none of the four forms")?;
    let Some(value) = value else { return Ok((key, None)) };
    let record = CatalogRecord::from_json(value).map_err(|error| error.to_string())?;
    if record.key() != key {
        return Err(format!("the record belongs under the key {}", record.key()));
    }
    Ok((key, Some(record)))
}

fn on_error(topic: &str, error: KafkaError) -> Result<(), Error> {
    match error.rdkafka_error_code() {
        Some(code) if is_denial(code) => Err(Error::kafka(format!("read {topic}"))(error)),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
            // The topic was made anew under us. A new process reads it from its beginning.
            Err(Error::kafka(format!("go on reading {topic}"))(error))
        }
        _ => {
            tracing::warn!(%error, topic, "reading the catalog");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_under_their_own_key_only() {
        let brand = br#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#;
        assert!(matches!(read(Some(b"brand/lumora"), Some(brand)), Ok((_, Some(_)))));
        assert!(matches!(read(Some(b"brand/lumora"), None), Ok((_, None))));
        for (key, value, problem) in [
            (&b"brand/veltrano"[..], &brand[..], "the record belongs under the key brand/lumora"),
            (b"nonsense", brand, "the key is of none of the four forms"),
            (b"\xff", brand, "the key is not UTF-8"),
        ] {
            assert_eq!(read(Some(key), Some(value)).unwrap_err(), problem);
        }
        assert!(read(Some(b"brand/lumora"), Some(b"{}")).is_err());
        assert!(read(None, Some(brand)).is_err());
    }
}
