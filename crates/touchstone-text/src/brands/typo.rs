//! Misspelt names: cheap filters find candidates, the Damerau-Levenshtein distance decides.
//!
//! Two words at distance 1 share a form once up to one letter is deleted from each. Those forms of all names are kept as
//! hashes with a bit filter before them, so that a word of a listing costs some dozen bit probes. Two mistakes are forgiven
//! in long names only, and only behind a right first letter: these names are kept by first letter and length, each with
//! the set of its letters, from which two mistakes can take or to which they can add four at most.

use std::collections::HashSet;

use super::index::{BrandIndex, KnownWords, Name, NameGap};
use crate::fold::{CONFUSABLE, FoldedChar, HIDDEN_BEFORE, STYLED, UPPER};
use crate::words::{Gap, Text};

/// The fewest letters of a name that may be misspelt.
const MIN_LETTERS: usize = 5;
/// From so many letters on two mistakes are forgiven.
const TWO_MISTAKES_FROM: usize = 10;
/// In longer names than this only one mistake is forgiven.
const MAX_LETTERS_TWO: usize = 20;
/// Below so many letters a misspelling in small letters may be a word that nobody listed, and needs a second sign.
const PLAIN_FROM: usize = 7;
/// From so many letters on a name may be misspelt and in leet, or misspelt and pulled apart.
const LEET_FROM: usize = 6;
/// The longest misspelt name, in words.
const MAX_WORDS: usize = 4;
/// Candidates compared letter by letter in one text; a text made of near misses costs no more.
const MAX_JUDGED: usize = 4_096;
/// Candidates of either kind taken for one word.
const MAX_CANDIDATES: usize = 256;
/// The longest text window, in letters.
const MAX_LETTERS: usize = 40;

/// The names that may be misspelt.
#[derive(Debug)]
pub(super) struct TypoIndex {
    /// A bit for each hash of `forms`.
    filter: Vec<u64>,
    mask: u64,
    /// The hashes of the names' forms with at most one letter deleted, and the names.
    forms: Vec<(u64, u32)>,
    /// The names in which two mistakes are forgiven, by first letter and length.
    long: Vec<Long>,
}

/// A name in which two mistakes are forgiven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Long {
    first: char,
    n: usize,
    /// One bit for each letter and digit that it has.
    letters: u64,
    name: u32,
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
        let (mut forms, mut long) = (Vec::new(), Vec::new());
        // Of brands of one name the first is reported for a misspelling, so the others need no search.
        let mut seen = HashSet::new();
        for (idx, name) in names.iter().enumerate() {
            let n = name.letters.len();
            let plain = name.letters.iter().all(char::is_ascii_alphanumeric);
            let n_letters = name.letters.iter().filter(|c| c.is_alphabetic()).count();
            if !(MIN_LETTERS..=MAX_LETTERS).contains(&n)
                || !plain
                || n_letters + 2 < MIN_LETTERS
                || name.n_words > MAX_WORDS
                || !seen.insert((&name.letters, &name.gaps))
            {
                continue;
            }
            let idx = u32::try_from(idx).expect("fewer than 4 Gi names");
            deletions(&name.letters, |hash| {
                forms.push((hash, idx));
                true
            });
            if (TWO_MISTAKES_FROM..=MAX_LETTERS_TWO).contains(&n) {
                let letters = letter_set(&name.letters);
                long.push(Long { first: name.letters[0], n, letters, name: idx });
            }
        }
        forms.sort_unstable();
        forms.dedup();
        long.sort_unstable();
        let bits = (forms.len() * 16).next_power_of_two().max(64);
        let mask = bits as u64 - 1;
        let mut filter = vec![0_u64; bits / 64];
        for (hash, _) in &forms {
            let bit = hash & mask;
            filter[(bit / 64) as usize] |= 1 << (bit % 64);
        }
        Self { filter, mask, forms, long }
    }

    /// The names that letters may misspell, in order: all that they do, and some that they do not.
    fn candidates(&self, letters: &[char], out: &mut Vec<u32>) {
        out.clear();
        deletions(letters, |hash| {
            let bit = hash & self.mask;
            if self.filter[(bit / 64) as usize] & (1 << (bit % 64)) != 0 {
                let from = self.forms.partition_point(|(h, _)| *h < hash);
                out.extend(self.forms[from..].iter().take_while(|(h, _)| *h == hash).map(|(_, name)| *name));
            }
            out.len() < MAX_CANDIDATES
        });
        let n = letters.len();
        if (TWO_MISTAKES_FROM - 2..=MAX_LETTERS_TWO).contains(&n) {
            let (first, set) = (letters[0], letter_set(letters));
            let from = self.long.partition_point(|long| (long.first, long.n) < (first, n - 2));
            let near = self.long[from..].iter().take_while(|long| long.first == first && long.n <= n + 2);
            let fits = near.filter(|long| (long.letters ^ set).count_ones() <= 4);
            out.extend(fits.map(|long| long.name).take(MAX_CANDIDATES));
        }
        out.sort_unstable();
        out.dedup();
    }
}

/// One bit for each letter and digit.
fn letter_set(letters: &[char]) -> u64 {
    letters.iter().fold(0, |set, &c| set | 1 << (u32::from(c) & 63))
}

/// Calls `each` with the hash of a word and of every form with one letter deleted, until it says to stop.
fn deletions(letters: &[char], mut each: impl FnMut(u64) -> bool) {
    const BASE: u64 = 0x9e37_79b9_7f4a_7c15;
    let n = letters.len();
    debug_assert!(n <= MAX_LETTERS, "callers look at no longer windows");
    let letter = |c: char| u64::from(u32::from(c)) + 1;
    let finish = |hash: u64| (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_right(31);
    // The letters are the digits of a number in this base, the last of them the lowest. Seen from the end, each form
    // differs from the one before it in one digit.
    let whole = letters.iter().fold(0_u64, |hash, &c| hash.wrapping_mul(BASE).wrapping_add(letter(c)));
    if !each(finish(whole)) || n == 0 {
        return;
    }
    let without_last = letters[..n - 1].iter();
    let mut hash = without_last.fold(0_u64, |hash, &c| hash.wrapping_mul(BASE).wrapping_add(letter(c)));
    let mut power = 1_u64;
    for i in (0..n).rev() {
        if !each(finish(hash)) {
            return;
        }
        if i > 0 {
            let step = letter(letters[i]).wrapping_sub(letter(letters[i - 1]));
            hash = hash.wrapping_add(step.wrapping_mul(power));
            power = power.wrapping_mul(BASE);
        }
    }
}

/// The misspelt names in a text, best first within one window of words; `taken` gives the letters of a word
/// that name a brand already, and `in_brand_field` says that the field holds a brand anyway.
pub(super) fn find(
    index: &BrandIndex,
    known: KnownWords<'_>,
    text: &Text,
    in_brand_field: bool,
    taken: &dyn Fn(usize) -> usize,
) -> Vec<Misspelling> {
    let mut found = Vec::new();
    let mut candidates = Vec::new();
    let mut n_judged = 0;
    found.extend(pulled_apart(index, text, &mut candidates, taken));
    let about: Vec<(bool, bool)> = (0..text.words.len())
        .map(|w| {
            let word = &text.words[w];
            let usable = text.chars[word.start..word.end].iter().all(|c| c.c.is_ascii_alphanumeric());
            (usable, usable && known.contains(text.word(w)))
        })
        .collect();
    let mut letters: Vec<char> = Vec::with_capacity(MAX_LETTERS * 2);
    for start in 0..text.words.len() {
        letters.clear();
        let mut all_known = true;
        let mut n_taken = 0;
        for end in start + 1..=(start + MAX_WORDS).min(text.words.len()) {
            let word = &text.words[end - 1];
            let (usable, is_known) = about[end - 1];
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
            all_known &= is_known;
            if letters.len() + 1 < MIN_LETTERS || all_known {
                continue;
            }
            let plain = if end == start + 1 { without_leet(&letters) } else { None };
            let letters = plain.as_ref().unwrap_or(&letters);
            index.typos.candidates(letters, &mut candidates);
            n_judged += candidates.len();
            if n_judged > MAX_JUDGED {
                return found;
            }
            let least = if plain.is_some() { LEET_FROM } else { 0 };
            candidates.retain(|&name| index.names[name as usize].letters.len() >= least);
            let window = |&name: &u32| judge(index, name as usize, letters, start, end);
            // A name that is spelt out gives way only to one more than twice as long around it.
            let longer = |m: &Misspelling| n_taken * 2 < index.names[m.name].letters.len();
            let meant = |m: &Misspelling| {
                in_brand_field
                    || is_meant(&index.names[m.name], letters, &text.chars[text.words[start].start..word.end])
            };
            let best = candidates.iter().filter_map(window).filter(longer).filter(meant).max_by(|a, b| {
                // The candidates stand in the order of names; the first of equals wins.
                a.similarity.total_cmp(&b.similarity).then(b.name.cmp(&a.name))
            });
            found.extend(best);
        }
    }
    found
}

/// Whether a short misspelt name has a second sign of being one: a capital, letters that are only doubled, swapped or
/// in disguise, or an owner who writes no capital either. Long names are hit by no ordinary word.
fn is_meant(name: &Name, seen: &[char], written: &[FoldedChar]) -> bool {
    let slip = || {
        let single = |letters: &[char]| {
            let mut letters = letters.to_vec();
            letters.dedup();
            letters
        };
        let sorted = |letters: &[char]| {
            let mut letters = letters.to_vec();
            letters.sort_unstable();
            letters
        };
        single(seen) == single(&name.letters) || sorted(seen) == sorted(&name.letters)
    };
    let disguised = || written.iter().any(|c| c.flags & (CONFUSABLE | STYLED | HIDDEN_BEFORE) != 0);
    let capital = written[0].flags & UPPER != 0;
    name.letters.len() >= PLAIN_FROM || capital || name.is_lower_case() || slip() || disguised()
}

/// The letters of a word with the digits inside it read as letters; `None` where there are none, or hardly any letters.
fn without_leet(letters: &[char]) -> Option<Vec<char>> {
    let inner = letters.len().checked_sub(1)?;
    let n_digits = letters.iter().filter(|c| c.is_ascii_digit()).count();
    // "5x" counts what follows.
    let counts = letters.iter().find(|c| !c.is_ascii_digit()) == Some(&'x') && letters[0].is_ascii_digit();
    let is_leet =
        n_digits > 0 && !counts && n_digits * 3 <= letters.len() && !letters[inner].is_ascii_digit();
    let plain = |c: char| match c {
        '0' => 'o',
        '1' => 'l',
        '2' => 'z',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '6' | '9' => 'g',
        '7' => 't',
        '8' => 'b',
        _ => c,
    };
    is_leet.then(|| letters.iter().map(|&c| plain(c)).collect())
}

/// The misspelt names whose letters stand apart one by one: "L u m r a".
fn pulled_apart(
    index: &BrandIndex,
    text: &Text,
    candidates: &mut Vec<u32>,
    taken: &dyn Fn(usize) -> usize,
) -> Vec<Misspelling> {
    let single = |w: usize| {
        let word = &text.words[w];
        word.end - word.start == 1 && text.chars[word.start].c.is_ascii_alphabetic()
    };
    let mut found = Vec::new();
    let mut start = 0;
    while start < text.words.len() {
        let n = (start..text.words.len().min(start + MAX_LETTERS)).take_while(|&w| single(w)).count();
        if n + 1 >= LEET_FROM && (start..start + n).all(|w| taken(w) == 0) {
            let letters: Vec<char> = (start..start + n).map(|w| text.chars[text.words[w].start].c).collect();
            index.typos.candidates(&letters, candidates);
            let window = |&name: &u32| {
                let long = index.names[name as usize].letters.len() >= LEET_FROM;
                let similarity = if long { nearness(index, name as usize, &letters)? } else { return None };
                Some(Misspelling { name: name as usize, start_word: start, end_word: start + n, similarity })
            };
            found.extend(
                candidates
                    .iter()
                    .filter_map(window)
                    .max_by(|a, b| a.similarity.total_cmp(&b.similarity).then(b.name.cmp(&a.name))),
            );
        }
        start += n.max(1);
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
    if name.n_words != end - start && name.gaps.contains(&NameGap::Space) {
        return None;
    }
    if name.n_words == 1 && end - start > 1 {
        return None;
    }
    let similarity = nearness(index, name_idx, seen)?;
    Some(Misspelling { name: name_idx, start_word: start, end_word: end, similarity })
}

/// How near letters are to a name that they misspell; `None` where they do not.
fn nearness(index: &BrandIndex, name_idx: usize, seen: &[char]) -> Option<f64> {
    let wanted = &index.names[name_idx].letters;
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
    Some(strsim::normalized_damerau_levenshtein(&seen_text, &wanted_text))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use touchstone_types::{BrandRecord, CatalogRecord};

    use super::*;
    use crate::lexicon::Lexicon;

    fn index(names: &[&str]) -> BrandIndex {
        let brand = |(i, name): (usize, &&str)| {
            let json = format!(r#"{{"kind":"brand","brand_id":"b{i}","name":"{name}"}}"#);
            match CatalogRecord::from_json(json.as_bytes()) {
                Ok(CatalogRecord::Brand(brand)) => brand,
                other => panic!("{other:?}"),
            }
        };
        let brands: Vec<BrandRecord> = names.iter().enumerate().map(brand).collect();
        BrandIndex::build(&Lexicon::builtin(), &brands)
    }

    #[test]
    fn forms_are_the_word_and_each_form_with_one_letter_less() {
        let forms = |letters: &[char]| {
            let mut out = Vec::new();
            deletions(letters, |hash| {
                out.push(hash);
                true
            });
            out
        };
        for word in ["", "l", "lu", "lumora", "veltranordia", "aabba20aa"] {
            let letters: Vec<char> = word.chars().collect();
            let shorter = (0..letters.len()).rev().map(|i| [&letters[..i], &letters[i + 1..]].concat());
            let plain = std::iter::once(letters.clone()).chain(shorter).map(|form| forms(&form)[0]);
            assert_eq!(forms(&letters), plain.collect::<Vec<_>>(), "{word}");
        }
    }

    const NAMES: [&str; 7] =
        ["Lumora", "Veltranora", "Veltranordia", "Lumorasidenta", "Veltran", "Quinzolanders", "Lumoa"];

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(9), failure_persistence: None, ..ProptestConfig::default() })]

        /// Every name is compared here; the candidates leave out none that is near.
        #[test]
        fn candidates_hold_every_misspelt_name(
            name in 0..NAMES.len(),
            edits in proptest::collection::vec((0..4_u8, 0..14_usize, "[a-z]"), 0..3),
        ) {
            static INDEX: LazyLock<BrandIndex> = LazyLock::new(|| index(&NAMES));
            let index = &*INDEX;
            let mut seen: Vec<char> = NAMES[name].to_ascii_lowercase().chars().collect();
            for (kind, at, letter) in edits {
                let (at, letter) = (at % seen.len(), letter.chars().next().unwrap());
                match kind {
                    0 => seen[at] = letter,
                    1 => seen.insert(at, letter),
                    2 if seen.len() > 2 => { seen.remove(at); }
                    _ if at > 0 => seen.swap(at - 1, at),
                    _ => {}
                }
            }
            let plain: Vec<u32> =
                (0..index.names.len()).filter(|&n| nearness(index, n, &seen).is_some()).map(|n| n as u32).collect();
            let mut found = Vec::new();
            index.typos.candidates(&seen, &mut found);
            found.retain(|&n| nearness(index, n as usize, &seen).is_some());
            prop_assert_eq!(found, plain);
        }
    }
}
