//! The queue between the poller and the threads that judge.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A queue with many senders and many receivers. It has no bound of its own: everything in it holds a
/// [`Charge`](crate::gate::Charge), and the gate bounds those.
#[derive(Debug)]
pub(crate) struct WorkQueue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

impl<T> Default for WorkQueue<T> {
    fn default() -> Self {
        let state = State { waiting: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new() }
    }
}

impl<T> WorkQueue<T> {
    /// Puts work at the end.
    pub(crate) fn push(&self, work: T) {
        self.lock().waiting.push_back(work);
        self.filled.notify_one();
    }

    /// Puts work at the front: it has waited for its photos already.
    pub(crate) fn push_first(&self, work: T) {
        self.lock().waiting.push_front(work);
        self.filled.notify_one();
    }

    /// Takes up to `max` pieces of work, waiting for the first; `None` once the queue is closed.
    pub(crate) fn take(&self, max: usize) -> Option<Vec<T>> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if !state.waiting.is_empty() {
                let n = state.waiting.len().min(max);
                return Some(state.waiting.drain(..n).collect());
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends all waiting; what is left is dropped.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let left = std::mem::take(&mut state.waiting);
        drop(state);
        drop(left);
        self.filled.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // The lock is held only for moves, which cannot panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn work_is_taken_in_order_and_closing_ends_the_waiting() {
        let queue = Arc::new(WorkQueue::default());
        (1..=3).for_each(|n| queue.push(n));
        queue.push_first(0);
        assert_eq!(queue.take(3), Some(vec![0, 1, 2]));
        assert_eq!(queue.take(3), Some(vec![3]));
        let waiting = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.take(1)
        });
        queue.close();
        assert_eq!(waiting.join().unwrap(), None);
    }
}
