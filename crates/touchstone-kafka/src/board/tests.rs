//! What the board hands out and takes back.

use super::*;

fn board(partitions: &[i32]) -> Board {
    let board = Board::default();
    for partition in partitions {
        assign(&board, *partition, 0);
    }
    board
}

fn empty() -> PartitionState {
    let folder = std::env::temp_dir();
    PartitionState::new(&crate::state::Room { folder, max_memory_bytes: 1 << 20 })
}

/// Assigns a partition of which nothing is remembered.
fn assign(board: &Board, partition: i32, next: i64) {
    let epoch = board.assign(partition, Some(next), None);
    board.restored(partition, epoch, empty());
    assert_eq!(board.take_restored().len(), 1);
}

#[test]
fn nothing_is_committed_before_the_state_is_there() {
    let board = Board::default();
    let epoch = board.assign(0, Some(0), None);
    board.complete(&board.receive(0, 0).unwrap(), Outcome::for_tests("x"));
    assert!(burst(&board).is_empty() && board.lanes().is_empty() && board.unrestored() == [0]);
    board.restored(0, epoch, empty());
    assert!(burst(&board).is_empty());
    assert_eq!(board.take_restored().len(), 1);
    assert_eq!((burst(&board).len(), board.lanes().len()), (1, 1));
}

#[test]
fn a_state_that_comes_too_late_is_dropped() {
    let board = Board::default();
    let old = board.assign(0, Some(0), None);
    board.lose(&[0]);
    board.assign(0, Some(0), None);
    board.restored(0, old, empty());
    assert!(board.take_restored().is_empty());
}

#[test]
fn rechecks_are_done_with_in_any_order_and_their_offset_waits_for_the_first() {
    let board = board(&[0]);
    let epoch = board.lanes()[0].epoch;
    for offset in [3, 4, 5] {
        assert!(board.receive_recheck(0, epoch, offset));
    }
    let done = |offset| {
        let outcome = Outcome::recheck_for_tests(offset);
        board.complete_side(&board.side_slot(0, epoch).unwrap(), outcome);
        let taken = burst(&board);
        board.finish_burst(&taken);
        board.recheck_next(0)
    };
    assert_eq!([done(4), done(3), done(5)], [None, Some(5), Some(6)]);
    assert!(board.side_slot(0, epoch + 1).is_none());
}

fn burst(board: &Board) -> Burst {
    let trigger = Trigger { n_ready: 1, at: Instant::now() };
    board.next_burst(trigger, Duration::ZERO, usize::MAX).unwrap_or_default()
}

#[test]
fn results_of_an_earlier_ownership_are_dropped() {
    let board = board(&[0]);
    let old = board.receive(0, 5).unwrap();
    board.lose(&[0]);
    assert!(old.is_void());
    assign(&board, 0, 5);
    let new = board.receive(0, 5).unwrap();
    board.complete(&old, Outcome::for_tests("old"));
    assert!(burst(&board).is_empty());
    board.complete(&new, Outcome::for_tests("new"));
    assert_eq!(burst(&board).len(), 1);
}

#[test]
fn a_partition_that_goes_during_a_burst_goes_from_the_burst() {
    let board = board(&[0, 1]);
    for partition in [0, 1] {
        board.complete(&board.receive(partition, 0).unwrap(), Outcome::for_tests("x"));
    }
    let taken = burst(&board);
    assert_eq!(taken.len(), 2);
    // The committer holds the burst, so the revocation waits for its limit and then takes the partition anyway.
    assert!(!board.revoke(&[1], Duration::from_millis(5)));
    let (left, metadata) = board.still_owned(taken, || "metadata");
    assert_eq!((left.len(), left[0].partition, metadata), (1, 0, "metadata"));
    board.finish_burst(&left);
    assert!(board.wait_idle(Duration::ZERO));
}

#[test]
fn a_burst_stops_at_its_bytes_and_keeps_the_order() {
    let board = board(&[0]);
    let slots: Vec<Slot> = (0..10).map(|offset| board.receive(0, offset).unwrap()).collect();
    for slot in slots.iter().rev() {
        board.complete(slot, Outcome::for_tests("0123456789"));
    }
    let trigger = Trigger { n_ready: 1, at: Instant::now() };
    let taken = board.next_burst(trigger, Duration::ZERO, 35).unwrap();
    assert_eq!(taken.iter().map(|i| i.place).collect::<Vec<_>>(), [0, 1, 2, 3].map(Place::Input));
    board.finish_burst(&taken);
    assert_eq!(burst(&board).len(), 6);
}

#[test]
fn lag_counts_from_the_committed_offset() {
    let board = board(&[0]);
    assert_eq!(board.lags(), []);
    board.set_end(0, 10);
    board.receive(0, 0).unwrap();
    assert_eq!(board.lags(), [(0, 10)]);
    assert!(board.receive(0, 0).is_none());
    assert!(board.receive(7, 0).is_none());
}
