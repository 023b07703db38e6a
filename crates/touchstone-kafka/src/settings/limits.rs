//! `[limits]`: bounds on memory, time and trouble.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;

use super::SettingsError;

/// `[limits]`: bounds on memory, time and trouble.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The longest listing that is judged, in bytes of its message; longer ones become dead letters. Default 1 MiB.
    pub max_listing_bytes: usize,
    /// What a message without a value means.
    pub null_value: NullValue,
    /// The worker stops when more than this many of the last 10,000 inputs (of all, if fewer) are dead letters; default
    /// 500.
    pub dead_letter_limit: usize,
    /// How long the state of a listing without flag or ruling is kept, in days; default 90.
    pub state_days: u32,
    /// How many open flags a second are judged again after a change of the catalog; default 300.
    pub sweep_per_second: u32,
    /// How many listings are in the worker at the same time; default 4096.
    pub max_in_flight: usize,
    /// How many bytes of messages are in the worker at the same time; default 64 MiB.
    pub max_in_flight_bytes: usize,
    /// How long finished verdicts wait for others before they are committed together, in milliseconds; default 50.
    pub commit_interval_ms: u64,
    /// How many threads judge listings; default 0, one for each core.
    pub threads: usize,
    /// How long a worker that was told to stop goes on finishing what it has, in milliseconds; default 15000.
    pub shutdown_ms: u64,
}

/// What a message without a value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullValue {
    /// A mistake: it becomes a dead letter.
    DeadLetter,
    /// The listing was removed: a version after the last one.
    Removed,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_listing_bytes: 1 << 20,
            null_value: NullValue::DeadLetter,
            dead_letter_limit: 500,
            state_days: 90,
            sweep_per_second: 300,
            max_in_flight: 4096,
            max_in_flight_bytes: 64 << 20,
            commit_interval_ms: 50,
            threads: 0,
            shutdown_ms: 15_000,
        }
    }
}

impl Limits {
    /// How long finished verdicts wait for others.
    pub const fn commit_interval(&self) -> Duration {
        Duration::from_millis(self.commit_interval_ms)
    }

    /// How long a worker that was told to stop goes on.
    pub const fn shutdown(&self) -> Duration {
        Duration::from_millis(self.shutdown_ms)
    }

    /// How many threads judge listings: the setting, or one for each core.
    pub fn n_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            n => n,
        }
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        range("max_listing_bytes", self.max_listing_bytes, 1_024, 64 << 20)?;
        range("dead_letter_limit", self.dead_letter_limit, 0, 10_000)?;
        range("state_days", self.state_days as usize, 1, 36_500)?;
        range("sweep_per_second", self.sweep_per_second as usize, 1, 100_000)?;
        range("max_in_flight", self.max_in_flight, 1, 1_000_000)?;
        range("max_in_flight_bytes", self.max_in_flight_bytes, 1 << 20, 64 << 30)?;
        range("commit_interval_ms", self.commit_interval_ms as usize, 0, 5_000)?;
        range("threads", self.threads, 0, 1_024)?;
        range("shutdown_ms", self.shutdown_ms as usize, 0, 600_000)
    }
}

fn range(key: &str, value: usize, min: usize, max: usize) -> Result<(), SettingsError> {
    if !(min..=max).contains(&value) {
        return Err(SettingsError::value(format!("limits.{key}"), value, format!("must be {min} to {max}")));
    }
    Ok(())
}
