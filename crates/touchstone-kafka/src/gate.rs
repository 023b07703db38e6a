//! The bound on what is in the worker at the same time, in listings and in bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what is inside. The poller stops reading when the gate is full; everything inside holds a [`Charge`], which
/// gives its room back when it is dropped, whatever the path by which a listing leaves.
#[derive(Debug)]
pub(crate) struct Gate {
    n_inside: AtomicUsize,
    bytes_inside: AtomicUsize,
    max_inside: usize,
    max_bytes: usize,
}

/// Room taken by one listing.
#[derive(Debug)]
pub(crate) struct Charge {
    gate: Arc<Gate>,
    bytes: usize,
}

impl Gate {
    pub(crate) fn new(max_inside: usize, max_bytes: usize) -> Arc<Self> {
        let zero = || AtomicUsize::new(0);
        Arc::new(Self { n_inside: zero(), bytes_inside: zero(), max_inside, max_bytes })
    }

    /// Lets one listing in, also beyond the bound: what has been read from Kafka must go somewhere.
    pub(crate) fn enter(self: &Arc<Self>, bytes: usize) -> Charge {
        self.n_inside.fetch_add(1, Ordering::AcqRel);
        self.bytes_inside.fetch_add(bytes, Ordering::AcqRel);
        Charge { gate: Arc::clone(self), bytes }
    }

    /// Whether nothing more should be read.
    pub(crate) fn is_full(&self) -> bool {
        self.n_inside() >= self.max_inside || self.bytes_inside() >= self.max_bytes
    }

    /// Whether there is so much room that a pause should end: at most half is taken.
    pub(crate) fn is_half_empty(&self) -> bool {
        self.n_inside() <= self.max_inside / 2 && self.bytes_inside() <= self.max_bytes / 2
    }

    pub(crate) fn n_inside(&self) -> usize {
        self.n_inside.load(Ordering::Acquire)
    }

    pub(crate) fn bytes_inside(&self) -> usize {
        self.bytes_inside.load(Ordering::Acquire)
    }
}

impl Charge {
    /// The listing now holds `bytes`: its outputs have been made.
    pub(crate) fn becomes(&mut self, bytes: usize) {
        self.gate.bytes_inside.fetch_add(bytes, Ordering::AcqRel);
        self.gate.bytes_inside.fetch_sub(self.bytes, Ordering::AcqRel);
        self.bytes = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.gate.n_inside.fetch_sub(1, Ordering::AcqRel);
        self.gate.bytes_inside.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_is_full_by_count_or_by_bytes_and_empties_again() {
        let gate = Gate::new(4, 100);
        let one = gate.enter(100);
        assert!(gate.is_full());
        drop(one);
        assert!(gate.is_half_empty());
        let mut four: Vec<Charge> = (0..4).map(|_| gate.enter(1)).collect();
        assert!(gate.is_full());
        four.truncate(3);
        assert!(!gate.is_full() && !gate.is_half_empty());
        four[0].becomes(99);
        assert!(gate.is_full());
        assert_eq!(gate.bytes_inside(), 101);
        drop(four);
        assert_eq!((gate.n_inside(), gate.bytes_inside()), (0, 0));
    }
}
