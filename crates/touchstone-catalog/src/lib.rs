//! Reading catalog feeds, checking them, and the snapshot that every stage reads.
//!
//! ```text
//! feed files ──▶ Feed ──▶ Catalog ──▶ Snapshot ──▶ text and image stages, pipeline
//!                problems    ▲        brands, products, text index, photo index, digest
//! catalog topic ─────────────┘ insert, remove
//! ```
//!
//! A [`Snapshot`] never changes: a change of the catalog makes a new one, and readers go on with the one they hold. What it
//! answers, and its digest, depend only on the set of live records, not on the order in which they came. The crate does no I/O:
//! bytes of files and messages come from the caller, and so do the features of photos.
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

mod feed;
mod live;
mod snapshot;

pub use feed::{Feed, Problem, Severity};
pub use live::Catalog;
pub use snapshot::{MAX_PHOTO_MATCHES, Snapshot};
