//! Which verdict belongs to which message, and how long it took.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many outputs are kept whose inputs are not known (yet).
const MAX_STRANGERS: usize = 1 << 20;

/// Partition and offset of an input.
pub(super) type Place = (i32, i64);

/// What has become of the messages so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) n_written: u64,
    pub(super) n_judged: u64,
    pub(super) n_dead_letters: u64,
    /// Outputs read, those of other messages too.
    pub(super) n_read: u64,
    /// When the last output of ours was read, in microseconds after the start.
    pub(super) last_us: u64,
}

impl Counts {
    pub(super) const fn n_ended(&self) -> u64 {
        self.n_judged + self.n_dead_letters
    }
}

/// Brings deliveries and outputs together, whichever is told first. Times are microseconds after the start.
#[derive(Debug, Default)]
pub(super) struct Matching(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    /// Messages without an output, and when they were handed over.
    open: HashMap<Place, u64>,
    /// Outputs without a message, when they were read, and whether they are dead letters: of messages whose delivery is yet to
    /// be told, or of somebody else's.
    strangers: HashMap<Place, (u64, bool)>,
    latencies_us: Vec<u32>,
}

impl Matching {
    /// A message was written.
    pub(super) fn written(&self, place: Place, handed_us: u64) {
        let mut state = self.lock();
        state.counts.n_written += 1;
        match state.strangers.remove(&place) {
            Some((read_us, is_dead)) => state.end(handed_us, read_us, is_dead),
            None => _ = state.open.insert(place, handed_us),
        }
    }

    /// A message was written, and nobody waits for its output.
    pub(super) fn written_unwatched(&self) {
        self.lock().counts.n_written += 1;
    }

    /// An output was read.
    pub(super) fn ended(&self, place: Place, read_us: u64, is_dead: bool) {
        let mut state = self.lock();
        state.counts.n_read += 1;
        if let Some(handed_us) = state.open.remove(&place) {
            return state.end(handed_us, read_us, is_dead);
        }
        if state.strangers.len() >= MAX_STRANGERS {
            // A delivery is told within moments of being written, so the older half is somebody else's.
            let mut times: Vec<u64> = state.strangers.values().map(|(at, _)| *at).collect();
            let (_, median, _) = times.select_nth_unstable(MAX_STRANGERS / 2);
            let median = *median;
            state.strangers.retain(|_, (at, _)| *at > median);
        }
        state.strangers.insert(place, (read_us, is_dead));
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// How long the outputs took.
    pub(super) fn latency(&self) -> Option<Latency> {
        Latency::of(std::mem::take(&mut self.lock().latencies_us))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The lock is held only for moves and counts.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&mut self, handed_us: u64, read_us: u64, is_dead: bool) {
        let counts = &mut self.counts;
        *(if is_dead { &mut counts.n_dead_letters } else { &mut counts.n_judged }) += 1;
        counts.last_us = counts.last_us.max(read_us);
        let took = read_us.saturating_sub(handed_us);
        self.latencies_us.push(u32::try_from(took).unwrap_or(u32::MAX));
    }
}

/// How long it took from handing a listing to the producer until its verdict or dead letter was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// Half took no longer.
    pub p50: Duration,
    /// 90 of 100 took no longer.
    pub p90: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// 999 of 1,000 took no longer.
    pub p999: Duration,
    /// None took longer.
    pub max: Duration,
}

impl Latency {
    fn of(mut all_us: Vec<u32>) -> Option<Self> {
        all_us.sort_unstable();
        let last = all_us.len().checked_sub(1)?;
        // The nearest rank: the smallest value that so many per mille of all do not exceed.
        let quantile = |per_mille: usize| {
            let rank = (all_us.len() * per_mille).div_ceil(1_000).max(1);
            Duration::from_micros(all_us[(rank - 1).min(last)].into())
        };
        Some(Self {
            p50: quantile(500),
            p90: quantile(900),
            p99: quantile(990),
            p999: quantile(999),
            max: quantile(1_000),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_find_their_messages_whichever_is_told_first() {
        let matching = Matching::default();
        matching.written((0, 5), 100);
        matching.ended((0, 6), 900, true);
        matching.ended((1, 5), 700, false);
        assert_eq!(matching.counts().n_ended(), 0, "the output of a stranger is not ours");
        matching.ended((0, 5), 400, false);
        matching.written((0, 6), 200);
        let expected = Counts { n_written: 2, n_judged: 1, n_dead_letters: 1, n_read: 3, last_us: 900 };
        assert_eq!(matching.counts(), expected);
        // A second output for the same message is no second end.
        matching.ended((0, 5), 950, false);
        assert_eq!(matching.counts(), Counts { n_read: 4, ..expected });
        let latency = matching.latency().unwrap();
        assert_eq!((latency.p50, latency.max), (Duration::from_micros(300), Duration::from_micros(700)));
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        assert_eq!(Latency::of(Vec::new()), None);
        let of = |n: u32| Latency::of((1..=n).rev().collect()).unwrap();
        let us = |latency: Latency| {
            [latency.p50, latency.p90, latency.p99, latency.p999, latency.max].map(|time| time.as_micros())
        };
        assert_eq!(us(of(1)), [1; 5]);
        assert_eq!(us(of(10)), [5, 9, 10, 10, 10]);
        assert_eq!(us(of(10_000)), [5_000, 9_000, 9_900, 9_990, 10_000]);
    }
}
