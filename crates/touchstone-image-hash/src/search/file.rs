//! An index as bytes, which are searched where they lie.
//!
//! ```text
//! header    "TSHAMMIX", version, CRC-32 of all that follows, the number of segments
//! counts    of each segment: hashes alone, members of crowds, crowds, whether it has tables
//! segments  one after the other
//! ```

use bytes::Bytes;

use super::multi_index::{Base, MultiIndex};
use super::segment::{Counts, Segment};

const MAGIC: &[u8; 8] = b"TSHAMMIX";
const VERSION: u64 = 1;
/// Magic, version, checksum; what follows is under the checksum.
const PREFIX_BYTES: usize = 24;
const COUNTS_BYTES: usize = 32;

/// Why bytes are not a hash index that can be used. Make it again from the hashes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexFileError {
    /// The bytes are something else, or end within the header.
    #[error("this is not a hash index; build one from the hashes")]
    NotAnIndex,
    /// It was made by another version of this program.
    #[error("the hash index has version {found}, this build reads {VERSION}; build it again from the hashes")]
    WrongVersion {
        /// The version found.
        found: u64,
    },
    /// Some bytes were lost or changed.
    #[error("the hash index is damaged: {problem}; build it again from the hashes")]
    Damaged {
        /// What does not fit.
        problem: &'static str,
    },
}

impl MultiIndex {
    /// The index as bytes. If changes are pending they are worked in first, which takes as long as to build it.
    ///
    /// The same items with the same hashes give the same bytes, however the index came to hold them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut compacted = self.clone();
        compacted.compact();
        let mut body = (compacted.segments.len() as u64).to_le_bytes().to_vec();
        for base in &compacted.segments {
            let Counts { n_singles, n_members, n_crowds, tabled } = base.segment.counts;
            let counts = [n_singles, n_members, n_crowds, usize::from(tabled)];
            body.extend(counts.iter().flat_map(|&count| (count as u64).to_le_bytes()));
        }
        let segments = || compacted.segments.iter().map(|base| &base.segment.bytes);
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&body);
        segments().for_each(|bytes| checksum.update(bytes));

        let n_bytes = PREFIX_BYTES + body.len() + segments().map(Bytes::len).sum::<usize>();
        let mut out = Vec::with_capacity(n_bytes);
        out.extend_from_slice(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(u64::from(checksum.finalize()).to_le_bytes());
        out.extend(body);
        segments().for_each(|bytes| out.extend_from_slice(bytes));
        out
    }

    /// Opens an index where it lies, for example in a mapped file: the bytes are read through once for their checksum, and shared.
    ///
    /// # Errors
    /// [`IndexFileError`], if these are not exactly the bytes that [`to_bytes`](Self::to_bytes) made. Bytes that were forged to
    /// have the right checksum may give wrong answers, but neither panics nor reads out of bounds.
    pub fn from_bytes(bytes: &Bytes) -> Result<Self, IndexFileError> {
        let damaged = |problem| IndexFileError::Damaged { problem };
        let (found, stated) = match (u64_at(bytes, 8), u64_at(bytes, 16)) {
            (Some(found), Some(stated)) if bytes.starts_with(MAGIC) => (found, stated),
            _ => return Err(IndexFileError::NotAnIndex),
        };
        if found != VERSION {
            return Err(IndexFileError::WrongVersion { found });
        }
        let mut rest = bytes.slice(PREFIX_BYTES..);
        if u64::from(crc32fast::hash(&rest)) != stated {
            return Err(damaged("its content does not have the checksum that it states"));
        }
        let counts = take_counts(&mut rest).ok_or(damaged("its counts are cut"))?;
        let mut segments = Vec::with_capacity(counts.len());
        for counts in counts {
            let n_bytes = counts.n_bytes().filter(|&n_bytes| n_bytes <= rest.len());
            let segment = n_bytes.and_then(|n_bytes| Segment::open(counts, rest.split_to(n_bytes)));
            segments.push(Base::of(segment.ok_or(damaged("a segment is cut"))?));
        }
        if !rest.is_empty() {
            return Err(damaged("more follows its last segment"));
        }
        Ok(Self { segments, ..Self::default() })
    }
}

/// The counts of each segment. No memory is taken for more of them than there are bytes.
fn take_counts(rest: &mut Bytes) -> Option<Vec<Counts>> {
    let n_segments = usize::try_from(u64_at(rest, 0)?).ok()?;
    let end = n_segments.checked_mul(COUNTS_BYTES)?.checked_add(8)?;
    if rest.len() < end {
        return None;
    }
    let bytes = rest.split_to(end).slice(8..);
    bytes.chunks_exact(COUNTS_BYTES).map(counts_of).collect()
}

fn counts_of(bytes: &[u8]) -> Option<Counts> {
    let count = |idx: usize| usize::try_from(u64_at(bytes, 8 * idx)?).ok();
    Some(Counts { n_singles: count(0)?, n_members: count(1)?, n_crowds: count(2)?, tabled: count(3)? != 0 })
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}
