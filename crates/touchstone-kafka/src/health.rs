//! Whether the worker's threads move, and how far it has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use crate::gate::Gate;
use crate::stage::Desk;

/// A thread's sign of life. A thread beats between any two calls that may block; calls have time-outs of their own, so a
/// silence longer than `limit` means a call that ignores its time-out, and only a new process helps.
#[derive(Debug)]
pub(crate) struct Pulse {
    thread: &'static str,
    limit: Duration,
    epoch: Instant,
    last_ms: AtomicU64,
}

impl Pulse {
    pub(crate) fn new(thread: &'static str, limit: Duration) -> Arc<Self> {
        Arc::new(Self { thread, limit, epoch: Instant::now(), last_ms: AtomicU64::new(0) })
    }

    pub(crate) fn beat(&self) {
        let ms = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(ms, Ordering::Relaxed);
    }

    /// For how long the thread has been silent, if for too long.
    pub(crate) fn stuck(&self) -> Option<(&'static str, Duration)> {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        let silence = self.epoch.elapsed().saturating_sub(last);
        (silence > self.limit).then_some((self.thread, silence))
    }
}

/// What `/healthz`, `/readyz` and the gauges of `/metrics` are read from.
pub(crate) struct Health {
    /// The catalog has been read to its end once.
    pub(crate) catalog_read: AtomicBool,
    /// The group has given this worker its share, which may be nothing.
    pub(crate) has_joined: AtomicBool,
    /// Milliseconds after `epoch` when the catalog in use was last known to be complete.
    catalog_current_ms: AtomicU64,
    epoch: Instant,
    pub(crate) pulses: Vec<Arc<Pulse>>,
    /// The present session.
    pub(crate) desk: ArcSwapOption<Desk>,
    pub(crate) gate: Arc<Gate>,
}

impl Health {
    pub(crate) fn new(gate: Arc<Gate>, pulses: Vec<Arc<Pulse>>) -> Arc<Self> {
        Arc::new(Self {
            catalog_read: AtomicBool::new(false),
            has_joined: AtomicBool::new(false),
            catalog_current_ms: AtomicU64::new(0),
            epoch: Instant::now(),
            pulses,
            desk: ArcSwapOption::empty(),
            gate,
        })
    }

    /// The catalog in use is all that the topic holds.
    pub(crate) fn catalog_is_current(&self) {
        let ms = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.catalog_current_ms.store(ms, Ordering::Relaxed);
    }

    pub(crate) fn catalog_age(&self) -> Duration {
        let current = Duration::from_millis(self.catalog_current_ms.load(Ordering::Relaxed));
        self.epoch.elapsed().saturating_sub(current)
    }

    /// The first thread that has been silent for too long.
    pub(crate) fn stuck(&self) -> Option<(&'static str, Duration)> {
        self.pulses.iter().find_map(|pulse| pulse.stuck())
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.catalog_read.load(Ordering::Relaxed) && self.has_joined.load(Ordering::Relaxed)
    }
}
