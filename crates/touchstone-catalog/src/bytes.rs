//! Reading numbers and ranges out of untrusted bytes: every read is checked.

use std::ops::Range;

/// The little-endian number at a byte offset.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let end = offset.checked_add(8)?;
    Some(u64::from_le_bytes(bytes.get(offset..end)?.try_into().ok()?))
}

/// The same as an offset or a count.
pub(crate) fn usize_at(bytes: &[u8], offset: usize) -> Option<usize> {
    usize::try_from(u64_at(bytes, offset)?).ok()
}

/// The range between the offsets number `idx` and `idx + 1` of a table of offsets.
pub(crate) fn range_at(offsets: &[u8], idx: usize) -> Option<Range<usize>> {
    let start = usize_at(offsets, idx.checked_mul(8)?)?;
    let end = usize_at(offsets, idx.checked_add(1)?.checked_mul(8)?)?;
    (start <= end).then_some(start..end)
}
