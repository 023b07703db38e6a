//! Names in which signs or emoji stand for letters: "Lum⭐ra".

use super::index::BrandIndex;
use super::squeeze::{is_letter_sign, written_for};
use crate::fold::FoldedChar;

/// How many names are compared with the masked windows of one text; a text full of stars costs no more.
const MAX_COMPARED: usize = 1_000_000;
/// A masked name spans at most so many runs between spaces.
const MAX_CHUNKS: usize = 6;
/// More brands than this fit the pattern: then it names none of them.
const MAX_BRANDS: usize = 3;

/// A masked name: a range of folded characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Masked {
    pub name: usize,
    pub start: usize,
    pub end: usize,
    pub similarity: f64,
}

/// One place of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Letter(char),
    Any,
}

/// The masked names of a text. Single words are looked at first, so that no crowd of masked words in front hides one.
pub(super) fn find(index: &BrandIndex, chars: &[FoldedChar]) -> Vec<Masked> {
    if !chars.iter().any(|c| is_mask(c.c) || is_soft_mask(c.c)) {
        return Vec::new();
    }
    let chunks = chunks(chars);
    let mut found = Vec::new();
    let mut n_compared = 0;
    for n_more in 0..MAX_CHUNKS.min(chunks.len()) {
        for from in 0..chunks.len() - n_more {
            let (start, end) = (chunks[from].0, chunks[from + n_more].1);
            let Some(pattern) = pattern(&chars[start..end]) else { continue };
            found.extend(matches(index, &pattern, start, end, &mut n_compared));
            if n_compared > MAX_COMPARED {
                return found;
            }
        }
    }
    found
}

/// Runs of characters between spaces, without punctuation at their ends.
fn chunks(chars: &[FoldedChar]) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        if chars[i].c.is_whitespace() {
            i += 1;
            continue;
        }
        let end = chars[i..].iter().position(|c| c.c.is_whitespace()).map_or(chars.len(), |n| i + n);
        let useful = |c: &FoldedChar| c.c.is_alphanumeric() || is_mask(c.c);
        let first = chars[i..end].iter().position(useful);
        let last = chars[i..end].iter().rposition(useful);
        if let (Some(first), Some(last)) = (first, last) {
            out.push((i + first, i + last + 1));
        }
        i = end;
    }
    out
}

/// The pattern of a window: `None` where nothing is masked, too little is left, or the signs only decorate its ends.
fn pattern(chars: &[FoldedChar]) -> Option<Vec<Slot>> {
    let mut slots = Vec::new();
    // Letters that stand one by one ("L * m o r a") may have their signs one by one too.
    let alone = chars.windows(2).all(|pair| pair[0].c.is_whitespace() || pair[1].c.is_whitespace());
    // A sign that touches no letter or other sign replaces none: a footnote, "No. #", a bullet between words.
    let touches =
        |i: usize| chars[i].c.is_alphanumeric() || is_mask(chars[i].c) || is_letter_sign(chars[i].c);
    let between = |i: usize| {
        i > 0 && chars[i - 1].c.is_alphanumeric() && chars.get(i + 1).is_some_and(|c| c.c.is_alphanumeric())
    };
    let any_inside = (0..chars.len()).any(|i| is_mask(chars[i].c) && between(i));
    for (i, folded) in chars.iter().enumerate() {
        let c = folded.c;
        // Signs that also end words and open numbers count only inside a word.
        let inside = || between(i);
        if c.is_alphanumeric() || (is_letter_sign(c) && inside()) {
            slots.push(Slot::Letter(c));
        } else if is_mask(c) || (is_soft_mask(c) && inside()) {
            let held = alone || (i > 0 && touches(i - 1)) || (i + 1 < chars.len() && touches(i + 1));
            // One that ends a word in front of another marks that word, unless other signs are drawn inside words.
            let at_space = |i: usize| chars.get(i).is_some_and(|c| c.c.is_whitespace());
            let marks =
                !alone && !any_inside && decorates(c) && (at_space(i + 1) || (i > 0 && at_space(i - 1)));
            if !held || marks {
                return None;
            }
            slots.push(Slot::Any);
        }
        if slots.len() > 40 {
            return None;
        }
    }
    let letters = slots.iter().filter(|s| **s != Slot::Any).count();
    let masks = slots.len() - letters;
    let decorated = matches!(slots.first(), Some(Slot::Any)) && decorates(chars[0].c);
    (masks > 0 && letters >= 2 && letters * 3 >= slots.len() && !decorated).then_some(slots)
}

fn matches(
    index: &BrandIndex,
    pattern: &[Slot],
    start: usize,
    end: usize,
    n_compared: &mut usize,
) -> Vec<Masked> {
    let fixed = pattern.iter().filter(|s| **s != Slot::Any).count();
    let same_length = index.names_by_length.get(&pattern.len()).map_or(&[][..], Vec::as_slice);
    let wrong = |name: usize| {
        let letters = index.names[name].letters.iter().zip(pattern);
        letters.filter(|&(&c, slot)| !fits(*slot, c)).count()
    };
    let agrees = |name: usize| index.names[name].letters.iter().zip(pattern).all(|(&c, slot)| fits(*slot, c));
    // One more, so that a window is never free.
    *n_compared += same_length.len() + 1;
    let mut names: Vec<usize> = same_length.iter().copied().filter(|&name| agrees(name)).collect();
    let mut most = MAX_BRANDS;
    if names.is_empty() && fixed >= 4 {
        let lengths = pattern.len().saturating_sub(3)..=pattern.len() + 4;
        let near =
            index.names_by_length.range(lengths).flat_map(|(_, names)| names).inspect(|_| *n_compared += 1);
        names = near.filter(|&&name| fits_loosely(pattern, &index.names[name].letters)).copied().collect();
    }
    if names.is_empty() && fixed >= 6 {
        // One of the letters that are left is wrong as well.
        let first_holds = |name: usize| fits(pattern[0], index.names[name].letters[0]);
        names = same_length.iter().copied().filter(|&name| wrong(name) == 1 && first_holds(name)).collect();
        most = 1;
    }
    if names.is_empty() && fixed >= 3 {
        names = cut_short(index, pattern, fixed);
        most = 1;
    }
    names.sort_unstable();
    names.dedup_by_key(|name| index.names[*name].brand);
    if names.len() > most {
        return Vec::new();
    }
    let similarity = |name: usize| fixed as f64 / index.names[name].letters.len().max(pattern.len()) as f64;
    names.into_iter().map(|name| Masked { name, start, end, similarity: similarity(name) }).collect()
}

/// Whether a place of the pattern reads as a letter.
fn fits(slot: Slot, letter: char) -> bool {
    match slot {
        Slot::Any => true,
        Slot::Letter(c) => c == letter || written_for(c, letter),
    }
}

/// The names of which at least half stands in front of signs that hide the rest: "Lumo*".
fn cut_short(index: &BrandIndex, pattern: &[Slot], fixed: usize) -> Vec<usize> {
    if pattern[..fixed].contains(&Slot::Any) {
        return Vec::new();
    }
    let lengths = fixed + 1..=2 * fixed;
    let near = index.names_by_length.range(lengths).flat_map(|(_, names)| names).copied();
    near.filter(|&name| {
        pattern[..fixed].iter().zip(&index.names[name].letters).all(|(&slot, &c)| fits(slot, c))
    })
    .collect()
}

/// Whether a run of k signs can stand for k − 1 to k + 2 letters so that the pattern reads as the name.
fn fits_loosely(pattern: &[Slot], name: &[char]) -> bool {
    if let (Some(&slot), Some(&first)) = (pattern.first(), name.first())
        && !fits(slot, first)
    {
        return false;
    }
    // reach[j]: the pattern so far can end before letter j of the name.
    let mut reach = vec![false; name.len() + 1];
    reach[0] = true;
    let mut i = 0;
    while i < pattern.len() {
        let mut next = vec![false; name.len() + 1];
        match pattern[i] {
            slot @ Slot::Letter(_) => {
                for j in 0..name.len() {
                    next[j + 1] = reach[j] && fits(slot, name[j]);
                }
                i += 1;
            }
            Slot::Any => {
                let run = pattern[i..].iter().take_while(|s| **s == Slot::Any).count();
                for j in (0..=name.len()).filter(|&j| reach[j]) {
                    for taken in run - 1..=run + 2 {
                        if let Some(slot) = next.get_mut(j + taken) {
                            *slot = true;
                        }
                    }
                }
                i += run;
            }
        }
        reach = next;
        if !reach.contains(&true) {
            return false;
        }
    }
    reach[name.len()]
}

/// Signs that also stand before and behind words for their own sake.
fn decorates(c: char) -> bool {
    matches!(c, '*' | '#' | '~' | '•' | '·')
}

/// Signs that are drawn in place of a letter.
fn is_mask(c: char) -> bool {
    matches!(
        c,
        '*' | '#' | '~' | '•' | '·' | '※' | '×' | '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}'
            | '\u{25a0}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1f1e5}' | '\u{1f200}'..='\u{1faff}'
    )
}

/// Signs that are written in place of a letter, but for their own sake too.
fn is_soft_mask(c: char) -> bool {
    matches!(c, '_' | '?' | '%' | '^' | '¤' | '°' | '§' | '¿' | '¶' | '†' | '‡')
}
