//! The state of the partitions that this worker owns, kept by the committer alone.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use touchstone_pipeline::foundations;
use touchstone_types::{CatalogKey, Flag, KeptPhoto};

use super::StateError;
use super::entry::Entry;
use super::settle::Token;
use crate::state_store::{self, StateStore};

/// The key under which the state topic keeps how far rulings have been taken in. No listing has it: it is not UTF-8.
pub(crate) const CURSORS_KEY: &[u8] = b"\xFFcursors";

/// How far a partition has taken in what comes from beside the listings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursors {
    /// The next offset of each partition of the decisions.
    pub(crate) decisions: BTreeMap<i32, i64>,
}

impl Cursors {
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a map of numbers is always written")
    }
}

/// What is remembered of the listings of one partition.
#[derive(Debug)]
pub(crate) struct PartitionState {
    store: StateStore,
    cursors: Cursors,
    /// The listings with an open flag.
    open: BTreeMap<Arc<str>, Open>,
    /// Which open flags stand on which catalog record.
    by_record: BTreeSet<(u64, Arc<str>)>,
}

/// An open flag, as far as it matters to sweeps.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    /// The catalog that it was last judged with, by its digest.
    pub(crate) catalog: u64,
    /// The catalog records that its evidence names, hashed.
    pub(crate) records: Box<[u64]>,
}

impl Open {
    pub(crate) fn of(flag: &Flag) -> Self {
        let verdict = flag.verdict();
        let records = foundations(verdict).iter().map(hash_of_record).collect();
        Self { catalog: hash_of(verdict.versions.catalog.as_str()), records }
    }
}

/// Where partitions keep what does not fit into memory.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) folder: PathBuf,
    /// For one partition.
    pub(crate) max_memory_bytes: usize,
}

/// One change of a partition's state.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) key: Vec<u8>,
    /// `None` forgets the listing.
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) open: Option<Open>,
}

impl PartitionState {
    pub(crate) fn new(room: &Room) -> Self {
        Self {
            store: StateStore::new(&room.folder, room.max_memory_bytes),
            cursors: Cursors::default(),
            open: BTreeMap::new(),
            by_record: BTreeSet::new(),
        }
    }

    /// Takes in records of the state topic, in their order.
    pub(crate) fn load(
        &mut self,
        records: impl IntoIterator<Item = state_store::Change>,
    ) -> Result<(), StateError> {
        let mut changes = Vec::new();
        for (key, value) in records {
            if key == CURSORS_KEY {
                let read = value.as_deref().map(serde_json::from_slice).transpose();
                self.cursors = read.map_err(StateError::Entry)?.unwrap_or_default();
                continue;
            }
            let entry = value.as_deref().map(Entry::from_json).transpose()?;
            let flag = entry.as_ref().map_or(Ok(None), Entry::flag)?;
            changes.push(Change { key, value, open: flag.as_ref().map(Open::of) });
        }
        self.apply(changes)
    }

    pub(crate) fn cursors(&self) -> &Cursors {
        &self.cursors
    }

    pub(crate) fn set_cursors(&mut self, cursors: Cursors) {
        self.cursors = cursors;
    }

    pub(crate) fn entry(&self, key: &[u8]) -> Result<Option<Entry>, StateError> {
        self.store.get(key)?.map(|bytes| Entry::from_json(&bytes)).transpose()
    }

    pub(crate) fn apply(&mut self, changes: Vec<Change>) -> Result<(), StateError> {
        let mut stored = Vec::with_capacity(changes.len());
        for Change { key, value, open } in changes {
            if let Ok(id) = std::str::from_utf8(&key) {
                self.close(id);
                if let Some(open) = open {
                    self.open(id, open);
                }
            }
            stored.push((key, value));
        }
        Ok(self.store.apply(stored)?)
    }

    fn open(&mut self, id: &str, open: Open) {
        let id: Arc<str> = id.into();
        self.by_record.extend(open.records.iter().map(|record| (*record, Arc::clone(&id))));
        self.open.insert(id, open);
    }

    fn close(&mut self, id: &str) {
        if let Some((id, open)) = self.open.remove_entry(id) {
            for record in &open.records {
                self.by_record.remove(&(*record, Arc::clone(&id)));
            }
        }
    }

    /// The flag was judged again with this catalog, and stands as it is.
    pub(crate) fn confirm(&mut self, id: &str, catalog: u64) {
        if let Some(open) = self.open.get_mut(id) {
            open.catalog = catalog;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.store.len()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.memory_bytes()
    }

    pub(crate) fn open_flags(&self) -> &BTreeMap<Arc<str>, Open> {
        &self.open
    }

    /// The listings whose open flag stands on this record.
    pub(crate) fn standing_on(&self, record: u64) -> impl Iterator<Item = &Arc<str>> {
        let none: Arc<str> = Arc::from("");
        self.by_record.range((record, none)..).take_while(move |(key, _)| *key == record).map(|(_, id)| id)
    }

    /// What a flag is judged again from; `None` if it is not open any more.
    pub(crate) fn case(&self, id: &str) -> Result<Option<(Flag, Vec<KeptPhoto>, Token)>, StateError> {
        let Some(entry) = self.entry(id.as_bytes())? else { return Ok(None) };
        let Some(flag) = entry.flag()? else { return Ok(None) };
        let token = Token { revision: entry.revision, attempt: 0 };
        Ok(Some((flag, entry.photos()?, token)))
    }

    /// Up to `n` listings after `key`.
    pub(crate) fn after(&self, key: Option<&[u8]>, n: usize) -> Result<Vec<(Vec<u8>, Entry)>, StateError> {
        let found = self.store.after(key, n)?;
        found.into_iter().map(|(key, value)| Ok((key, Entry::from_json(&value)?))).collect()
    }
}

/// The state of one partition, in one ownership of it.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) epoch: u64,
    pub(crate) restored: Instant,
    pub(crate) state: PartitionState,
}

/// The state of every partition that this worker owns and has restored.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    partitions: BTreeMap<i32, Held>,
}

impl Shelf {
    /// Takes up what was restored, and lets go of what is no longer owned.
    pub(crate) fn sync(
        &mut self,
        restored: Vec<(i32, u64, PartitionState)>,
        is_owned: impl Fn(i32, u64) -> bool,
    ) {
        for (partition, epoch, state) in restored {
            self.partitions.insert(partition, Held { epoch, restored: Instant::now(), state });
        }
        self.partitions.retain(|partition, held| is_owned(*partition, held.epoch));
    }

    pub(crate) fn held(&self, partition: i32) -> Option<&Held> {
        self.partitions.get(&partition)
    }

    pub(crate) fn get(&self, partition: i32, epoch: u64) -> Option<&PartitionState> {
        self.partitions.get(&partition).filter(|held| held.epoch == epoch).map(|held| &held.state)
    }

    pub(crate) fn get_mut(&mut self, partition: i32, epoch: u64) -> Option<&mut PartitionState> {
        self.partitions.get_mut(&partition).filter(|held| held.epoch == epoch).map(|held| &mut held.state)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (i32, &Held)> {
        self.partitions.iter().map(|(partition, held)| (*partition, held))
    }
}

pub(crate) fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

pub(crate) fn hash_of_record(key: &CatalogKey) -> u64 {
    hash_of(&key.to_string())
}
