//! Which offsets of one partition are done: results wait here until everything before them is done too.

use std::collections::VecDeque;
use std::time::Instant;

/// The offsets of one partition between being received and being committed, in ascending order.
///
/// Offsets have gaps (transaction markers, compaction), so each received one is registered and none is derived from its
/// neighbour. Only the *ready prefix*, done results before the first one not done, may be committed: had a later result
/// been written before an earlier one, a restart from the committed offset would write it again.
#[derive(Debug)]
pub(crate) struct Tracker<T> {
    entries: VecDeque<Entry<T>>,
    /// How many entries at the front are done.
    n_ready: usize,
    /// The offset after the last committed entry.
    next: Option<i64>,
}

#[derive(Debug)]
struct Entry<T> {
    offset: i64,
    received: Instant,
    result: Option<T>,
}

impl<T> Tracker<T> {
    /// A tracker of a partition that is read from `next` on, where that is known.
    pub(crate) const fn new(next: Option<i64>) -> Self {
        Self { entries: VecDeque::new(), n_ready: 0, next }
    }

    /// Registers a received offset. False, and nothing is registered, if it does not lie after all earlier ones: it was
    /// received before.
    pub(crate) fn receive(&mut self, offset: i64, received: Instant) -> bool {
        let last = self.entries.back().map(|e| e.offset + 1).or(self.next);
        if last.is_some_and(|last| offset < last) {
            return false;
        }
        self.entries.push_back(Entry { offset, received, result: None });
        true
    }

    /// Stores the result of an offset. False if the offset is not waiting for one.
    pub(crate) fn complete(&mut self, offset: i64, result: T) -> bool {
        let Ok(idx) = self.entries.binary_search_by_key(&offset, |e| e.offset) else { return false };
        let entry = &mut self.entries[idx];
        if entry.result.is_some() {
            return false;
        }
        entry.result = Some(result);
        while self.entries.get(self.n_ready).is_some_and(|e| e.result.is_some()) {
            self.n_ready += 1;
        }
        true
    }

    /// The ready prefix, in order.
    pub(crate) fn ready(&self) -> impl Iterator<Item = (i64, &T)> {
        self.entries.iter().take(self.n_ready).filter_map(|e| e.result.as_ref().map(|r| (e.offset, r)))
    }

    /// The length of the ready prefix.
    pub(crate) const fn n_ready(&self) -> usize {
        self.n_ready
    }

    /// Forgets everything up to and including `last`, which has been committed with its results.
    pub(crate) fn commit(&mut self, last: i64) {
        while self.n_ready > 0 && self.entries.front().is_some_and(|e| e.offset <= last) {
            self.entries.pop_front();
            self.n_ready -= 1;
        }
        self.next = Some(self.next.map_or(last + 1, |next| next.max(last + 1)));
    }

    /// Forgets the ready prefix.
    pub(crate) fn commit_ready(&mut self) {
        let last = self.ready().map(|(offset, _)| offset).last();
        last.into_iter().for_each(|last| self.commit(last));
    }

    /// How many offsets are received and not committed.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The offset after the last committed one; before any commit, where reading began, if that is known.
    pub(crate) const fn next(&self) -> Option<i64> {
        self.next
    }

    /// The offset that should be received next.
    pub(crate) fn position(&self) -> Option<i64> {
        self.entries.back().map(|e| e.offset + 1).or(self.next)
    }

    /// When the oldest offset that is not committed was received.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.entries.front().map(|e| e.received)
    }
}

#[cfg(test)]
mod tests;
