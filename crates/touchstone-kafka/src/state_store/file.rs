//! States in a file that no other process can see.

use std::fs::File;
use std::io;
use std::ops::Bound;

use redb::backends::FileBackend;
use redb::{
    Database, Durability, Error, ReadOnlyTable, ReadableDatabase as _, StorageBackend, Table, TableDefinition,
};

use super::{Change, Entry};

const STATES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("states");

/// The database remembers each commit that is not durable until one is, so that one in so many has to be. Here that means only
/// that its pages are handed to the system.
pub(super) const COMMITS_TO_DURABLE: u32 = 256;

#[derive(Debug)]
pub(super) struct FileForm {
    database: Database,
    n_entries: usize,
    n_commits: u32,
}

impl FileForm {
    /// A database in an empty file, with these entries.
    pub(super) fn new<'a>(
        file: File,
        cache_bytes: usize,
        entries: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, Error> {
        let backend = Unsynced(FileBackend::new(file)?);
        let database = Database::builder().set_cache_size(cache_bytes).create_with_backend(backend)?;
        let mut form = Self { database, n_entries: 0, n_commits: 0 };
        form.write(|table| {
            let mut n_entries = 0;
            for (key, value) in entries {
                n_entries += usize::from(table.insert(key, value)?.is_none());
            }
            Ok(n_entries)
        })?;
        Ok(form)
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.table()?.get(key)?.map(|value| value.value().to_vec()))
    }

    /// Makes all of the changes, or none if it fails.
    pub(super) fn apply(&mut self, changes: impl Iterator<Item = Change>) -> Result<(), Error> {
        let mut changes = changes.peekable();
        if changes.peek().is_none() {
            return Ok(());
        }
        let before = self.n_entries;
        self.write(|table| {
            let mut n_entries = before;
            for (key, value) in changes {
                match value {
                    Some(value) => {
                        n_entries += usize::from(table.insert(key.as_slice(), value.as_slice())?.is_none());
                    }
                    None => n_entries -= usize::from(table.remove(key.as_slice())?.is_some()),
                }
            }
            Ok(n_entries)
        })
    }

    pub(super) const fn len(&self) -> usize {
        self.n_entries
    }

    pub(super) fn after(&self, key: Option<&[u8]>, n: usize) -> Result<Vec<Entry>, Error> {
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        let table = self.table()?;
        let entries = table.range::<&[u8]>((from, Bound::Unbounded))?.take(n);
        entries
            .map(|entry| {
                let (key, value) = entry?;
                Ok((key.value().to_vec(), value.value().to_vec()))
            })
            .collect()
    }

    fn table(&self) -> Result<ReadOnlyTable<&'static [u8], &'static [u8]>, Error> {
        Ok(self.database.begin_read()?.open_table(STATES)?)
    }

    /// One transaction; `change` returns how many entries there are after it.
    fn write(
        &mut self,
        change: impl FnOnce(&mut Table<'_, &'static [u8], &'static [u8]>) -> Result<usize, Error>,
    ) -> Result<(), Error> {
        let mut transaction = self.database.begin_write()?;
        self.n_commits = self.n_commits.wrapping_add(1);
        if !self.n_commits.is_multiple_of(COMMITS_TO_DURABLE) {
            transaction.set_durability(Durability::None)?;
        }
        let n_entries = change(&mut transaction.open_table(STATES)?)?;
        transaction.commit()?;
        self.n_entries = n_entries;
        Ok(())
    }
}

/// A file whose bytes nobody needs after a crash, so that no commit waits for the disk.
#[derive(Debug)]
struct Unsynced(FileBackend);

impl StorageBackend for Unsynced {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}
