//! The catalog as it was, on this machine's disk: with it a restart reads the end of the topic instead of all of it.
//!
//! The topic is the truth and this is a copy, used only while it can be shown to be one: the same cluster and name of the topic, the
//! last record of each partition still where it was with the same bytes and the same time, written by this very release, and so
//! recently that no deletion made since can have been forgotten by the topic's compaction. Otherwise the topic is read from its
//! beginning.
//!
//! ```text
//! <folder>/catalog-<crc>.bin    the compiled catalog
//! <folder>/catalog.json         what it is a copy of; renamed into place last
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use crate::checksum::checksum;
use crate::client::{LogContext, REQUEST_TIMEOUT};
use crate::clock::now_ms;
use crate::judging::{Judging, Save};
use crate::whole_file;

/// Another release may read records differently, so its copies are not used.
const ENGINE: &str = env!("CARGO_PKG_VERSION");
const STAMP: &str = "catalog.json";
/// Held by the worker whose folder it is.
const LOCK: &str = "lock";

/// A new copy is written when so many records have come since the last one, or when it is so old; if none have come by then, it
/// is only said that it was right until now.
const MANY: u64 = 4_096;
const REFRESH: Duration = Duration::from_secs(30 * 60);

/// How long one look at the topic waits.
const POLL: Duration = Duration::from_millis(20);

/// Where reading a partition goes on, and how to tell that it is the same partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The offset of the last record that is in the copy.
    pub(crate) offset: i64,
    /// When it was written, in milliseconds of Unix time: a topic made anew of the same records has other times.
    timestamp_ms: Option<i64>,
    /// The checksum of its key and value.
    checksum: u32,
}

impl Mark {
    pub(crate) fn of_message(message: &BorrowedMessage<'_>) -> Self {
        let (offset, timestamp_ms) = (message.offset(), message.timestamp().to_millis());
        Self { offset, timestamp_ms, checksum: checksum(message.key(), message.payload()) }
    }
}

/// What a copy is a copy of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    engine: String,
    cluster_id: String,
    topic: String,
    /// Until when it was all that the topic held: Unix time in milliseconds.
    right_ms: i64,
    file: String,
    marks: BTreeMap<i32, Mark>,
}

/// The folder of the copy, and when it was written last.
pub(crate) struct LocalSnapshot {
    folder: PathBuf,
    cluster_id: String,
    topic: String,
    max_age: Duration,
    /// Records that are not in the copy.
    n_new: u64,
    /// When the copy was last said to be right.
    said: Option<Instant>,
    stamp: Option<Stamp>,
    writing: Option<JoinHandle<io::Result<Stamp>>>,
    _lock: File,
}

impl LocalSnapshot {
    /// The copy of this topic in `folder`, which is made if it is not there. The topic forgets a deletion no sooner than
    /// `delete_retention` after it was written.
    pub(crate) fn open(
        folder: &Path,
        cluster_id: String,
        topic: &str,
        delete_retention: Duration,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let lock = File::create(folder.join(LOCK))?;
        lock.try_lock().map_err(|error| io::Error::other(format!("another worker's folder: {error}")))?;
        remove(folder, |name| name.starts_with(whole_file::UNFINISHED))?;
        let (folder, topic, max_age) = (folder.to_owned(), topic.to_owned(), delete_retention / 2);
        let (said, stamp, writing) = (None, None, None);
        Ok(Self { folder, cluster_id, topic, max_age, n_new: 0, said, stamp, writing, _lock: lock })
    }

    /// Takes up the copy, if there is one that may still be right: `is_same` looks into the topic, `take_up` at the bytes. Returns
    /// how far it goes.
    ///
    /// # Errors
    /// Why there is none to be used, for the log.
    pub(crate) fn load(
        &mut self,
        is_same: impl FnOnce(&BTreeMap<i32, Mark>) -> Result<(), String>,
        take_up: impl FnOnce(&Bytes) -> Result<(), String>,
    ) -> Result<BTreeMap<i32, Mark>, String> {
        let text = fs::read(self.folder.join(STAMP)).map_err(|error| error.to_string())?;
        let stamp: Stamp = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        self.check(&stamp, now_ms())?;
        is_same(&stamp.marks)?;
        let map = |path: PathBuf| whole_file::map(&File::open(path)?);
        let bytes = map(self.folder.join(&stamp.file)).map_err(|error| format!("{}: {error}", stamp.file))?;
        take_up(&bytes)?;
        let marks = stamp.marks.clone();
        (self.said, self.stamp) = (Some(Instant::now()), Some(stamp));
        Ok(marks)
    }

    fn check(&self, stamp: &Stamp, now_ms: i64) -> Result<(), String> {
        let age = Duration::from_millis(now_ms.abs_diff(stamp.right_ms));
        if stamp.engine != ENGINE {
            Err(format!("it was written by version {}, this is {ENGINE}", stamp.engine))
        } else if (&stamp.cluster_id, &stamp.topic) != (&self.cluster_id, &self.topic) {
            Err("it was made of another cluster or topic".into())
        } else if age > self.max_age {
            Err(format!("it is {} h old: deletions may have been forgotten since", age.as_secs() / 3600))
        } else if Path::new(&stamp.file).file_name().is_none_or(|name| name != stamp.file.as_str()) {
            Err("it names a file outside of its folder".into())
        } else {
            Ok(())
        }
    }

    /// So many more records have come than the copy holds.
    pub(crate) fn came(&mut self, n_records: u64) {
        self.n_new += n_records;
    }

    /// Writes a new copy on a thread of its own, if it is time for it. `judging` holds all that the topic does, up to `marks`.
    pub(crate) fn keep_up(&mut self, judging: &dyn Judging, marks: &BTreeMap<i32, Mark>) {
        self.take_in();
        let is_due = self.said.is_none_or(|said| said.elapsed() >= REFRESH) || self.n_new >= MANY;
        if self.writing.is_some() || !is_due {
            return;
        }
        self.said = Some(Instant::now());
        let stamp = |file| {
            let (cluster_id, topic, marks) = (self.cluster_id.clone(), self.topic.clone(), marks.clone());
            Stamp { engine: ENGINE.into(), cluster_id, topic, right_ms: now_ms(), file, marks }
        };
        let (file, save) = match &self.stamp {
            Some(stamp) if self.n_new == 0 && stamp.marks == *marks => (stamp.file.clone(), None),
            _ => match judging.save() {
                Some(save) => (String::new(), Some(save)),
                None => return,
            },
        };
        let (folder, stamp) = (self.folder.clone(), stamp(file));
        self.n_new = 0;
        match thread::Builder::new().name("snapshot".into()).spawn(move || write(&folder, stamp, save)) {
            Ok(writing) => self.writing = Some(writing),
            Err(error) => {
                tracing::warn!(%error, "no thread to write the local snapshot on");
                self.stamp = None;
            }
        }
    }

    /// What became of the copy that was being written.
    fn take_in(&mut self) {
        let Some(writing) = self.writing.take_if(|writing| writing.is_finished()) else { return };
        let folder = self.folder.display();
        match writing.join() {
            Ok(Ok(stamp)) => {
                tracing::debug!(%folder, file = stamp.file, "local snapshot written");
                self.stamp = Some(stamp);
            }
            // What stands there now is of an earlier state: the next copy is written anew, whatever has come by then.
            Ok(Err(error)) => {
                tracing::warn!(%folder, %error, "writing the local snapshot");
                self.stamp = None;
            }
            Err(_) => {
                tracing::error!("writing the local snapshot panicked");
                self.stamp = None;
            }
        }
    }
}

/// The file first, if there is a new one, then the stamp that names it; then the files that no stamp names any more go.
fn write(folder: &Path, mut stamp: Stamp, save: Option<Save>) -> io::Result<Stamp> {
    if let Some(save) = save {
        let bytes = save();
        stamp.file = format!("catalog-{:08x}.bin", crc32fast::hash(&bytes));
        whole_file::write(&folder.join(&stamp.file), &bytes)?;
    }
    whole_file::write(&folder.join(STAMP), &serde_json::to_vec_pretty(&stamp)?)?;
    remove(folder, |name| name.starts_with("catalog-") && name.ends_with(".bin") && name != stamp.file)?;
    Ok(stamp)
}

fn remove(folder: &Path, unwanted: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&unwanted) {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether the topic still has these very records, each at its place.
pub(crate) fn are_there(
    config: &ClientConfig,
    topic: &str,
    marks: &BTreeMap<i32, Mark>,
) -> Result<(), String> {
    let say = |error: KafkaError| error.to_string();
    let consumer: BaseConsumer<LogContext> =
        BaseConsumer::from_config_and_context(config, LogContext).map_err(say)?;
    let mut places = TopicPartitionList::with_capacity(marks.len());
    for (partition, mark) in marks {
        places.add_partition_offset(topic, *partition, Offset::Offset(mark.offset)).map_err(say)?;
    }
    consumer.assign(&places).map_err(say)?;
    let mut waiting: BTreeSet<i32> = marks.keys().copied().collect();
    let deadline = Instant::now() + REQUEST_TIMEOUT;
    while !waiting.is_empty() {
        match consumer.poll(POLL) {
            Some(Ok(message)) if marks.get(&message.partition()) == Some(&Mark::of_message(&message)) => {
                waiting.remove(&message.partition());
            }
            Some(Ok(message)) if waiting.contains(&message.partition()) => {
                return Err(format!("partition {} has another record there", message.partition()));
            }
            Some(Err(KafkaError::PartitionEOF(partition))) if waiting.contains(&partition) => {
                return Err(format!("partition {partition} ends before it"));
            }
            Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                return Err(error.to_string());
            }
            _ if Instant::now() >= deadline => return Err("the topic does not answer".into()),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn snapshot_in(folder: &Path) -> LocalSnapshot {
        LocalSnapshot::open(folder, "cluster-1".into(), "catalog", DAY).unwrap()
    }

    fn marks() -> BTreeMap<i32, Mark> {
        marks_at(7)
    }

    fn marks_at(offset: i64) -> BTreeMap<i32, Mark> {
        BTreeMap::from([(0, Mark { offset, timestamp_ms: Some(5), checksum: 9 })])
    }

    /// Judging whose state is these bytes.
    struct Saved(&'static [u8]);

    impl Judging for Saved {
        fn insert(&mut self, _: touchstone_types::CatalogRecord) {}
        fn remove(&mut self, _: &touchstone_types::CatalogKey) {}
        fn bench(&mut self) -> crate::Bench {
            unreachable!("nothing is judged")
        }
        fn save(&self) -> Option<Save> {
            let bytes = self.0.to_vec();
            Some(Box::new(move || bytes))
        }
    }

    /// Keeps up, and waits for what is written.
    fn keep_up(snapshot: &mut LocalSnapshot, state: &'static [u8]) -> Option<Stamp> {
        snapshot.keep_up(&Saved(state), &marks());
        if let Some(writing) = snapshot.writing.take() {
            snapshot.stamp = Some(writing.join().unwrap().unwrap());
        }
        snapshot.stamp.clone()
    }

    #[test]
    fn a_copy_is_found_again_with_its_marks_and_only_the_last_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["catalog-00000000.bin", ".unfinished-1"] {
            fs::write(folder.path().join(name), b"an earlier one").unwrap();
        }
        keep_up(&mut snapshot_in(folder.path()), b"compiled").unwrap();
        let is_it = |bytes: &Bytes| if bytes == "compiled" { Ok(()) } else { Err("another".into()) };
        assert_eq!(snapshot_in(folder.path()).load(|_| Ok(()), is_it), Ok(marks()));
        // The copy, its stamp and the lock.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn one_folder_is_one_workers() {
        let folder = tempfile::tempdir().unwrap();
        let first = snapshot_in(folder.path());
        assert!(LocalSnapshot::open(folder.path(), "cluster-1".into(), "catalog", DAY).is_err());
        drop(first);
        snapshot_in(folder.path());
    }

    #[test]
    fn after_a_write_that_failed_no_old_copy_is_said_to_be_right() {
        let folder = tempfile::tempdir().unwrap();
        let mut snapshot = snapshot_in(folder.path());
        keep_up(&mut snapshot, b"first").unwrap();
        // The disk is full: more records, and the write fails.
        snapshot.came(MANY);
        snapshot.writing = Some(thread::spawn(|| Err(io::Error::other("no space"))));
        snapshot.n_new = 0;
        while !snapshot.writing.as_ref().unwrap().is_finished() {
            thread::yield_now();
        }
        snapshot.take_in();
        snapshot.said = None;
        snapshot.keep_up(&Saved(b"second"), &marks_at(9_000));
        let stamp = snapshot.writing.take().unwrap().join().unwrap().unwrap();
        assert_eq!(stamp.marks, marks_at(9_000));
        assert_eq!(fs::read(folder.path().join(&stamp.file)).unwrap(), b"second");
    }

    #[test]
    fn a_copy_is_written_for_many_records_and_else_now_and_then() {
        let folder = tempfile::tempdir().unwrap();
        let mut snapshot = snapshot_in(folder.path());
        let first = keep_up(&mut snapshot, b"first").unwrap();
        snapshot.came(MANY - 1);
        assert_eq!(keep_up(&mut snapshot, b"second"), Some(first.clone()));
        snapshot.came(1);
        let second = keep_up(&mut snapshot, b"second").unwrap();
        assert_ne!(second.file, first.file);
        // Nothing new for long: the same file, said to be right until now.
        snapshot.said = None;
        let third = keep_up(&mut snapshot, b"third").unwrap();
        assert!(third.file == second.file && third.right_ms >= second.right_ms);
        snapshot.came(1);
        snapshot.said = None;
        assert_ne!(keep_up(&mut snapshot, b"fourth").unwrap().file, second.file);
    }

    #[test]
    fn what_may_no_longer_be_a_copy_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let mut snapshot = snapshot_in(folder.path());
        assert!(snapshot.load(|_| Ok(()), |_| Ok(())).is_err());
        let stamp = keep_up(&mut snapshot, b"compiled").unwrap();
        assert_eq!(snapshot.check(&stamp, stamp.right_ms + 60_000), Ok(()));
        let half_a_day = 12 * 60 * 60 * 1000;
        assert!(snapshot.check(&stamp, stamp.right_ms + half_a_day + 1).unwrap_err().contains("12 h old"));
        for wrong in [
            Stamp { engine: "0.0.9".into(), ..stamp.clone() },
            Stamp { cluster_id: "cluster-2".into(), ..stamp.clone() },
            Stamp { topic: "other".into(), ..stamp.clone() },
            Stamp { file: "../secret".into(), ..stamp.clone() },
            Stamp { file: "..".into(), ..stamp.clone() },
        ] {
            assert!(snapshot.check(&wrong, stamp.right_ms).is_err(), "{wrong:?}");
        }
        assert_eq!(snapshot.load(|_| Err("moved".into()), |_| Ok(())).unwrap_err(), "moved");
        // What could not be taken up is written anew at once.
        drop(snapshot);
        let mut again = snapshot_in(folder.path());
        assert_eq!(again.load(|_| Ok(()), |_| Err("damaged".into())).unwrap_err(), "damaged");
        assert_ne!(keep_up(&mut again, b"compiled anew").unwrap().file, stamp.file);
        fs::remove_file(folder.path().join(&again.stamp.as_ref().unwrap().file)).unwrap();
        assert!(again.load(|_| Ok(()), |_| Ok(())).unwrap_err().starts_with("catalog-"));
    }
}
