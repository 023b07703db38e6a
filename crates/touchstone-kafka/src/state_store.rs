//! The states of one partition's listings on this machine: a copy of what the state topic holds, to be thrown away at any time.
//!
//! It is in memory as long as it is small, and in a file from then on. The file has no name, so it is gone with the process, however
//! that ends; nothing of it is ever synced to the disk.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::{fs, io};

use self::file::FileForm;
use self::memory::MemoryForm;

mod file;
mod memory;
#[cfg(test)]
mod tests;

/// The most that the pages of the file may take of memory.
const MAX_CACHE_BYTES: usize = 64 << 20;
/// With less than this, every look-up would read the file.
const MIN_CACHE_BYTES: usize = 1 << 20;

/// A key and its value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);
/// A key and the value that it is to have; none deletes it.
pub(crate) type Change = (Vec<u8>, Option<Vec<u8>>);

/// Why a state could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No file can be made there.
    #[error(
        "cannot make a file for the states of a partition in {}; name a folder that can be written to in \
         state.spill_path, or raise state.max_partition_bytes", folder.display()
    )]
    Create {
        /// Where the file was to be.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file cannot be used, or not any more. Throw the store away.
    #[error(
        "cannot {doing} the states of a partition in a file in {}; free disk space or raise state.max_partition_bytes",
        folder.display()
    )]
    File {
        /// What was being done.
        doing: &'static str,
        /// Where the file is.
        folder: PathBuf,
        /// What the database says.
        source: Box<redb::Error>,
    },
}

/// Keys and their values, in the order of the keys.
#[derive(Debug)]
pub(crate) struct StateStore {
    folder: PathBuf,
    max_memory_bytes: usize,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Memory(MemoryForm),
    File(FileForm),
}

impl StateStore {
    /// An empty store in memory. It moves to a file in `folder`, which is made if it is not there, once it takes more than
    /// `max_memory_bytes`, and stays there.
    #[must_use]
    pub(crate) fn new(folder: &Path, max_memory_bytes: usize) -> Self {
        Self { folder: folder.to_owned(), max_memory_bytes, form: Form::Memory(MemoryForm::default()) }
    }

    /// The value of a key. From a file it is a copy.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, StoreError> {
        match &self.form {
            Form::Memory(memory) => Ok(memory.get(key).map(Cow::Borrowed)),
            Form::File(file) => {
                let value = file.get(key).map_err(|error| self.file_error("read", error))?;
                Ok(value.map(Cow::Owned))
            }
        }
    }

    /// Makes these changes one after the other: in a file all of them in one transaction.
    ///
    /// # Errors
    /// No file can be made, or it cannot be written. Some of the changes may have been made then and others not, so the store is
    /// to be filled anew.
    pub(crate) fn apply(&mut self, changes: impl IntoIterator<Item = Change>) -> Result<(), StoreError> {
        let mut changes = changes.into_iter();
        if let Form::Memory(memory) = &mut self.form {
            while memory.bytes() <= self.max_memory_bytes {
                let Some((key, value)) = changes.next() else { return Ok(()) };
                memory.put(key, value);
            }
        }
        self.move_to_file()?;
        let Form::File(file) = &mut self.form else { return Ok(()) };
        let applied = file.apply(changes);
        applied.map_err(|error| self.file_error("write", error))
    }

    /// How many keys have a value.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        match &self.form {
            Form::Memory(memory) => memory.len(),
            Form::File(file) => file.len(),
        }
    }

    /// About what the store takes of memory. In a file it is the most that it may take for the file's pages.
    #[must_use]
    pub(crate) fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Memory(memory) => memory.bytes(),
            Form::File(_) => self.cache_bytes(),
        }
    }

    /// Whether it has moved to a file.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn is_in_file(&self) -> bool {
        matches!(self.form, Form::File(_))
    }

    /// Up to `n` keys after `key`, or the first ones, with their values and in order: a walk in steps, between which the store
    /// may change.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn after(&self, key: Option<&[u8]>, n: usize) -> Result<Vec<Entry>, StoreError> {
        match &self.form {
            Form::Memory(memory) => Ok(memory.after(key, n)),
            Form::File(file) => file.after(key, n).map_err(|error| self.file_error("read", error)),
        }
    }

    /// Until it is done everything stays in memory: a store that had lost its states would answer that there are none.
    fn move_to_file(&mut self) -> Result<(), StoreError> {
        let Form::Memory(memory) = &self.form else { return Ok(()) };
        let create = |source| StoreError::Create { folder: self.folder.clone(), source };
        fs::create_dir_all(&self.folder).map_err(create)?;
        let file = tempfile::tempfile_in(&self.folder).map_err(create)?;
        let filled = FileForm::new(file, self.cache_bytes(), memory.iter());
        self.form = Form::File(filled.map_err(|error| self.file_error("write", error))?);
        Ok(())
    }

    /// No more than the states were allowed in memory.
    fn cache_bytes(&self) -> usize {
        self.max_memory_bytes.clamp(MIN_CACHE_BYTES, MAX_CACHE_BYTES)
    }

    fn file_error(&self, doing: &'static str, error: redb::Error) -> StoreError {
        StoreError::File { doing, folder: self.folder.clone(), source: Box::new(error) }
    }
}
