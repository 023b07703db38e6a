//! How alike two short texts are, without tables on the heap.

/// The longest text compared letter by letter, in bytes; the rest is not read.
pub(crate) const MAX_COMPARED: usize = 256;

/// The length of the longest common subsequence of two byte strings, bit-parallel.
///
/// H. Hyyrö, "Bit-parallel LCS-length computation revisited", AWOCA 2004.
pub(crate) fn common_subsequence(a: &[u8], b: &[u8]) -> usize {
    let a = &a[..a.len().min(MAX_COMPARED)];
    let b = &b[..b.len().min(MAX_COMPARED)];
    // Strip what is common at both ends: it belongs to some longest subsequence.
    let front = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[front..], &b[front..]);
    let back = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[..a.len() - back], &b[..b.len() - back]);
    if a.is_empty() || b.is_empty() {
        return front + back;
    }
    let inner = match a.len().div_ceil(64) {
        1 => blocks::<1>(a, b),
        2 => blocks::<2>(a, b),
        _ => blocks::<4>(a, b),
    };
    front + back + inner
}

fn blocks<const N: usize>(a: &[u8], b: &[u8]) -> usize {
    let mut places = [[0_u64; N]; 64];
    for (at, &c) in a.iter().enumerate() {
        places[slot(c)][at / 64] |= 1 << (at % 64);
    }
    let mut row = [u64::MAX; N];
    for &c in b {
        let found = &places[slot(c)];
        let mut carry = 0;
        for (row, &found) in row.iter_mut().zip(found) {
            let hit = *row & found;
            let (sum, over) = row.overflowing_add(hit);
            let (sum, over_too) = sum.overflowing_add(carry);
            carry = u64::from(over | over_too);
            *row = sum | (*row - hit);
        }
    }
    row.iter().map(|row| row.count_zeros() as usize).sum()
}

/// Letters, digits and the few signs that folded texts hold fit in six bits; rarer bytes share them.
fn slot(c: u8) -> usize {
    usize::from(if c.is_ascii_lowercase() {
        c - b'a'
    } else if c.is_ascii_digit() {
        c - b'0' + 26
    } else {
        36 + c % 28
    })
}

/// Twice the longest common subsequence over both lengths, in [0, 1]; two empty texts are equal.
pub(crate) fn ratio(a: &[u8], b: &[u8]) -> f32 {
    let total = a.len().min(MAX_COMPARED) + b.len().min(MAX_COMPARED);
    if total == 0 {
        return 1.0;
    }
    2.0 * common_subsequence(a, b) as f32 / total as f32
}
