//! The board against the plain truth: whatever happens to it, each partition's log comes out once and in order.
//!
//! One case is a short life of a worker: inputs arrive with gaps between their offsets and are finished in any order; bursts
//! are committed, aborted, or refused because a rebalance came in between; partitions are taken away and come back, read from
//! where they were committed. The model is the log itself, and what has been written of it.

use super::*;

const N_CASES: u64 = 1_000_000;

/// splitmix64: everything follows from the number of the case.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

/// One partition in Kafka, and what this worker has read of it.
struct Log {
    offsets: Vec<i64>,
    /// How many of them have been written and committed.
    n_written: usize,
    /// How many of them have been received since the partition was assigned.
    n_received: usize,
    is_owned: bool,
    /// How often it has been assigned.
    n_ownerships: usize,
    /// The board's number of the last ownership.
    epoch: u64,
    is_restored: bool,
    /// What came in beside the listings in this ownership, and how much of it has been committed.
    n_side: usize,
    n_side_written: usize,
}

impl Log {
    /// What Kafka has committed; nothing before the first commit.
    fn committed(&self) -> Option<i64> {
        Some(self.offsets[self.n_written.checked_sub(1)?] + 1)
    }
}

struct World {
    random: Seeded,
    board: Board,
    logs: Vec<Log>,
    /// Inputs being judged, each with the number of its partition's ownership, which may be over.
    in_hand: Vec<(Slot, usize)>,
    /// What the committer holds, and whether the group has changed since it looked at who owns it.
    burst: Option<(Burst, bool)>,
}

impl World {
    fn new(case: u64) -> Self {
        let mut random = Seeded(case);
        let log = |random: &mut Seeded| {
            let mut next = random.below(3) as i64;
            let mut offsets = Vec::new();
            for _ in 0..=random.below(6) {
                offsets.push(next);
                next += 1 + random.below(3) as i64 / 2;
            }
            Log {
                offsets,
                n_written: 0,
                n_received: 0,
                is_owned: false,
                n_ownerships: 0,
                epoch: 1,
                is_restored: false,
                n_side: 0,
                n_side_written: 0,
            }
        };
        let logs = (0..=random.below(3)).map(|_| log(&mut random)).collect();
        Self { random, board: Board::default(), logs, in_hand: Vec::new(), burst: None }
    }

    fn step(&mut self) {
        let at = self.random.below(self.logs.len());
        match self.random.below(19) {
            0..5 => self.receive(at),
            5..10 => self.complete(),
            10 => self.assign(at),
            11 => self.take_away(at),
            12 | 13 => self.take_burst(),
            16 => self.restore(at),
            17 => self.side(at),
            _ => self.end_burst(),
        }
    }

    fn assign(&mut self, at: usize) {
        let log = &mut self.logs[at];
        if !log.is_owned {
            (log.is_owned, log.n_received) = (true, log.n_written);
            log.n_ownerships += 1;
            log.epoch = self.board.assign(at as i32, log.committed(), None);
            (log.is_restored, log.n_side, log.n_side_written) = (false, 0, 0);
        }
    }

    /// The state of a partition has been read; sometimes of an ownership that is over.
    fn restore(&mut self, at: usize) {
        if self.logs[at].is_restored {
            return;
        }
        let room = crate::state::Room { folder: std::env::temp_dir(), max_memory_bytes: 1 << 20 };
        let log = &self.logs[at];
        let epoch = log.epoch - u64::from(self.random.below(4) == 0);
        self.board.restored(at as i32, epoch, PartitionState::new(&room));
    }

    /// Something comes in beside the listings.
    fn side(&mut self, at: usize) {
        let log = &mut self.logs[at];
        if let Some(slot) = self.board.side_slot(at as i32, log.epoch) {
            assert!(log.is_owned, "a slot of an ownership that is over");
            log.n_side += 1;
            let mut outcome = Outcome::recheck_for_tests(log.n_side as i64);
            outcome.bytes = log.n_ownerships;
            self.board.complete_side(&slot, outcome);
        }
    }

    fn take_away(&mut self, at: usize) {
        if !self.logs[at].is_owned {
            return;
        }
        self.logs[at].is_owned = false;
        if self.random.below(2) == 0 {
            self.board.lose(&[at as i32]);
        } else {
            let was_clean = self.board.revoke(&[at as i32], Duration::ZERO);
            assert!(!was_clean || self.burst.is_none(), "clean with a burst in somebody's hands");
        }
        if let Some((_, group_changed)) = &mut self.burst {
            *group_changed = true;
        }
    }

    fn receive(&mut self, at: usize) {
        let log = &mut self.logs[at];
        let partition = at as i32;
        if !log.is_owned {
            assert!(self.board.receive(partition, 99).is_none(), "a message of somebody else's partition");
            return;
        }
        if log.n_received > 0 && self.random.below(4) == 0 {
            let earlier = log.offsets[self.random.below(log.n_received)];
            assert!(self.board.receive(partition, earlier).is_none(), "received twice");
        }
        if let Some(offset) = log.offsets.get(log.n_received) {
            let slot = self.board.receive(partition, *offset).expect("it is ours and new");
            self.in_hand.push((slot, log.n_ownerships));
            log.n_received += 1;
        }
    }

    /// Any input is finished, be it of an ownership that is over; sometimes its result comes twice.
    fn complete(&mut self) {
        if self.in_hand.is_empty() {
            return;
        }
        let (slot, ownership) = self.in_hand.swap_remove(self.random.below(self.in_hand.len()));
        let outcome = || Outcome::for_tests(&"x".repeat(ownership));
        self.board.complete(&slot, outcome());
        if self.random.below(8) == 0 {
            self.board.complete(&slot, outcome());
        }
    }

    fn take_burst(&mut self) {
        if self.burst.is_none() {
            for (partition, _, _) in self.board.take_restored() {
                self.logs[partition as usize].is_restored = true;
            }
            let trigger = Trigger { n_ready: 1, at: Instant::now() };
            let max_bytes = 1 + self.random.below(8);
            let burst = self.board.next_burst(trigger, Duration::ZERO, max_bytes);
            self.burst = burst.map(|burst| (burst, false));
        }
    }

    /// One attempt at a transaction: what is no longer owned leaves the burst; Kafka refuses the rest if the group has changed
    /// since; or the transaction is aborted, or it is committed.
    fn end_burst(&mut self) {
        let Some((burst, group_changed)) = self.burst.take() else { return };
        let (owned, ()) = self.board.still_owned(burst, || ());
        if group_changed && !owned.is_empty() {
            self.burst = Some((owned, false));
            return;
        }
        if self.random.below(4) == 0 {
            self.board.finish_burst(&[]);
            return;
        }
        for item in &owned {
            let log = &mut self.logs[item.partition as usize];
            assert!(log.is_owned && log.is_restored, "committed before the state was there");
            assert_eq!(item.outcome.bytes, log.n_ownerships, "judged for an ownership that is over");
            match item.place {
                Place::Input(offset) => {
                    let next = log.offsets.get(log.n_written);
                    assert_eq!(next, Some(&offset), "lost, doubled or reordered");
                    log.n_written += 1;
                }
                Place::Side(_) => {
                    log.n_side_written += 1;
                    let next = Some(log.n_side_written as i64);
                    assert_eq!(item.outcome.recheck_offset(), next, "lost, doubled or reordered");
                }
            }
        }
        self.board.finish_burst(&owned);
    }

    /// Lets everything come to its end without further trouble.
    fn finish(&mut self) {
        for at in 0..self.logs.len() {
            self.assign(at);
        }
        let is_left = |log: &Log| log.n_written < log.offsets.len() || log.n_side_written < log.n_side;
        while self.burst.is_some() || self.logs.iter().any(is_left) {
            for at in 0..self.logs.len() {
                self.restore(at);
                self.receive(at);
            }
            self.complete();
            self.take_burst();
            self.end_burst();
        }
        self.in_hand.clear();
        assert!(self.burst.is_none() && self.board.wait_idle(Duration::ZERO), "something is left");
    }
}

#[test]
fn every_log_comes_out_once_and_in_order_whatever_happens() {
    for case in 0..N_CASES {
        let outcome = std::panic::catch_unwind(|| {
            let mut world = World::new(case);
            for _ in 0..world.random.below(40) {
                world.step();
            }
            world.finish();
        });
        assert!(outcome.is_ok(), "case {case}");
    }
}
