//! Reading catalog feeds, checking them, and the snapshot that every stage reads.
//!
//! ```text
//! feed files ──▶ Feed ──▶ Catalog ──▶ Snapshot ──▶ text and image stages, pipeline
//!                problems    ▲        records, text index, photo index, digest
//! catalog topic ─────────────┘ insert, remove    │  ▲  with_changes, merged
//!                                       to_bytes ▼  │ from_bytes
//!                                         compiled catalog (one file, mapped)
//! ```
//!
//! A [`Snapshot`] never changes: a change of the catalog makes a new one that shares what did not change, and readers go on with
//! the one they hold. What it answers, and its digest, depend only on the set of live records, not on how that set came about:
//! a snapshot grown change by change equals one built fresh. The crate does no I/O: bytes of files and messages come from the
//! caller, and so do the features of photos.
//!
//! ```
//! use std::sync::Arc;
//! use touchstone_catalog::Feed;
//! use touchstone_text::Lexicon;
//!
//! let mut feed = Feed::default();
//! feed.read("feed.jsonl", br#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#);
//! feed.finish();
//! assert!(feed.problems.is_empty());
//! let snapshot = feed.catalog.snapshot(&Arc::new(Lexicon::builtin()));
//! assert_eq!(snapshot.brands().count(), 1);
//! ```

mod bytes;
mod changes;
mod digest;
mod feed;
mod file;
mod kept_matches;
mod live;
mod photo_changes;
mod photo_doubts;
mod photos;
mod records;
mod snapshot;

pub use changes::{ChangeSet, Changes};
pub use feed::{Feed, Problem, Severity};
pub use file::CatalogFileError;
pub use live::Catalog;
pub use photos::MAX_PHOTO_MATCHES;
pub use snapshot::{LiveProduct, Snapshot};
