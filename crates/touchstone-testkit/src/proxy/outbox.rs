//! Bytes on their way to the other side: what goes at once, and what is held back for a while.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Past this nothing more is read until something has been sent.
const MAX_HELD_BYTES: usize = 64 << 20;

/// Keeps bytes in order: what comes behind held bytes waits for them, like cars behind a slow one.
///
/// Each message is held for its own time from its coming on, so that a delay adds to the latency of a connection and
/// takes nothing from its throughput.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    now: Vec<u8>,
    later: VecDeque<(Instant, Vec<u8>)>,
    n_held: usize,
}

impl Outbox {
    /// Adds bytes that came at `now` and are to be held for `delay`.
    pub(crate) fn push(&mut self, bytes: &[u8], now: Instant, delay: Duration) {
        let due = now + delay;
        match self.later.back_mut() {
            None if delay.is_zero() => self.now.extend_from_slice(bytes),
            Some((last, held)) if *last >= due => {
                held.extend_from_slice(bytes);
                self.n_held += bytes.len();
            }
            _ => {
                self.later.push_back((due, bytes.to_vec()));
                self.n_held += bytes.len();
            }
        }
    }

    /// Writes what is due at `now`.
    pub(crate) fn send(&mut self, now: Instant, to: &mut impl Write) -> io::Result<()> {
        while let Some((_, held)) = self.later.pop_front_if(|(due, _)| *due <= now) {
            self.n_held -= held.len();
            self.now.extend(held);
        }
        to.write_all(&self.now)?;
        self.now.clear();
        Ok(())
    }

    /// When something will be due next; nothing if nothing is held.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.later.front().map(|(due, _)| *due)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.n_held > MAX_HELD_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn sent(outbox: &mut Outbox, now: Instant) -> String {
        let mut bytes = Vec::new();
        outbox.send(now, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn bytes_are_held_from_their_coming_on_and_never_overtake() {
        let start = Instant::now();
        let mut outbox = Outbox::default();
        outbox.push(b"a", start, Duration::ZERO);
        outbox.push(b"b", start, 2 * SECOND);
        outbox.push(b"c", start, Duration::ZERO);
        outbox.push(b"d", start + SECOND, 2 * SECOND);
        assert_eq!(sent(&mut outbox, start), "a");
        assert_eq!(outbox.next_due(), Some(start + 2 * SECOND));
        assert_eq!(sent(&mut outbox, start + SECOND), "");
        assert_eq!(sent(&mut outbox, start + 2 * SECOND), "bc");
        assert_eq!(sent(&mut outbox, start + 3 * SECOND), "d");
        assert_eq!(outbox.next_due(), None);
    }

    #[test]
    fn too_much_in_hand_makes_it_full_until_it_is_sent() {
        let start = Instant::now();
        let mut outbox = Outbox::default();
        outbox.push(&vec![0; MAX_HELD_BYTES], start, SECOND);
        assert!(!outbox.is_full());
        outbox.push(&[0], start, SECOND);
        assert!(outbox.is_full());
        outbox.send(start + SECOND, &mut io::sink()).unwrap();
        assert!(!outbox.is_full());
    }
}
