//! Why a data set could not be read, written or made.

use std::path::PathBuf;

use touchstone_types::ParseError;

/// What went wrong with a data set.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A file could not be opened, read or written.
    #[error("{}: {action} failed", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done: `reading`, `writing`.
        action: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A line of a JSON Lines file is not what the file should hold.
    #[error("{}, line {line}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: ParseError,
    },
    /// A row of a CSV file (`labels.csv`, `queries.csv`, `train.csv`) is malformed, stands twice, or names a file that cannot be used.
    #[error("{}, line {line}: {problem}", path.display())]
    Label {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A version of a listing that would be counted twice.
    #[error("{}: version {version} of listing {listing_id} stands twice: take one out", path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// The listing.
        listing_id: String,
        /// Its version.
        version: u64,
    },
    /// A line of a form's own file is no row of that form.
    #[error("{}:{line}: {problem} (column {column}): mend the line or take it out", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Where in the line, in bytes from 1.
        column: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A file without rows: there is nothing to judge.
    #[error("{}: the file has no rows, so there is nothing to judge: put one JSON object on each line", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A form's file is not there.
    #[error("{}: there is no such file; expected is {expected}", path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// A picture that belongs to no row cannot be decoded.
    #[error("{}: cannot be decoded: {problem}: replace it or take it out", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A CSV file with a header alone.
    #[error("{}: the file has no rows, so there is nothing to judge: add some below its header", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// A folder of references without a file.
    #[error("{}: the folder has no files, so nothing can be found: put the reference photos there", path.display())]
    NoReferences {
        /// The folder.
        path: PathBuf,
    },
    /// There is too little in a folder to learn from.
    #[error("{}: nothing can be learned from it", path.display())]
    Untrainable {
        /// The folder.
        path: PathBuf,
        /// What is lacking.
        source: touchstone_classifier::ClassifierError,
    },
    /// The catalog has no product with a live brand, so there is nothing to sell.
    #[error("the catalog has no product whose brand has a record, so a market has nothing to sell")]
    NoProducts,
    /// A setting of the market is outside its range.
    #[error("{name} is {value}, but must be {allowed}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value given.
        value: String,
        /// The values allowed.
        allowed: &'static str,
    },
}

impl EvalError {
    /// A file of a form that could not be opened: one that is not there is named with what is expected of it.
    pub(crate) fn open(path: &std::path::Path, expected: &'static str, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::NoFile { path: path.to_owned(), expected },
            _ => Self::io(path, "reading", source),
        }
    }

    /// What is wrong with a CSV file, with its line.
    pub(crate) fn csv(path: &std::path::Path, error: csv::Error) -> Self {
        let line = error.position().map_or(0, csv::Position::line);
        let problem = error.to_string();
        match error.into_kind() {
            csv::ErrorKind::Io(source) => Self::io(path, "reading", source),
            _ => Self::Label { path: path.to_owned(), line, problem },
        }
    }

    pub(crate) fn io(path: &std::path::Path, action: &'static str, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), action, source }
    }
}
