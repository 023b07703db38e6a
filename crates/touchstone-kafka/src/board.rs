//! What the poller, the judges and the committer share: the partitions this worker owns, and what is in hand of each.
//!
//! One mutex guards ownership and results together. The committer looks, under it, whether every partition of a burst is
//! still owned and takes the group's metadata at the same moment; a revocation takes the same mutex. Kafka itself checks
//! only that the member and the generation are current, not that the partition is still the member's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::outcome::Outcome;
use crate::state::{Cursors, PartitionState};
use crate::tracker::Tracker;

/// Where the result of one input belongs. It becomes void when the partition is taken away.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    epoch: u64,
    void: Arc<AtomicBool>,
}

impl Slot {
    /// Whether the partition has been taken away, so that working on is pointless.
    pub(crate) fn is_void(&self) -> bool {
        self.void.load(Ordering::Acquire)
    }
}

/// One finished piece of work of a burst.
#[derive(Debug, Clone)]
pub(crate) struct BurstItem {
    pub(crate) partition: i32,
    pub(crate) place: Place,
    pub(crate) epoch: u64,
    pub(crate) outcome: Arc<Outcome>,
}

/// Where a finished piece of work comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// This offset of the listings.
    Input(i64),
    /// Beside the listings: a re-check, a sweep, a ruling. The number tells those of one ownership apart.
    Side(u64),
}

/// Finished work that is committed in one transaction: of each partition a piece of its ready prefix in order, and what came in
/// beside the listings.
pub(crate) type Burst = Vec<BurstItem>;

/// A partition whose state is there, as those see it who read beside the listings.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) partition: i32,
    pub(crate) epoch: u64,
    /// From where the re-check topic is read, where the group knows.
    pub(crate) recheck_from: Option<i64>,
    /// The rulings that the state knows already.
    pub(crate) cursors: Cursors,
}

/// When the committer should begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trigger {
    /// This many results are enough.
    pub(crate) n_ready: usize,
    /// Fewer are committed at this moment.
    pub(crate) at: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Board {
    state: Mutex<State>,
    changed: Condvar,
    /// Set when partitions came, went or got their state: the poller pauses or resumes what is new.
    pub(crate) assignment_changed: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    owned: BTreeMap<i32, Partition>,
    last_epoch: u64,
    /// The poller waits for the ready prefixes to be committed: begin at once.
    flush: bool,
    /// A burst is in the hands of the committer.
    in_burst: bool,
    /// The session is over: nothing will be committed any more.
    ended: bool,
    /// How many results are ready, over all partitions.
    n_ready: usize,
}

#[derive(Debug)]
struct Partition {
    epoch: u64,
    void: Arc<AtomicBool>,
    tracker: Tracker<Arc<Outcome>>,
    /// The end of the partition as the client last heard of it.
    end: Option<i64>,
    state: Restoring,
    /// Finished work from beside the listings.
    side: VecDeque<(u64, Arc<Outcome>)>,
    last_side: u64,
    /// Which offsets of the re-check topic are done with.
    recheck: Tracker<()>,
    recheck_from: Option<i64>,
}

/// The state of a partition must be there before anything of it is committed.
#[derive(Debug)]
enum Restoring {
    UnderWay,
    /// Read, and not yet taken up by the committer.
    Read(Box<PartitionState>),
    Done(Cursors),
}

impl Partition {
    /// How much of it can be committed.
    fn n_ready(&self) -> usize {
        if self.is_restored() { self.tracker.n_ready() + self.side.len() } else { 0 }
    }

    const fn is_restored(&self) -> bool {
        matches!(self.state, Restoring::Done(_))
    }
}

impl Board {
    /// This worker now owns `partition` and reads it from `next` on, and its part of the re-check topic from `recheck` on, where
    /// that is known. Returns the number of this ownership.
    pub(crate) fn assign(&self, partition: i32, next: Option<i64>, recheck: Option<i64>) -> u64 {
        let mut state = self.lock();
        state.drop_partition(partition);
        state.last_epoch += 1;
        let epoch = state.last_epoch;
        let new = Partition {
            epoch,
            void: Arc::default(),
            tracker: Tracker::new(next),
            end: None,
            state: Restoring::UnderWay,
            side: VecDeque::new(),
            last_side: 0,
            recheck: Tracker::new(recheck),
            recheck_from: recheck,
        };
        state.owned.insert(partition, new);
        self.assignment_changed.store(true, Ordering::Relaxed);
        epoch
    }

    /// The state of a partition has been read to its end.
    pub(crate) fn restored(&self, partition: i32, epoch: u64, restored: PartitionState) {
        let mut state = self.lock();
        let awaits = |p: &&mut Partition| p.epoch == epoch && matches!(p.state, Restoring::UnderWay);
        if let Some(owned) = state.owned.get_mut(&partition).filter(awaits) {
            owned.state = Restoring::Read(Box::new(restored));
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The states that were read since the last call; from now on their partitions are committed.
    pub(crate) fn take_restored(&self) -> Vec<(i32, u64, PartitionState)> {
        let mut state = self.lock();
        let mut taken = Vec::new();
        let mut n_ready = 0;
        for (partition, owned) in &mut state.owned {
            let Restoring::Read(read) = &owned.state else { continue };
            let done = Restoring::Done(read.cursors().clone());
            if let Restoring::Read(read) = std::mem::replace(&mut owned.state, done) {
                taken.push((*partition, owned.epoch, *read));
                n_ready += owned.n_ready();
            }
        }
        state.n_ready += n_ready;
        if !taken.is_empty() {
            self.assignment_changed.store(true, Ordering::Relaxed);
        }
        taken
    }

    /// Whether this ownership still holds.
    pub(crate) fn is_owned(&self, partition: i32, epoch: u64) -> bool {
        self.lock().owned.get(&partition).is_some_and(|p| p.epoch == epoch)
    }

    /// The partitions whose state is still being read.
    pub(crate) fn unrestored(&self) -> Vec<i32> {
        let state = self.lock();
        state
            .owned
            .iter()
            .filter(|(_, owned)| !owned.is_restored())
            .map(|(partition, _)| *partition)
            .collect()
    }

    /// The partitions whose state is there.
    pub(crate) fn lanes(&self) -> Vec<Lane> {
        let lane = |(partition, owned): (&i32, &Partition)| {
            let Restoring::Done(cursors) = &owned.state else { return None };
            let (recheck_from, cursors) = (owned.recheck_from, cursors.clone());
            Some(Lane { partition: *partition, epoch: owned.epoch, recheck_from, cursors })
        };
        self.lock().owned.iter().filter_map(lane).collect()
    }

    /// A slot for work from beside the listings; `None` if this ownership has ended.
    pub(crate) fn side_slot(&self, partition: i32, epoch: u64) -> Option<Slot> {
        let state = self.lock();
        let owned = state.owned.get(&partition).filter(|p| p.epoch == epoch)?;
        Some(Slot { partition, offset: -1, epoch, void: Arc::clone(&owned.void) })
    }

    /// Registers an offset of the re-check topic that was read; false if the partition is not owned or it was read before.
    pub(crate) fn receive_recheck(&self, partition: i32, epoch: u64, offset: i64) -> bool {
        let mut state = self.lock();
        let owned = state.owned.get_mut(&partition).filter(|p| p.epoch == epoch);
        owned.is_some_and(|owned| owned.recheck.receive(offset, Instant::now()))
    }

    /// Hands in work from beside the listings. It is dropped if its slot is void.
    pub(crate) fn complete_side(&self, slot: &Slot, outcome: Outcome) {
        let mut state = self.lock();
        let Some(owned) = state.owned.get_mut(&slot.partition).filter(|p| p.epoch == slot.epoch) else {
            return;
        };
        owned.last_side += 1;
        owned.side.push_back((owned.last_side, Arc::new(outcome)));
        state.n_ready += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// The offset of the re-check topic below which everything is done with, where it is known.
    pub(crate) fn recheck_next(&self, partition: i32) -> Option<i64> {
        self.lock().owned.get(&partition).and_then(|owned| owned.recheck.next())
    }

    /// Registers a received offset; `None` if the partition is not owned or the offset was received before.
    pub(crate) fn receive(&self, partition: i32, offset: i64) -> Option<Slot> {
        let mut state = self.lock();
        let owned = state.owned.get_mut(&partition)?;
        let (epoch, void) = (owned.epoch, Arc::clone(&owned.void));
        owned.tracker.receive(offset, Instant::now()).then_some(Slot { partition, offset, epoch, void })
    }

    /// Hands in the result of one input. It is dropped if its slot is void.
    pub(crate) fn complete(&self, slot: &Slot, outcome: Outcome) {
        let mut state = self.lock();
        let Some(owned) = state.owned.get_mut(&slot.partition).filter(|p| p.epoch == slot.epoch) else {
            return;
        };
        let before = owned.n_ready();
        owned.tracker.complete(slot.offset, Arc::new(outcome));
        let grown = owned.n_ready() - before;
        state.n_ready += grown;
        drop(state);
        if grown > 0 {
            self.changed.notify_all();
        }
    }

    /// Waits until there is a burst to commit, at most for `limit`; `None` when there is none yet.
    pub(crate) fn next_burst(&self, trigger: Trigger, limit: Duration, max_bytes: usize) -> Option<Burst> {
        let give_up = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let enough =
                state.n_ready >= trigger.n_ready || (state.n_ready > 0 && (now >= trigger.at || state.flush));
            if enough && !state.ended {
                return Some(state.take_burst(max_bytes));
            }
            let until = if state.n_ready > 0 { give_up.min(trigger.at) } else { give_up };
            if state.ended || now >= give_up || state.has_restored() {
                return None;
            }
            let wait = until.saturating_duration_since(now).max(Duration::from_micros(200));
            state = self.wait(state, wait);
        }
    }

    /// The items of a burst whose partition is still owned since they were taken, and, at the same moment, whatever
    /// `and_then` finds.
    pub(crate) fn still_owned<R>(&self, burst: Burst, and_then: impl FnOnce() -> R) -> (Burst, R) {
        let state = self.lock();
        let owned =
            |item: &BurstItem| state.owned.get(&item.partition).is_some_and(|p| p.epoch == item.epoch);
        let burst = burst.into_iter().filter(owned).collect();
        (burst, and_then())
    }

    /// The burst has been committed, or given up with nothing left of it.
    pub(crate) fn finish_burst(&self, committed: &[BurstItem]) {
        let mut state = self.lock();
        let mut last: BTreeMap<(i32, u64), i64> = BTreeMap::new();
        for item in committed {
            match item.place {
                Place::Input(offset) => {
                    last.insert((item.partition, item.epoch), offset);
                }
                Place::Side(id) => state.finish_side(item, id),
            }
        }
        for ((partition, epoch), offset) in last {
            let Some(owned) = state.owned.get_mut(&partition).filter(|p| p.epoch == epoch) else { continue };
            let before = owned.n_ready();
            owned.tracker.commit(offset);
            let gone = before - owned.n_ready();
            state.n_ready -= gone;
        }
        state.in_burst = false;
        drop(state);
        self.changed.notify_all();
    }

    /// Whether somebody waits for what is in hand to be committed: no time to begin what can wait.
    pub(crate) fn is_flushing(&self) -> bool {
        self.lock().flush
    }

    /// Waits until what is ready of these partitions has been committed, at most for `limit`, and gives them up.
    /// What was still being judged becomes void: the next owner judges it.
    pub(crate) fn revoke(&self, partitions: &[i32], limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        state.flush = true;
        self.changed.notify_all();
        let has_ready =
            |state: &State| partitions.iter().any(|p| state.owned.get(p).is_some_and(|p| p.n_ready() > 0));
        while (has_ready(&state) || state.in_burst) && !state.ended && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            state = self.wait(state, left.max(Duration::from_millis(1)));
        }
        let clean = !has_ready(&state) && !state.in_burst;
        state.flush = false;
        for partition in partitions {
            state.drop_partition(*partition);
        }
        clean
    }

    /// These partitions are already somebody else's: everything in hand of them is void.
    pub(crate) fn lose(&self, partitions: &[i32]) {
        let mut state = self.lock();
        for partition in partitions {
            state.drop_partition(*partition);
        }
    }

    /// Waits until nothing is in hand, at most for `limit`. True if so.
    pub(crate) fn wait_idle(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        state.flush = true;
        self.changed.notify_all();
        while !state.is_idle() && !state.ended && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            state = self.wait(state, left.max(Duration::from_millis(1)));
        }
        state.flush = false;
        state.is_idle()
    }

    /// Ends the session: everything in hand is void, and nobody waits any more.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        let partitions: Vec<i32> = state.owned.keys().copied().collect();
        for partition in partitions {
            state.drop_partition(partition);
        }
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended
    }

    /// The partitions owned.
    pub(crate) fn partitions(&self) -> Vec<i32> {
        self.lock().owned.keys().copied().collect()
    }

    /// The offset that should be received next of each partition, where that is known.
    pub(crate) fn positions(&self) -> Vec<(i32, Option<i64>)> {
        self.lock().owned.iter().map(|(partition, p)| (*partition, p.tracker.position())).collect()
    }

    /// Notes where a partition ends.
    pub(crate) fn set_end(&self, partition: i32, end: i64) {
        if let Some(owned) = self.lock().owned.get_mut(&partition) {
            owned.end = Some(end);
        }
    }

    /// How many inputs of each partition wait to be committed, those in Kafka included, where both ends are known.
    pub(crate) fn lags(&self) -> Vec<(i32, i64)> {
        let lag = |p: &Partition| Some((p.end? - p.tracker.next()?).max(0));
        self.lock().owned.iter().filter_map(|(partition, p)| Some((*partition, lag(p)?))).collect()
    }

    /// When the oldest input in hand was received.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.lock().owned.values().filter_map(|p| p.tracker.oldest()).min()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs while the lock is held, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    fn take_burst(&mut self, max_bytes: usize) -> Burst {
        self.in_burst = true;
        let (mut burst, mut bytes) = (Burst::new(), 0_usize);
        for (partition, owned) in &self.owned {
            if !owned.is_restored() {
                continue;
            }
            let inputs = owned.tracker.ready().map(|(offset, outcome)| (Place::Input(offset), outcome));
            let side = owned.side.iter().map(|(id, outcome)| (Place::Side(*id), outcome));
            for (place, outcome) in inputs.chain(side) {
                if bytes >= max_bytes {
                    return burst;
                }
                bytes += outcome.bytes;
                let (partition, epoch, outcome) = (*partition, owned.epoch, Arc::clone(outcome));
                burst.push(BurstItem { partition, place, epoch, outcome });
            }
        }
        burst
    }

    fn drop_partition(&mut self, partition: i32) {
        if let Some(owned) = self.owned.remove(&partition) {
            owned.void.store(true, Ordering::Release);
            self.n_ready -= owned.n_ready();
        }
    }

    fn has_restored(&self) -> bool {
        self.owned.values().any(|owned| matches!(owned.state, Restoring::Read(_)))
    }

    /// Work from beside the listings has been committed; the offset of a re-check is done with.
    fn finish_side(&mut self, item: &BurstItem, id: u64) {
        let Some(owned) = self.owned.get_mut(&item.partition).filter(|p| p.epoch == item.epoch) else {
            return;
        };
        while owned.side.front().is_some_and(|(front, _)| *front <= id) {
            let Some((_, outcome)) = owned.side.pop_front() else { break };
            self.n_ready -= 1;
            if let Some(offset) = outcome.recheck_offset() {
                owned.recheck.complete(offset, ());
            }
        }
        owned.recheck.commit_ready();
    }

    fn is_idle(&self) -> bool {
        !self.in_burst && self.owned.values().all(|p| p.tracker.len() == 0 && p.side.is_empty())
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
