//! Parts of a name in letters of another style: "𝗟𝘂𝗺𝗼". Who draws letters so that a search does not read them, and leaves half of
//! the name out, means the brand.

use super::index::{BrandIndex, KnownWords};
use crate::fold::STYLED;
use crate::words::Text;

/// Words of one text that are looked at.
const MAX_LOOKED_AT: usize = 8;
/// The fewest letters of a part.
const MIN_LETTERS: usize = 3;

/// A part of a name: a word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment {
    pub name: usize,
    pub word: usize,
    pub similarity: f64,
}

/// Words wholly of styled letters that begin or end the one-word names of one brand alone, and are at least half of them.
pub(super) fn find(
    index: &BrandIndex,
    known: KnownWords<'_>,
    text: &Text,
    taken: &dyn Fn(usize) -> usize,
) -> Vec<Fragment> {
    let mut found = Vec::new();
    let mut n_looked_at = 0;
    for (w, word) in text.words.iter().enumerate() {
        let chars = &text.chars[word.start..word.end];
        let styled = || chars.iter().all(|c| c.flags & STYLED != 0 && c.c.is_ascii_alphabetic());
        if chars.len() < MIN_LETTERS || !styled() || taken(w) > 0 || known.contains(text.word(w)) {
            continue;
        }
        n_looked_at += 1;
        if n_looked_at > MAX_LOOKED_AT {
            return found;
        }
        let letters: Vec<char> = chars.iter().map(|c| c.c).collect();
        let lengths = letters.len() + 1..=2 * letters.len();
        let near = index.names_by_length.range(lengths).flat_map(|(_, names)| names).copied();
        let part = |name: &usize| {
            let whole = &index.names[*name];
            whole.n_words == 1 && (whole.letters.starts_with(&letters) || whole.letters.ends_with(&letters))
        };
        let names: Vec<usize> = near.filter(part).collect();
        if let Some(&name) = names.first()
            && names.iter().all(|n| index.names[*n].brand == index.names[name].brand)
        {
            let similarity = letters.len() as f64 / index.names[name].letters.len() as f64;
            found.push(Fragment { name, word: w, similarity });
        }
    }
    found
}
