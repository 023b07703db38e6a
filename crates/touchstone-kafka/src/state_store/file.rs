//! A store in a file: redb, without its promises of durability, which a cache does not need.

use std::ops::Bound;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Database, Durability, ReadableDatabase as _, TableDefinition};

use super::{KeyValue, StoreError};

/// How much of the file is kept in memory.
pub(super) const CACHE_BYTES: usize = 32 << 20;

/// Pages that changed can be used again only after a durable commit, so there is one now and then.
const DURABLE_EVERY: u32 = 64;

const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");

#[derive(Debug)]
pub(super) struct FileStore {
    database: Database,
    folder: PathBuf,
    len: usize,
    n_applied: u32,
}

impl FileStore {
    /// An empty file that has no name, so that nothing is left of it whatever ends the process.
    pub(super) fn create(folder: &Path) -> Result<Self, StoreError> {
        let wrong = |problem: &dyn std::fmt::Display| error(folder, problem);
        let file = tempfile::tempfile_in(folder).map_err(|e| wrong(&e))?;
        let backend = FileBackend::new(file).map_err(|e| wrong(&e))?;
        let mut builder = Database::builder();
        let database =
            builder.set_cache_size(CACHE_BYTES).create_with_backend(backend).map_err(|e| wrong(&e))?;
        let mut store = Self { database, folder: folder.to_owned(), len: 0, n_applied: 0 };
        store.apply([])?;
        Ok(store)
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let read = || -> Result<Option<Vec<u8>>, redb::Error> {
            let table = self.database.begin_read()?.open_table(ENTRIES)?;
            Ok(table.get(key)?.map(|value| value.value().to_vec()))
        };
        read().map_err(|e| error(&self.folder, &e))
    }

    pub(super) fn apply(
        &mut self,
        changes: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        self.n_applied = self.n_applied.wrapping_add(1);
        let durability = match self.n_applied % DURABLE_EVERY {
            0 => Durability::Immediate,
            _ => Durability::None,
        };
        self.write(changes, durability).map_err(|e| error(&self.folder, &e))
    }

    fn write(
        &mut self,
        changes: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
        durability: Durability,
    ) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(durability)?;
        let mut len = self.len;
        {
            let mut table = transaction.open_table(ENTRIES)?;
            for (key, value) in changes {
                let was_there = match &value {
                    Some(value) => table.insert(key.as_slice(), value.as_slice())?.is_some(),
                    None => table.remove(key.as_slice())?.is_some(),
                };
                len = len + usize::from(value.is_some()) - usize::from(was_there);
            }
        }
        transaction.commit()?;
        self.len = len;
        Ok(())
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn after(&self, from: Bound<&[u8]>, n: usize) -> Result<Vec<KeyValue>, StoreError> {
        let read = || -> Result<Vec<KeyValue>, redb::Error> {
            let table = self.database.begin_read()?.open_table(ENTRIES)?;
            let found = table.range::<&[u8]>((from, Bound::Unbounded))?.take(n);
            found
                .map(|entry| entry.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
                .collect::<Result<_, _>>()
                .map_err(Into::into)
        };
        read().map_err(|e| error(&self.folder, &e))
    }
}

fn error(folder: &Path, problem: &dyn std::fmt::Display) -> StoreError {
    StoreError { folder: folder.display().to_string(), problem: problem.to_string() }
}
