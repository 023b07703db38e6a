use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

/// The same thing in the plainest way: all offsets in a map, the prefix found by walking.
#[derive(Default)]
struct Naive {
    waiting: BTreeMap<i64, Option<u32>>,
    next: Option<i64>,
}

impl Naive {
    fn receive(&mut self, offset: i64) -> bool {
        let position = self.waiting.keys().next_back().map(|last| last + 1).or(self.next);
        if position.is_some_and(|position| offset < position) {
            return false;
        }
        self.waiting.insert(offset, None);
        true
    }

    fn complete(&mut self, offset: i64, result: u32) -> bool {
        match self.waiting.get_mut(&offset) {
            Some(slot @ None) => {
                *slot = Some(result);
                true
            }
            _ => false,
        }
    }

    fn ready(&self) -> Vec<(i64, u32)> {
        self.waiting.iter().map_while(|(offset, result)| result.map(|r| (*offset, r))).collect()
    }

    fn commit(&mut self, n: usize) -> Option<i64> {
        let (last, _) = *self.ready().get(n.checked_sub(1)?)?;
        self.waiting.retain(|offset, _| *offset > last);
        self.next = Some(last + 1);
        Some(last)
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// The next offset lies this far after the last one.
    Receive(i64),
    /// An offset received before comes again.
    ReceiveAgain(i64),
    /// The waiting offset at this place (modulo their number) gets a result.
    Complete(usize, u32),
    /// A result for an offset that nobody waits for.
    CompleteStray(i64),
    /// So much of the ready prefix is committed.
    Commit(usize),
    /// The partition is taken away and comes back, read from the committed offset on.
    Reassign,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1..4_i64).prop_map(Step::Receive),
        1 => (0..40_i64).prop_map(Step::ReceiveAgain),
        6 => (any::<usize>(), any::<u32>()).prop_map(|(at, result)| Step::Complete(at, result)),
        1 => (0..200_i64).prop_map(Step::CompleteStray),
        3 => (0..20_usize).prop_map(Step::Commit),
        1 => Just(Step::Reassign),
    ];
    proptest::collection::vec(step, 1..120)
}

fn follow(steps: Vec<Step>) {
    let now = Instant::now();
    let (mut tracker, mut naive) = (Tracker::new(Some(0)), Naive { next: Some(0), ..Naive::default() });
    for step in steps {
        match step {
            Step::Receive(gap) => {
                let offset = tracker.position().unwrap() + gap - 1;
                assert_eq!(tracker.receive(offset, now), naive.receive(offset));
            }
            Step::ReceiveAgain(offset) => assert_eq!(tracker.receive(offset, now), naive.receive(offset)),
            Step::Complete(at, result) => {
                let Some(at) = at.checked_rem(naive.waiting.len()) else { continue };
                let offset = *naive.waiting.keys().nth(at).unwrap();
                assert_eq!(tracker.complete(offset, result), naive.complete(offset, result));
            }
            Step::CompleteStray(offset) => {
                assert_eq!(tracker.complete(offset, 0), naive.complete(offset, 0));
            }
            Step::Commit(n) => {
                if let Some(last) = naive.commit(n.min(naive.ready().len())) {
                    tracker.commit(last);
                }
            }
            Step::Reassign => {
                tracker = Tracker::new(naive.next);
                naive.waiting.clear();
            }
        }
        let ready: Vec<(i64, u32)> = tracker.ready().map(|(offset, result)| (offset, *result)).collect();
        assert_eq!(ready, naive.ready());
        assert_eq!(tracker.n_ready(), ready.len());
        assert_eq!(tracker.len(), naive.waiting.len());
        assert_eq!(tracker.next(), naive.next);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4_000,
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_tracker_does_what_the_plain_map_does(steps in steps()) {
        follow(steps);
    }
}

#[test]
fn nothing_behind_a_gap_in_the_results_is_ready() {
    let now = Instant::now();
    let mut tracker = Tracker::new(None);
    for offset in [3, 5, 9] {
        assert!(tracker.receive(offset, now));
    }
    assert!(tracker.complete(9, 'c'));
    assert!(tracker.complete(5, 'b'));
    assert_eq!(tracker.n_ready(), 0);
    assert!(tracker.complete(3, 'a'));
    assert_eq!(tracker.ready().collect::<Vec<_>>(), [(3, &'a'), (5, &'b'), (9, &'c')]);
    tracker.commit(5);
    assert_eq!((tracker.next(), tracker.len(), tracker.n_ready()), (Some(6), 1, 1));
}
