//! A record's texts as bytes: folded, with what is a letter and what is a digit.

use super::fnv::Fnv;
use crate::fold::fold_plain;

/// The most bytes of folded text that are read of one record.
const MAX_BYTES: usize = 2_000;

/// A byte that separates words.
pub(super) const OTHER: u8 = 0;
/// A letter of ASCII, or a byte of a letter beyond it.
pub(super) const LETTER: u8 = 1;
/// A digit.
pub(super) const DIGIT: u8 = 2;

/// What each byte is.
pub(super) static KIND_OF: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut c = 0;
    while c < 256 {
        let byte = c as u8;
        if byte.is_ascii_digit() {
            table[c] = DIGIT;
        } else if byte.is_ascii_alphabetic() || c >= 0x80 {
            table[c] = LETTER;
        }
        c += 1;
    }
    table
};

pub(super) fn is_word(c: u8) -> bool {
    KIND_OF[usize::from(c)] != OTHER
}

/// Lower case, accents dropped, look-alikes replaced; what is neither letter nor digit beyond ASCII becomes a space. A comma between digits
/// is dropped before three digits and a point before others.
pub(super) fn fold_into(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && out.len() < MAX_BYTES {
        let c = bytes[at];
        if c == b',' {
            // Only where it stands in a number does a comma mean anything.
            let in_number = out.last().is_some_and(u8::is_ascii_digit);
            let digits = bytes[at + 1..].iter().take(4).take_while(|d| d.is_ascii_digit()).count();
            match digits {
                n if n == 0 || !in_number => out.push(b','),
                3 => {}
                _ => out.push(b'.'),
            }
            at += 1;
            continue;
        }
        if c.is_ascii() {
            let rest = &bytes[at..bytes.len().min(at + MAX_BYTES)];
            let n = plain_run(rest);
            out.extend(rest[..n].iter().map(u8::to_ascii_lowercase));
            at += n;
            continue;
        }
        let end = at + bytes[at..].iter().take(256).take_while(|c| !c.is_ascii()).count();
        let end = (at + 1..=end).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(bytes.len());
        for c in fold_plain(&text[at..end]).chars() {
            let c = if c.is_alphanumeric() || c.is_ascii() { c } else { ' ' };
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        at = end;
    }
}

/// How many bytes of ASCII without a comma a text opens with. Sixteen at a time, since most texts are nothing else.
fn plain_run(text: &[u8]) -> usize {
    let is_other = |c: u8| u8::from(!c.is_ascii() || c == b',');
    let plain = |chunk: &&[u8]| chunk.iter().fold(0, |any, &c| any | is_other(c)) == 0;
    let n = 16 * text.chunks_exact(16).take_while(plain).count();
    n + text[n..].iter().take_while(|&&c| is_other(c) == 0).count()
}

/// Where the head of a title ends: at a closed quotation or a bar after at least two words.
pub(super) fn head_end(title: &[u8]) -> usize {
    let quoted = title.first() == Some(&b'"');
    let mut n_words = 0;
    let mut in_word = false;
    for (at, &c) in title.iter().enumerate() {
        if n_words >= 2 && !in_word && (c == b'|' || (quoted && c == b'"')) {
            return at;
        }
        let was = std::mem::replace(&mut in_word, is_word(c));
        if was && !in_word {
            n_words += 1;
            if n_words >= 2 && (c == b'|' || (quoted && c == b'"')) {
                return at;
            }
        }
    }
    title.len()
}

pub(super) fn hashes(text: &[u8]) -> Vec<u32> {
    let words = text.split(|&c| !is_word(c)).filter(|word| !word.is_empty());
    words.take(16).map(|word| Fnv::START.bytes(word).finish()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_run_ends_where_single_bytes_say() {
        let text = "a comma, a b\u{e9}ret and then thirty-two plain letters, no less".repeat(2);
        for from in (0..text.len()).filter(|&from| text.is_char_boundary(from)) {
            let rest = &text.as_bytes()[from..];
            let plain = rest.iter().position(|&c| !c.is_ascii() || c == b',').unwrap_or(rest.len());
            assert_eq!(plain_run(rest), plain);
        }
    }

    #[test]
    fn bytes_are_what_they_are() {
        for c in 0..=u8::MAX {
            assert_eq!(is_word(c), c.is_ascii_alphanumeric() || c >= 0x80);
            assert_eq!(KIND_OF[usize::from(c)] == DIGIT, c.is_ascii_digit());
        }
    }
}
