//! Misspelt names: a deletion neighbourhood finds candidates, the Damerau-Levenshtein distance decides.
//!
//! Two words at distance 1 or 2 share a form once up to two letters are deleted from each. The forms of all names are
//! kept as hashes with a bit filter before them, so that a word of a listing costs some dozen bit probes and no scan.

use super::index::{BrandIndex, Name, NameGap};
use crate::lexicon::Lexicon;
use crate::words::{Gap, Text};

/// The fewest letters of a name that may be misspelt.
const MIN_LETTERS: usize = 5;
/// From so many letters on two mistakes are forgiven.
const TWO_MISTAKES_FROM: usize = 10;
/// Longer names are compared after one deletion only: the number of forms grows with the square.
const MAX_LETTERS_TWO: usize = 20;
/// The longest misspelt name, in words.
const MAX_WORDS: usize = 4;
/// Candidates compared letter by letter in one text; a text made of near misses costs no more.
const MAX_JUDGED: usize = 4_096;
/// The longest text window, in letters.
const MAX_LETTERS: usize = 40;

/// Hashes of the names' forms.
#[derive(Debug)]
pub(super) struct TypoIndex {
    filter: Vec<u64>,
    mask: u64,
    forms: Vec<(u64, u32)>,
}

/// A misspelt name: a range of words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Misspelling {
    pub name: usize,
    pub start_word: usize,
    pub end_word: usize,
    pub similarity: f64,
}

impl TypoIndex {
    /// Collects the forms of all names that may be misspelt.
    pub(super) fn build(names: &[Name]) -> Self {
        let mut forms = Vec::new();
        for (idx, name) in names.iter().enumerate() {
            let n = name.letters.len();
            let plain = name.letters.iter().all(char::is_ascii_alphanumeric);
            let n_letters = name.letters.iter().filter(|c| c.is_alphabetic()).count();
            if (MIN_LETTERS..=MAX_LETTERS).contains(&n)
                && plain
                && n_letters + 2 >= MIN_LETTERS
                && name.n_words <= MAX_WORDS
            {
                let idx = u32::try_from(idx).expect("fewer than 4 Gi names");
                deletions(&name.letters, |hash| {
                    forms.push((hash, idx));
                    true
                });
            }
        }
        forms.sort_unstable();
        forms.dedup();
        let bits = (forms.len() * 16).next_power_of_two().max(64);
        let mask = bits as u64 - 1;
        let mut filter = vec![0_u64; bits / 64];
        for (hash, _) in &forms {
            let bit = hash & mask;
            filter[(bit / 64) as usize] |= 1 << (bit % 64);
        }
        Self { filter, mask, forms }
    }

    fn candidates(&self, letters: &[char], out: &mut Vec<u32>) {
        out.clear();
        deletions(letters, |hash| {
            let bit = hash & self.mask;
            if self.filter[(bit / 64) as usize] & (1 << (bit % 64)) != 0 {
                let from = self.forms.partition_point(|(h, _)| *h < hash);
                out.extend(self.forms[from..].iter().take_while(|(h, _)| *h == hash).map(|(_, name)| *name));
            }
            out.len() < 256
        });
        out.sort_unstable();
        out.dedup();
    }
}

/// Calls `each` with the hash of a word and of every form with one letter deleted, and with two for middling lengths,
/// until it says to stop.
fn deletions(letters: &[char], mut each: impl FnMut(u64) -> bool) {
    const BASE: u64 = 0x9e37_79b9_7f4a_7c15;
    let n = letters.len();
    let mut prefix = vec![0_u64; n + 1];
    let mut power = vec![1_u64; n + 1];
    for (i, &c) in letters.iter().enumerate() {
        prefix[i + 1] = prefix[i].wrapping_mul(BASE).wrapping_add(u64::from(u32::from(c)) + 1);
        power[i + 1] = power[i].wrapping_mul(BASE);
    }
    let range = |from: usize, to: usize| prefix[to].wrapping_sub(prefix[from].wrapping_mul(power[to - from]));
    let finish = |hash: u64| (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_right(31);
    if !each(finish(prefix[n])) {
        return;
    }
    for i in 0..n {
        let head = prefix[i].wrapping_mul(power[n - i - 1]).wrapping_add(range(i + 1, n));
        if !each(finish(head)) {
            return;
        }
    }
    if !(TWO_MISTAKES_FROM - 2..=MAX_LETTERS_TWO).contains(&n) {
        return;
    }
    for i in 0..n {
        for j in i + 1..n {
            let head = prefix[i].wrapping_mul(power[j - i - 1]).wrapping_add(range(i + 1, j));
            let whole = head.wrapping_mul(power[n - j - 1]).wrapping_add(range(j + 1, n));
            if !each(finish(whole)) {
                return;
            }
        }
    }
}

/// The misspelt names in a text, best first within one window of words; `taken` gives the letters of a word
/// that name a brand already.
pub(super) fn find(
    index: &BrandIndex,
    lexicon: &Lexicon,
    text: &Text,
    taken: &dyn Fn(usize) -> usize,
) -> Vec<Misspelling> {
    let mut found = Vec::new();
    let mut candidates = Vec::new();
    let mut n_judged = 0;
    for start in 0..text.words.len() {
        let mut letters: Vec<char> = Vec::new();
        let mut all_known = true;
        let mut n_taken = 0;
        for end in start + 1..=(start + MAX_WORDS).min(text.words.len()) {
            let word = &text.words[end - 1];
            let usable = text.chars[word.start..word.end].iter().all(|c| c.c.is_ascii_alphanumeric());
            // A full stop behind one or two letters shortens a word and ends nothing.
            let apart = end > start + 1 && word.gap == Gap::Clause && text.word(end - 2).len() > 2;
            if !usable || apart {
                break;
            }
            n_taken += taken(end - 1);
            letters.extend(text.chars[word.start..word.end].iter().map(|c| c.c));
            if letters.len() > MAX_LETTERS {
                break;
            }
            all_known &= index.is_known_word(lexicon, text.word(end - 1));
            if letters.len() + 1 < MIN_LETTERS || all_known {
                continue;
            }
            index.typos.candidates(&letters, &mut candidates);
            n_judged += candidates.len();
            if n_judged > MAX_JUDGED {
                return found;
            }
            let window = |&name: &u32| judge(index, name as usize, &letters, start, end);
            // A name that is spelt out gives way only to one more than twice as long around it.
            let longer = |m: &Misspelling| n_taken * 2 < index.names[m.name].letters.len();
            let best = candidates.iter().filter_map(window).filter(longer).max_by(|a, b| {
                // The candidates stand in the order of names; the first of equals wins.
                a.similarity.total_cmp(&b.similarity).then(b.name.cmp(&a.name))
            });
            found.extend(best);
        }
    }
    found
}

fn judge(
    index: &BrandIndex,
    name_idx: usize,
    seen: &[char],
    start: usize,
    end: usize,
) -> Option<Misspelling> {
    let name = &index.names[name_idx];
    let wanted = &name.letters;
    if name.n_words != end - start && name.gaps.contains(&NameGap::Space) {
        return None;
    }
    if name.n_words == 1 && end - start > 1 {
        return None;
    }
    let (seen_text, wanted_text): (String, String) = (seen.iter().collect(), wanted.iter().collect());
    let distance = strsim::damerau_levenshtein(&seen_text, &wanted_text);
    let allowed = if wanted.len() >= TWO_MISTAKES_FROM { 2 } else { 1 };
    if distance == 0 || distance > allowed {
        return None;
    }
    // The first letter is the last that people get wrong; swapped with the second it is still seen.
    let swapped = seen.len() > 1 && seen[0] == wanted[1] && seen[1] == wanted[0];
    let first_holds = seen[0] == wanted[0] || (distance == 1 && (swapped || wanted.len() >= 7));
    // A plural or genitive of the name is not a misspelling of it.
    let plural_of = |one: &[char], other: &[char]| {
        one.len() == other.len() + 1 && one.last() == Some(&'s') && one[..other.len()] == other[..]
    };
    let plural = plural_of(seen, wanted) || plural_of(wanted, seen);
    let digits = |letters: &[char]| letters.iter().copied().filter(char::is_ascii_digit).collect::<Vec<_>>();
    if !first_holds || plural || digits(seen) != digits(wanted) {
        return None;
    }
    let similarity = strsim::normalized_damerau_levenshtein(&seen_text, &wanted_text);
    Some(Misspelling { name: name_idx, start_word: start, end_word: end, similarity })
}
