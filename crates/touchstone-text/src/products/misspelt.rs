//! Words one mistake away from a word: a deletion neighbourhood (Mor and Fraenkel, "A hash code method for detecting and
//! correcting spelling errors", CACM 1982).
//!
//! Two words one insertion, omission, substitution or transposition apart share a form once at most one letter is deleted
//! from each. Kept is, for every form of every word, one number: the form's hash above, the word below. All are sorted, so
//! that a word of a text costs as many binary searches as it has letters. What only shares a hash is weeded out by the
//! caller, which compares the words themselves.

/// Shorter words are too like one another.
const MIN_CHARS: usize = 3;
/// Longer words are found as written only.
const MAX_CHARS: usize = 32;

/// Shorter codes are found as written only: one digit more makes another product.
const MIN_CODE_CHARS: usize = 5;

/// Whether a word of the vocabulary may be found misspelt: one of letters, or a long code.
pub(super) fn is_forgiven(word: &str) -> bool {
    is_asked(word) && (word.chars().all(char::is_alphabetic) || word.chars().count() >= MIN_CODE_CHARS)
}

/// Whether a word of a text may stand for another: letters, among which digits may stand for letters.
pub(super) fn is_asked(word: &str) -> bool {
    let n = word.chars().take(MAX_CHARS + 2).count();
    (MIN_CHARS..=MAX_CHARS).contains(&n) && word.chars().any(char::is_alphabetic)
}

/// The hashes of a word and of all its forms with one letter less.
pub(super) fn forms(word: &str, out: &mut Vec<u32>) {
    out.clear();
    out.push(hash(word.bytes()));
    for (at, c) in word.char_indices() {
        out.push(hash(word[..at].bytes().chain(word[at + c.len_utf8()..].bytes())));
    }
    out.sort_unstable();
    out.dedup();
}

/// One form of a word as it is kept.
pub(super) fn entry(form: u32, word: u32) -> u64 {
    u64::from(form) << 32 | u64::from(word)
}

fn hash(bytes: impl Iterator<Item = u8>) -> u32 {
    let mut hash = 0x9e37_79b9_7f4a_7c15_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    ((hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_mistake_shares_a_form() {
        let of = |word: &str| {
            let mut out = Vec::new();
            forms(word, &mut out);
            out
        };
        let right = of("lumora");
        for wrong in ["lumra", "lumorra", "lmuora", "lumor0", "ulmora", "umora", "lumoraa", "lumöra"] {
            assert!(of(wrong).iter().any(|form| right.contains(form)), "{wrong}");
        }
        assert!(!of("veltrano").iter().any(|form| right.contains(form)));
    }
}
