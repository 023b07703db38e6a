//! Touchstone on Kafka: the exactly-once worker, its topics, the life of flags, dead letters, the ledger checker, the load generator and the
//! demo's simulated broker. No other crate knows the Kafka client.
//!
//! ```text
//!             ┌── poller thread ──┐      ┌─ judge threads ─┐       ┌──────── committer thread ────────┐
//!  listings ──▶ poll, copy, gate  ├─────▶│ parse           ├──────▶│ ready prefix of each partition    │
//!             │ rebalance, pause  │queue │ judge, write up │ board │ begin · write · offsets · commit  ├──▶ verdicts
//!             └───────────────────┘  ▲   └──────┬──────────┘       └──────────────────────────────────┘    review
//!                                    │ photos   ▼                                                           listings.dlq
//!                                    └── tokio: fetch, one deadline a listing
//!
//!  catalog ──▶ catalog thread: read to the end, then follow ──▶ Judging ──▶ Bench, swapped whole
//!  state ──▶ restorer thread: at assignment ──▶ committer, which settles judgements with it and writes it
//!  listings.recheck, decisions ──▶ sidelines thread ──▶ judges, committer
//! ```
//!
//! How it works:
//! - **Late, short transactions.** Results wait on the *board* until everything before them in their partition is done; then
//!   verdicts, flags, dead letters and offsets of many inputs go into one transaction, which lives for milliseconds.
//! - **Remembered where it is written.** The committer settles each judgement with what is remembered of the listing, and writes
//!   both in one transaction; `state.rs` draws it.
//! - **One mutex** guards ownership and results. Whether every partition of a burst is still ours, and the group's
//!   metadata that goes with the offsets, are read at the same moment, under it.
//! - **Rebuild.** When the outcome of a transaction is not known, everything is set up anew, as a new process would; the
//!   producer's `init_transactions` makes the committed offsets final, and reading begins there.
//! - **Watchdog.** Some calls of the client library can block whatever their time-out. Each thread shows signs of life; a
//!   thread silent for too long ends the worker with exit code 70.
//!
//! Invariants:
//! - An offset is committed only in the transaction that carries its verdict or dead letter, and never past an unfinished
//!   one. Every listing ends exactly once, read with `read_committed`, through kill -9, rebalances and lost brokers.
//! - For one input partition, outputs are written in the order of their inputs.
//! - A listing never stops the worker: bytes that cannot be read and panics in a stage become dead letters. Too many of
//!   them do stop it.
//! - An input offset that is gone is an error: there is no silent reset.
//! - Memory follows configuration: everything in the worker has passed one gate that counts listings and bytes.
//! - It never creates topics by itself, never logs a listing, a key or a seller, and never commits outside a transaction
//!   (but on the simulated broker, which forgets what is committed inside).
//!
//! ```no_run
//! # async fn example(judging: touchstone_kafka::PipelineJudging) -> Result<(), touchstone_kafka::Error> {
//! use touchstone_kafka::{Settings, run};
//! let settings = Settings::load("config/worker.toml".as_ref())?;
//! run(&settings, Box::new(judging), async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await
//! # }
//! ```

mod board;
mod book;
mod catalog_follower;
mod checksum;
mod client;
mod clock;
mod committer;
mod dead_letter;
pub mod dlq;
mod error;
pub mod export;
mod failpoint;
mod gate;
mod group;
pub mod headers;
mod health;
mod http;
mod judge_pool;
mod judging;
pub mod load;
mod local_snapshot;
mod metrics;
mod outcome;
mod photos;
mod poller;
mod producer;
mod queue;
mod reader;
mod reference_photos;
mod send;
mod session;
mod settings;
mod sidelines;
pub mod sim;
mod stage;
mod state;
mod state_store;
mod sweeper;
pub mod topics;
mod tracker;
pub mod verify;
pub mod whole_file;
mod worker;

pub use error::{ClientError, Error};
pub use headers::{HeaderList, RecordKind, Source};
pub use judging::{Bench, JudgeAgainFn, JudgeFn, Judging, PipelineJudging, Save};
pub use photos::photo_inputs;
pub use reader::{Record, read_topic};
pub use send::{Sender, send_listings, submit_catalog};
pub use settings::{
    CatalogSettings, FileSettings, HttpSettings, KafkaSettings, Limits, NullValue, PhotoSettings, Settings,
    SettingsError, StateSettings, TopicNames,
};
pub use state::StateError;
pub use state_store::StoreError;
pub use worker::run;
