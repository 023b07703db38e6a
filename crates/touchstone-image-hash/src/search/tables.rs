//! Sixteen tables that find hashes by one chunk each.
//!
//! A table has one entry a hash, in the order of the chunk: the chunk that follows in the ring, and where the hash is. The entries
//! of one bucket lie together, so that looking through it reads one or two lines of memory, and only what passes reads a hash.

use bytes::Bytes;

use super::chunks::{Bits, MASKS, MAX_FLIPS, N_CHUNKS, N_MASKS, Probe, chunk, distance};
use super::simd::{self, Bucket, Level};

/// Positions have three bytes.
pub(super) const MAX_TABLED: usize = 1 << 24;

const N_BUCKETS: usize = 1 << 16;
const N_STARTS: usize = N_BUCKETS + 1;

/// The parts of the tables, each for the 16 tables one after the other; numbers are little-endian.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    /// Where the entries of each bucket start, and in the end their number, as `u32`.
    starts: Bytes,
    /// The next chunk of each entry, as `u16`.
    next_chunks: Bytes,
    /// The position of each entry's hash, in three bytes.
    positions: Bytes,
}

impl Tables {
    /// The lengths in bytes of the parts of tables of `n` hashes.
    pub(super) fn lengths(n: usize) -> Option<[usize; 3]> {
        Some([4 * N_CHUNKS * N_STARTS, n.checked_mul(2 * N_CHUNKS)?, n.checked_mul(3 * N_CHUNKS)?])
    }

    /// Tables that lie in these parts. What they hold is not looked at: a bucket or a position out of range is passed over.
    pub(super) fn of_parts([starts, next_chunks, positions]: [Bytes; 3]) -> Self {
        Self { starts, next_chunks, positions }
    }

    /// Appends the parts of the tables of these hashes.
    pub(super) fn write(hashes: &[Bits], out: &mut Vec<u8>) {
        let mut next_chunks = vec![[0; 2]; N_CHUNKS * hashes.len()];
        let mut positions = vec![[0; 3]; N_CHUNKS * hashes.len()];
        for table in 0..N_CHUNKS {
            let mut starts = vec![0_u32; N_STARTS];
            for hash in hashes {
                starts[usize::from(chunk(hash, table)) + 1] += 1;
            }
            for bucket in 0..N_BUCKETS {
                starts[bucket + 1] += starts[bucket];
            }
            out.extend(starts.iter().flat_map(|start| start.to_le_bytes()));
            let first = table * hashes.len();
            for (position, hash) in hashes.iter().enumerate() {
                let free = &mut starts[usize::from(chunk(hash, table))];
                let entry = first + *free as usize;
                *free += 1;
                next_chunks[entry] = chunk(hash, table + 1).to_le_bytes();
                let [a, b, c, _] = (position as u32).to_le_bytes();
                positions[entry] = [a, b, c];
            }
        }
        out.extend_from_slice(next_chunks.as_flattened());
        out.extend_from_slice(positions.as_flattened());
    }

    /// How long a search among `n` hashes by these tables takes, in nanoseconds, roughly. `None` if they cannot serve it.
    ///
    /// Only the choice between two exact ways depends on it.
    pub(super) fn cost(&self, query: &Bits, probe: &Probe) -> Option<usize> {
        if probe.flips > MAX_FLIPS {
            return None;
        }
        let starts = self.starts.as_chunks::<4>().0;
        let n_masks = N_MASKS[usize::from(probe.flips)];
        let mut n_entries = 0;
        for (table, starts) in starts.chunks_exact(N_STARTS).enumerate() {
            let key = chunk(query, table);
            for mask in &MASKS[..n_masks] {
                let bucket = usize::from(key ^ mask);
                let range = [starts[bucket], starts[bucket + 1]].map(u32::from_le_bytes);
                n_entries += range[1].wrapping_sub(range[0]) as usize;
            }
        }
        // Entries beyond those of evenly filled buckets are of hashes like the query's: most pass, and a hash is read for each.
        let n_hashes = self.next_chunks.len() / (2 * N_CHUNKS);
        let n_buckets = n_masks * N_CHUNKS;
        let surplus = n_entries.saturating_sub(n_buckets * n_hashes / N_BUCKETS);
        Some(n_buckets * BUCKET_NANOS + n_entries / ENTRIES_A_NANO + surplus * SURPLUS_NANOS)
    }

    /// Visits the hashes that `probe` is for, by position and distance, each once. `hashes` are those the tables were made of.
    ///
    /// Memory answers many requests in the time of one, so each step asks for what the next will read: the entries of one batch
    /// of buckets are looked through while those of the next are on their way, and so it goes with the hashes to verify.
    pub(super) fn search(
        &self,
        level: Level,
        hashes: &[Bits],
        query: &Bits,
        probe: &Probe,
        mut visit: impl FnMut(usize, u16),
    ) {
        let masks = &MASKS[..N_MASKS[usize::from(probe.flips.min(MAX_FLIPS))]];
        let mut batches =
            (0..N_CHUNKS).flat_map(|table| masks.chunks(BATCH).map(move |masks| (table, masks)));
        let next_chunks = self.next_chunks.as_chunks().0;
        let positions = self.positions.as_chunks().0;
        let (mut now, mut after) = ([Bucket::default(); BATCH], [Bucket::default(); BATCH]);
        let mut batch = batches.next();
        if let Some((table, masks)) = batch {
            self.look_up(table, masks, query, probe, &mut now);
        }
        while let Some((table, masks)) = batch {
            batch = batches.next();
            if let Some((table, masks)) = batch {
                self.look_up(table, masks, query, probe, &mut after);
            }
            let mut verify = |entries: &[u32]| {
                verify(positions, hashes, entries, |position, hash| {
                    let distance = distance(query, hash);
                    if distance <= probe.radius && probe.first_chunk(query, hash) == Some(table) {
                        visit(position, distance);
                    }
                });
            };
            let (mut passed, mut n_passed) = ([0; N_PASSED], 0);
            simd::filter(level, next_chunks, chunk(query, table + 1), &now[..masks.len()], |entry| {
                simd::prefetch(positions.get(entry));
                passed[n_passed] = entry as u32;
                n_passed += 1;
                if n_passed == N_PASSED {
                    verify(&passed);
                    n_passed = 0;
                }
            });
            verify(&passed[..n_passed]);
            std::mem::swap(&mut now, &mut after);
        }
    }

    /// The buckets to look into in a table, and a request for their entries.
    fn look_up(&self, table: usize, masks: &[u16], query: &Bits, probe: &Probe, buckets: &mut [Bucket]) {
        let first = table * (self.next_chunks.len() / (2 * N_CHUNKS));
        let starts = self.starts.as_chunks::<4>().0;
        let next_chunks = self.next_chunks.as_chunks::<2>().0;
        let key = chunk(query, table);
        for (bucket, mask) in buckets.iter_mut().zip(masks) {
            let place = table * N_STARTS + usize::from(key ^ mask);
            let [start, end] =
                [starts[place], starts[place + 1]].map(|start| first + u32::from_le_bytes(start) as usize);
            *bucket = Bucket { start, end, limit: probe.pair - mask.count_ones() as u16 };
            for line in (start..=end).step_by(ENTRIES_A_LINE).take(MAX_LINES) {
                simd::prefetch(next_chunks.get(line));
            }
            simd::prefetch(next_chunks.get(end));
        }
    }
}

/// Calls `each` with the hashes of these entries.
fn verify(positions: &[[u8; 3]], hashes: &[Bits], entries: &[u32], mut each: impl FnMut(usize, &Bits)) {
    let position_of = |entry: u32| {
        let [a, b, c] = *positions.get(entry as usize)?;
        Some(u32::from_le_bytes([a, b, c, 0]) as usize)
    };
    for &entry in entries {
        simd::prefetch(position_of(entry).and_then(|position| hashes.get(position)));
    }
    for position in entries.iter().filter_map(|&entry| position_of(entry)) {
        if let Some(hash) = hashes.get(position) {
            each(position, hash);
        }
    }
}

/// Buckets looked up together: all of one table up to radius 31, and few enough for the nearest cache.
const BATCH: usize = 32;
/// Next chunks in a line of memory.
const ENTRIES_A_LINE: usize = 32;
/// Lines asked for of one bucket; a longer one is read in order, which the processor foresees.
const MAX_LINES: usize = 8;
/// Entries verified together.
const N_PASSED: usize = 64;
/// Finding a bucket and reading its first entries. Measured, as are the next two.
const BUCKET_NANOS: usize = 60;
/// Entries looked through in a nanosecond.
const ENTRIES_A_NANO: usize = 4;
/// Reading and comparing the hash of an entry.
const SURPLUS_NANOS: usize = 5;
