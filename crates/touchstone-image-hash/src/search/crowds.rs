//! Crowds: many hashes around one centre, such as the copies of one photo.
//!
//! Tables serve them badly, because a query near a crowd meets each member in many buckets. Laid side by side they are scanned at
//! the speed of memory, and by the triangle inequality a crowd is passed over if its centre is farther from the query than the
//! radius and the crowd's reach together. Which hashes are put into crowds changes the time that a search takes, not its answer.

use std::collections::BTreeMap;

use super::chunks::{Bits, distance};

/// Hashes lying together.
#[derive(Debug)]
pub(super) struct Crowd {
    /// The majority of the members in each bit.
    pub(super) centre: Bits,
    /// The distance of the farthest member from the centre.
    pub(super) reach: u16,
    /// Positions, ascending.
    pub(super) members: Vec<u32>,
}

/// Members are at most this far from the first that was found.
const MAX_SPREAD: u16 = 16;
/// Hashes that share one of these stretches of 32 bits are compared.
const N_WINDOWS: usize = 8;
/// At most so many first members are compared with, so that work is bounded where unlike hashes share a window.
const MAX_LEADERS: usize = 64;

const NOBODY: u32 = u32::MAX;

/// The crowds of at least `min_members`.
pub(super) fn find_crowds(hashes: &[Bits], min_members: usize) -> Vec<Crowd> {
    let mut leader_of = vec![NOBODY; hashes.len()];
    for run in &runs(hashes, min_members / N_WINDOWS) {
        follow_leaders(run, hashes, &mut leader_of);
    }
    let mut members_of = BTreeMap::<u32, Vec<u32>>::new();
    for (position, &leader) in (0..).zip(&leader_of) {
        if leader != NOBODY {
            members_of.entry(leader).or_default().push(position);
        }
    }
    let crowds = members_of.into_values().filter(|members| members.len() >= min_members);
    crowds.map(|members| crowd(members, hashes)).collect()
}

/// Stretches of more than `n` hashes that are equal in a window, by position, the longest first.
///
/// The longest come of the windows that most of a crowd left alone. They gather it around one leader, before those who share one
/// more flip can make a crowd of their own.
fn runs(hashes: &[Bits], n: usize) -> Vec<Vec<u32>> {
    let mut runs = Vec::new();
    let mut by_window: Vec<u64> = Vec::with_capacity(hashes.len());
    for window in 0..N_WINDOWS {
        let key = |hash: &Bits| u64::from(u32::from_le_bytes(hash.as_chunks().0[window]));
        by_window.clear();
        by_window.extend((0_u64..).zip(hashes).map(|(position, hash)| key(hash) << 32 | position));
        by_window.sort_unstable();
        let stretches = by_window.chunk_by(|a, b| a >> 32 == b >> 32).filter(|run| run.len() > n);
        runs.extend(stretches.map(|run| run.iter().map(|&keyed| keyed as u32).collect::<Vec<_>>()));
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    runs
}

/// Gives each hash of a run that has no leader the first leader near enough, or makes it one.
fn follow_leaders(run: &[u32], hashes: &[Bits], leader_of: &mut [u32]) {
    let mut leaders: Vec<u32> = Vec::new();
    for &position in run {
        let leader = leader_of[position as usize];
        if leader != NOBODY && leaders.len() < MAX_LEADERS && !leaders.contains(&leader) {
            leaders.push(leader);
        }
    }
    for &position in run {
        if leader_of[position as usize] != NOBODY {
            continue;
        }
        let hash = &hashes[position as usize];
        let near = leaders.iter().find(|&&leader| distance(&hashes[leader as usize], hash) <= MAX_SPREAD);
        if let Some(&leader) = near {
            leader_of[position as usize] = leader;
        } else if leaders.len() < MAX_LEADERS {
            leaders.push(position);
            leader_of[position as usize] = position;
        }
    }
}

fn crowd(members: Vec<u32>, hashes: &[Bits]) -> Crowd {
    let mut set = [0_usize; 256];
    for &member in &members {
        let hash = &hashes[member as usize];
        for (bit, set) in set.iter_mut().enumerate() {
            *set += usize::from(hash[bit / 8] >> (bit % 8) & 1);
        }
    }
    let mut centre = [0; 32];
    for (bit, &set) in set.iter().enumerate() {
        centre[bit / 8] |= u8::from(2 * set > members.len()) << (bit % 8);
    }
    let reach = members.iter().map(|&member| distance(&centre, &hashes[member as usize])).max();
    Crowd { centre, reach: reach.unwrap_or(0), members }
}
