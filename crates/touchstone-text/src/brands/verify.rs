//! Whether a hit of the automaton names the brand, and how.

use touchstone_types::How;

use super::index::{KnownWords, Name, NameGap};
use super::squeeze::written_for;
use crate::fold::{CONFUSABLE, FoldedChar, HIDDEN_BEFORE, STYLED, UPPER};
use crate::pairs::is_unit;
use crate::words::{Gap, Text, is_unspaced};

/// The longest run of signs or spaces that may stand between two letters of one word of a name.
const MAX_GAP_CHARS: usize = 3;
/// The longest run that may stand between two words of a name.
const MAX_NAME_GAP_CHARS: usize = 6;

/// Checks that the folded characters at `at` (one place for each letter of `name`) name the brand.
pub(super) fn verify(
    known: KnownWords<'_>,
    text: &Text,
    at: &[usize],
    name: &Name,
    in_brand_field: bool,
) -> Option<How> {
    let chars = &text.chars;
    let letters = Letters::compare(chars, at, name)?;
    let gaps = Gaps::compare(chars, at, name)?;
    let exact = !letters.disguised() && gaps.inserted == 0 && !gaps.joined;
    let (first, last) = (at[0], at[at.len() - 1]);
    if !starts_word(chars, first, exact) || !ends_word(chars, last, exact) {
        return None;
    }
    if name.short && !in_brand_field && !short_is_meant(known, text, at, name, &letters, exact) {
        return None;
    }
    if letters.leet > 0 && !leet_is_plausible(known, text, first, last, at.len(), letters.leet) {
        return None;
    }
    if gaps.inserted > 0 && letters.leet > 0 {
        // A number and the word after it are no name pulled apart ("70 ml"); letters that all stand alone are.
        let alone = gaps.before.iter().skip(1).all(|&gap| gap);
        if !alone || at.len() < 5 || letters.leet * 3 > at.len() {
            return None;
        }
    } else if gaps.inserted > 0 {
        if !spacing_is_plausible(known, text, at, &gaps) {
            return None;
        }
    } else if gaps.at_seam && !seam_is_plausible(known, text, at, &gaps) {
        return None;
    }
    // Without its signs a name of digits alone is just a number.
    let only_digits = !name.letters.iter().any(|c| c.is_alphabetic());
    if only_digits && (letters.leet > 0 || gaps.joined || gaps.unsigned || gaps.inserted > 0) {
        return None;
    }
    // "Vandal" is no "Van Dal".
    if gaps.joined && (at.len() < 5 || known.contains(text.word(text.word_at(first)))) {
        return None;
    }
    if exact && name.ordinary && !in_brand_field && !stands_out(text, first, last) {
        return None;
    }
    Some(match () {
        () if exact => name.how,
        () if letters.confusable => How::Confusable,
        () if letters.hidden => How::Hidden,
        () if letters.styled => How::Styled,
        () if letters.leet > 0 => How::Leet,
        () if gaps.inserted > 0 => How::Spaced,
        () => How::Joined,
    })
}

#[derive(Default)]
struct Letters {
    confusable: bool,
    hidden: bool,
    styled: bool,
    leet: usize,
    /// A capital I stands for a small l, or the other way round.
    swapped: bool,
}

impl Letters {
    fn disguised(&self) -> bool {
        self.confusable || self.hidden || self.styled || self.leet > 0
    }

    fn compare(chars: &[FoldedChar], at: &[usize], name: &Name) -> Option<Self> {
        let mut found = Self::default();
        for (i, &place) in at.iter().enumerate() {
            let (seen, wanted) = (&chars[place], name.letters[i]);
            found.hidden |= i > 0 && seen.flags & HIDDEN_BEFORE != 0;
            if seen.c == wanted {
                let as_owner_writes = seen.raw == name.raws[i];
                found.confusable |= seen.flags & CONFUSABLE != 0 && !as_owner_writes;
                found.styled |= seen.flags & STYLED != 0 && !name.styled;
                continue;
            }
            if !written_for(seen.c, wanted) {
                return None;
            }
            match (seen.c.is_alphabetic(), wanted.is_alphabetic()) {
                // A capital I for a small l, or the other way round.
                (true, true) => (found.confusable, found.swapped) = (true, true),
                _ => found.leet += 1,
            }
        }
        Some(found)
    }
}

struct Gaps {
    /// How many gaps stand where the name has none.
    inserted: usize,
    /// Words of the name are written as one.
    joined: bool,
    /// A sign of the name is left out.
    unsigned: bool,
    /// One hyphen or space stands where the owner begins a new part of one word with a capital: "Mora-Rivo" for "MoraRivo".
    at_seam: bool,
    /// For each letter whether a gap stands before it.
    before: Vec<bool>,
}

impl Gaps {
    fn compare(chars: &[FoldedChar], at: &[usize], name: &Name) -> Option<Self> {
        let mut found = Self {
            inserted: 0,
            joined: false,
            unsigned: false,
            at_seam: false,
            before: vec![false; at.len()],
        };
        for i in 1..at.len() {
            let between = &chars[at[i - 1] + 1..at[i]];
            let longest = if name.gaps[i] == NameGap::None { MAX_GAP_CHARS } else { MAX_NAME_GAP_CHARS };
            if between.len() > longest {
                return None;
            }
            let apostrophe = between.len() == 1 && between[0].c == '\'';
            match (name.gaps[i], between.is_empty()) {
                (NameGap::None, true) => {}
                (NameGap::None, false) if apostrophe => {}
                (NameGap::None, false)
                    if name.has_seam(i) && between.len() == 1 && matches!(between[0].c, '-' | ' ') =>
                {
                    found.at_seam = true;
                    found.before[i] = true;
                }
                (NameGap::None, false) => {
                    let spaces = between.iter().filter(|c| c.c.is_whitespace()).count();
                    let signs = between.len() - spaces;
                    if (spaces > 0 && signs > 0)
                        || between.iter().any(|c| matches!(c.c, ',' | ';' | ':' | '\n'))
                    {
                        return None;
                    }
                    found.inserted += 1;
                    found.before[i] = true;
                }
                // Hyphens, full stops and ampersands come and go without disguise.
                (NameGap::Sign, true) => found.unsigned = true,
                // Capitals show where the words begin: "MaisonArdo" disguises nothing.
                (NameGap::Space, true) if is_seam(&chars[at[i - 1]], &chars[at[i]]) => {}
                (NameGap::Space, true) => found.joined = true,
                (NameGap::Sign | NameGap::Space, false) => found.before[i] = true,
            }
        }
        Some(found)
    }
}

fn is_seam(before: &FoldedChar, here: &FoldedChar) -> bool {
    before.flags & UPPER == 0 && before.c.is_alphabetic() && here.flags & UPPER != 0
}

fn starts_word(chars: &[FoldedChar], first: usize, exact: bool) -> bool {
    let Some(before) = first.checked_sub(1).map(|i| &chars[i]) else { return true };
    let here = &chars[first];
    !before.c.is_alphanumeric()
        || is_unspaced(before.c)
        || is_unspaced(here.c)
        || (before.c.is_ascii_digit() && here.c.is_alphabetic() && exact)
        || (exact && before.flags & UPPER == 0 && here.flags & UPPER != 0 && before.c.is_alphabetic())
}

/// A name ends where letters end; digits right behind it, or a capital behind its small letters, are a model of the brand.
fn ends_word(chars: &[FoldedChar], last: usize, exact: bool) -> bool {
    let Some(after) = chars.get(last + 1) else { return true };
    let here = &chars[last];
    !after.c.is_alphanumeric()
        || is_unspaced(after.c)
        || is_unspaced(here.c)
        || (exact && here.c.is_alphabetic() && after.c.is_ascii_digit())
        || (exact && here.flags & UPPER == 0 && here.c.is_alphabetic() && after.flags & UPPER != 0)
}

/// Whether more than chance writes a name of up to three letters: two letters in a row are a numeral, a size, the end of a
/// number or a syllable as well.
fn short_is_meant(
    known: KnownWords<'_>,
    text: &Text,
    at: &[usize],
    name: &Name,
    letters: &Letters,
    exact: bool,
) -> bool {
    let seen = || at.iter().map(|&place| &text.chars[place]);
    let own_capitals = seen().zip(&name.uppers).all(|(c, &upper)| (c.flags & UPPER != 0) == upper);
    let stands_out = || stands_out(text, at[0], at[at.len() - 1]);
    if exact {
        // A word needs the owner's capitals or some of its own; letters that are no word ("hp 20") speak for themselves.
        return !known.lexicon.is_known(&name.plain()) || own_capitals || stands_out();
    }
    if letters.swapped && seen().all(|c| matches!(c.c, 'i' | 'v' | 'x' | 'l' | 'c' | 'd' | 'm')) {
        return false;
    }
    if letters.leet > 0 || letters.swapped {
        let has_letter = seen().any(|c| c.c.is_alphabetic());
        return has_letter && (stands_out() || (name.is_lower_case() && own_capitals));
    }
    true
}

/// Leet needs letters beside the digits, and is no part number of the catalog.
fn leet_is_plausible(
    known: KnownWords<'_>,
    text: &Text,
    first: usize,
    last: usize,
    n_letters: usize,
    n_leet: usize,
) -> bool {
    let whole_words = (text.word_at(first), text.word_at(last));
    if whole_words.0 == whole_words.1
        && text.words.get(whole_words.0).is_some_and(|_| is_measure(text.word(whole_words.0)))
    {
        return false;
    }
    let is_part_number = whole_words.0 == whole_words.1
        && text.words.get(whole_words.0).is_some_and(|_| known.in_catalog(text.word(whole_words.0)));
    let enough = if n_letters <= 3 { n_leet <= 1 } else { n_leet * 3 <= n_letters * 2 };
    enough && n_leet < n_letters && !is_part_number
}

/// Whether a word is a number with a unit right behind it: "10ft" is a length, not "loft".
fn is_measure(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
    unit.len() < word.len() && (1..=3).contains(&unit.len()) && is_unit(unit)
}

/// The parts of a name that its owner joins by a capital, written apart: with the capitals, or not as two words of their own.
fn seam_is_plausible(known: KnownWords<'_>, text: &Text, at: &[usize], gaps: &Gaps) -> bool {
    let starts = at.iter().zip(&gaps.before).enumerate().filter(|(i, (_, gap))| *i == 0 || **gap);
    let mut flags = starts.map(|(_, (&place, _))| text.chars[place].flags);
    flags.all(|flags| flags & UPPER != 0) || spacing_is_plausible(known, text, at, gaps)
}

/// Letters pulled apart one by one, or a longer name cut in pieces that are not all words of their own.
fn spacing_is_plausible(known: KnownWords<'_>, text: &Text, at: &[usize], gaps: &Gaps) -> bool {
    let mut pieces: Vec<String> = vec![String::new()];
    for (i, &place) in at.iter().enumerate() {
        if gaps.before[i] {
            pieces.push(String::new());
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(text.chars[place].c);
        }
    }
    if pieces.len() == at.len() {
        return at.len() > 3 || !single_letter_beside(text, at);
    }
    let is_unknown = |p: &&String| {
        if p.len() == 1 { !known.lexicon.is_function(p) } else { !known.contains(p) }
    };
    let unknown = pieces.iter().filter(is_unknown).count();
    at.len() >= 4 && gaps.inserted <= 3 && unknown > 0
}

/// Whether the word before or after is a single letter too: then this is a list of sizes, not a name.
fn single_letter_beside(text: &Text, at: &[usize]) -> bool {
    let (first, last) = (text.word_at(at[0]), text.word_at(at[at.len() - 1]));
    let single = |w: usize| {
        text.words
            .get(w)
            .is_some_and(|word| word.end - word.start == 1 && text.chars[word.start].c.is_alphabetic())
    };
    first.checked_sub(1).is_some_and(single) || single(last + 1)
}

/// Whether a word of daily trade is written as a name: alone in the field, in capitals among small letters, or with a
/// capital where other words have none.
fn stands_out(text: &Text, first: usize, last: usize) -> bool {
    let word = text.word_at(first);
    if text.words.len() == 1 {
        return true;
    }
    let all_upper = |from: usize, to: usize| {
        text.chars[from..to].iter().filter(|c| c.c.is_alphabetic()).all(|c| c.flags & UPPER != 0)
    };
    let others = || text.words.iter().enumerate().filter(|(i, w)| *i != word && w.end - w.start >= 3);
    let letter_first = |start: usize| text.chars[start].c.is_alphabetic();
    let others_small = others().any(|(_, w)| letter_first(w.start) && text.chars[w.start].flags & UPPER == 0);
    let others_all_upper = others().all(|(_, w)| all_upper(w.start, w.end));
    // Beside another word with a capital it is a part of some longer name.
    let capital = |w: usize| text.words.get(w).is_some_and(|word| text.chars[word.start].flags & UPPER != 0);
    let apart = |w: usize| text.words.get(w).is_none_or(|word| word.gap == Gap::Clause);
    let alone = (word == 0 || !capital(word - 1) || apart(word)) && (!capital(word + 1) || apart(word + 1));
    (text.chars[first].flags & UPPER != 0 && others_small && alone)
        || (all_upper(first, last + 1) && last > first && !others_all_upper)
}
