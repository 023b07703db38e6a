//! The load generator: listings at an even pace, with the faults that real streams have, and how long their verdicts take.
//!
//! ```text
//! templates ──▶ Mix: which id, which version, which fault ──▶ Pace ──▶ producer ──▶ listings
//!                     │ urls                                             │ partition, offset
//!                     ▼                                                  ▼
//!                PhotoHost ◀── workers ──▶ verdicts, listings.dlq ──▶ watcher: how long each took
//! ```
//!
//! [`Mix`] and [`Pace`] are pure: the same templates, settings and seed give the same messages, and no clock is read.
//! [`run`] does the rest.

mod cpu;
mod host;
mod matching;
mod mix;
mod pace;
mod pictures;
mod poison;
mod run;
mod sender;
mod template;
mod watcher;

pub use host::{HostCounts, HostSettings, PhotoHost};
pub use matching::Latency;
pub use mix::{Kind, Message, Mix, MixError, MixSettings};
pub use pace::{Pace, Step};
pub use pictures::{PhotoFate, PhotoMix, pictures};
pub use poison::Poison;
pub use run::{LoadOptions, LoadReport, Progress, run};
pub use template::Template;
