//! The life of a flag: what is remembered of each listing, and what follows for its flag from whatever happens.
//!
//! ```text
//!            ┌── restorer ──┐        ┌──────────────── committer thread ────────────────┐
//!  state ────▶ read to end  ├───────▶│ Shelf: the state of each partition               │──▶ state
//!            └──────────────┘        │ settle(what was, what happened) ─▶ what to write │──▶ verdicts, review
//!  recheck, decisions ─▶ sidelines ─▶│ sweep: open flags of an older catalog            │──▶ recheck
//!            └──────────────┘        └──────────────────────────────────────────────────┘
//! ```
//!
//! Judging is pure and runs ahead on many threads. Only the committer settles, in the order of each partition's inputs, and what
//! it remembers is written in the transaction that carries the verdicts: after a crash both are there, or neither.

mod edits;
mod entry;
mod restore;
mod settle;
mod shelf;

pub(crate) use entry::{Entry, Waiting};
pub(crate) use restore::{Request, Restorer};
pub(crate) use settle::{Case, Cause, Rules, Settled, Spoken, Token, settle, settle_ruling};
pub(crate) use shelf::{
    CURSORS_KEY, Change, Cursors, Open, PartitionState, Room, Shelf, hash_of, hash_of_record,
};

use crate::state_store::StoreError;

/// Why the state of a partition cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A value of the state topic is not what this program writes.
    #[error("an entry cannot be read ({0}); it may be of a later release of this program")]
    Entry(serde_json::Error),
    /// A flag in it is not.
    #[error("a flag cannot be read ({0}); it may be of a later release of this program")]
    Flag(touchstone_types::ParseError),
    /// The local copy cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}
