//! What is remembered of one partition, at hand: in memory, or in a file once that is too much. The truth is the state topic.

mod file;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use file::FileStore;

/// Why the local copy of the state cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error(
    "keeping the state in a file in {folder}: {problem}; free disk space, name another folder in state.spill_path, or raise state.max_partition_bytes"
)]
pub struct StoreError {
    /// The folder of the file.
    pub folder: String,
    /// What the system or the store said.
    pub problem: String,
}

/// What an entry takes beyond its bytes: two boxes, the share of a tree node, and what the allocator rounds up.
const ENTRY_BYTES: usize = 72;

/// A key and its value.
pub(crate) type KeyValue = (Vec<u8>, Vec<u8>);

/// Keys and values of one partition, in the order of keys.
#[derive(Debug)]
pub(crate) struct StateStore {
    place: Place,
    folder: PathBuf,
    max_memory_bytes: usize,
}

#[derive(Debug)]
enum Place {
    Memory { entries: BTreeMap<Box<[u8]>, Box<[u8]>>, bytes: usize },
    File(FileStore),
}

impl StateStore {
    /// An empty store, in memory until it takes more than `max_memory_bytes`; then it moves to a file in `folder` that nobody else
    /// sees and that goes with the process.
    pub(crate) fn new(folder: &Path, max_memory_bytes: usize) -> Self {
        let place = Place::Memory { entries: BTreeMap::new(), bytes: 0 };
        Self { place, folder: folder.to_owned(), max_memory_bytes }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, StoreError> {
        match &self.place {
            Place::Memory { entries, .. } => Ok(entries.get(key).map(|value| Cow::Borrowed(&**value))),
            Place::File(file) => Ok(file.get(key)?.map(Cow::Owned)),
        }
    }

    /// Puts and deletes (`None`) in order.
    pub(crate) fn apply(
        &mut self,
        changes: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        match &mut self.place {
            Place::File(file) => return file.apply(changes),
            Place::Memory { entries, bytes } => {
                for (key, value) in changes {
                    let size = |key: &[u8], value: &[u8]| key.len() + value.len() + ENTRY_BYTES;
                    let added = value.as_ref().map_or(0, |value| size(&key, value));
                    let old = match value {
                        Some(value) => entries.insert(key.as_slice().into(), value.into()),
                        None => entries.remove(key.as_slice()),
                    };
                    *bytes = *bytes + added - old.map_or(0, |old| size(&key, &old));
                }
            }
        }
        self.move_if_too_large()
    }

    fn move_if_too_large(&mut self) -> Result<(), StoreError> {
        let Place::Memory { entries, bytes } = &mut self.place else { return Ok(()) };
        if *bytes <= self.max_memory_bytes {
            return Ok(());
        }
        let mut file = FileStore::create(&self.folder)?;
        file.apply(std::mem::take(entries).into_iter().map(|(key, value)| (key.into(), Some(value.into()))))?;
        tracing::info!(n = file.len(), folder = %self.folder.display(), "state moved to a file");
        self.place = Place::File(file);
        Ok(())
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        match &self.place {
            Place::Memory { entries, .. } => entries.len(),
            Place::File(file) => file.len(),
        }
    }

    /// About how much memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        match &self.place {
            Place::Memory { bytes, .. } => *bytes,
            Place::File(_) => file::CACHE_BYTES,
        }
    }

    /// Up to `n` entries behind `key`, or the first ones, in the order of keys.
    pub(crate) fn after(&self, key: Option<&[u8]>, n: usize) -> Result<Vec<KeyValue>, StoreError> {
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        match &self.place {
            Place::Memory { entries, .. } => {
                let found = entries.range::<[u8], _>((from, Bound::Unbounded)).take(n);
                Ok(found.map(|(key, value)| (key.to_vec(), value.to_vec())).collect())
            }
            Place::File(file) => file.after(from, n),
        }
    }
}
