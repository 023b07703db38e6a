//! All claims of one field, and which of them win where they overlap.

use std::collections::BTreeMap;

use touchstone_types::How;

use super::index::{BrandIndex, KnownWords};
use super::squeeze::{Signs, Squeezed, squeeze};
use super::verify::verify;
use super::{fragment, masked, typo};
use crate::roles::Reading;
use crate::words::Text;

/// How hard a field is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Names and their disguises.
    Plain,
    /// Misspelt and masked names too: a title is short and every word of it counts.
    Full,
    /// As `Full`, and words of daily trade count as names: the form asks for a brand.
    BrandField,
}

/// A brand named in a text, before its role is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    /// The place of the brand in [`BrandIndex::ids`].
    pub brand: usize,
    /// The first folded character.
    pub start: usize,
    /// After the last folded character.
    pub end: usize,
    /// How it is named.
    pub how: How,
    /// How near the text is to the name, 0 to 1.
    pub similarity: f64,
    /// How many letters the name has.
    n_letters: usize,
}

/// Hits of the automaton that are verified in one field; more than this and the rest is not looked at.
const MAX_HITS: usize = 4_096;

/// The brands named in a text, in order of place.
pub(crate) fn find(index: &BrandIndex, known: KnownWords<'_>, text: &Text, effort: Effort) -> Vec<Found> {
    let mut found = spelt_out(index, known, text, effort);
    keep_winners(&mut found);
    if effort != Effort::Plain {
        let mut more: Vec<Found> = masked::find(index, &text.chars)
            .into_iter()
            .map(|m| Found {
                brand: index.names[m.name].brand,
                start: m.start,
                end: m.end,
                how: How::Masked,
                similarity: m.similarity,
                n_letters: index.names[m.name].letters.len(),
            })
            .collect();
        let taken = |w: usize| {
            let word = &text.words[w];
            let inside = |f: &&Found| f.start < word.end && word.start < f.end;
            if found.iter().any(|f| inside(&f)) { word.end - word.start } else { 0 }
        };
        more.extend(fragment::find(index, known, text, &taken).into_iter().map(|f| Found {
            brand: index.names[f.name].brand,
            start: text.words[f.word].start,
            end: text.words[f.word].end,
            how: How::Styled,
            similarity: f.similarity,
            n_letters: text.words[f.word].end - text.words[f.word].start,
        }));
        let misspelt = typo::find(index, known, text, effort == Effort::BrandField, &taken);
        // What is spelt out inside a far longer misspelt name is a part of that name.
        found.retain(|f| {
            !misspelt
                .iter()
                .any(|m| text.words[m.start_word].start <= f.start && f.end <= text.words[m.end_word - 1].end)
        });
        more.extend(misspelt.into_iter().map(|m| Found {
            brand: index.names[m.name].brand,
            start: text.words[m.start_word].start,
            end: text.words[m.end_word - 1].end,
            how: How::Typo,
            similarity: m.similarity,
            n_letters: index.names[m.name].letters.len(),
        }));
        found.extend(more);
        keep_winners(&mut found);
    }
    found.sort_by_key(|f| (f.start, f.end, f.brand));
    found
}

/// At most `max` of what was found in a field, in order of place, and at most `max_alike` of one brand named in one way.
///
/// However often a brand is named honestly, no other name and no other spelling of it is crowded out: the first of each
/// brand and way come first, disguises before honest names, then the second of each, and so on.
pub(crate) fn various(found: Vec<Found>, max_alike: usize, max: usize) -> Vec<Found> {
    select(found, max_alike, max, |f| (f.brand, f.how), |f| f.how)
}

/// The same of claims whose role was read: one role does not crowd out another.
pub(crate) fn various_by_role(found: Vec<(&Found, Reading)>, max: usize) -> Vec<(&Found, Reading)> {
    select(found, max, max, |(f, reading)| (f.brand, f.how, reading.role), |(f, _)| f.how)
}

fn select<T, K: Ord>(
    items: Vec<T>,
    max_alike: usize,
    max: usize,
    kind: impl Fn(&T) -> K,
    how: impl Fn(&T) -> How,
) -> Vec<T> {
    if items.len() <= max.min(max_alike) {
        return items;
    }
    let mut n_of_kind: BTreeMap<K, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, bool, usize, T)> = Vec::with_capacity(items.len());
    for (place, item) in items.into_iter().enumerate() {
        let n = n_of_kind.entry(kind(&item)).or_default();
        let honest = matches!(how(&item), How::Exact | How::Alias);
        if *n < max_alike {
            ranked.push((*n, honest, place, item));
        }
        *n += 1;
    }
    ranked.sort_by_key(|&(rank, honest, place, _)| (rank, honest, place));
    ranked.truncate(max);
    ranked.sort_by_key(|&(_, _, place, _)| place);
    ranked.into_iter().map(|(_, _, _, item)| item).collect()
}

fn spelt_out(index: &BrandIndex, known: KnownWords<'_>, text: &Text, effort: Effort) -> Vec<Found> {
    let squeezed = squeeze(&text.chars, Signs::Common);
    let mut found = hits(index, known, text, effort, &squeezed);
    if squeezed.has_rare_signs {
        found.extend(hits(index, known, text, effort, &squeeze(&text.chars, Signs::All)));
    }
    found
}

fn hits(
    index: &BrandIndex,
    known: KnownWords<'_>,
    text: &Text,
    effort: Effort,
    squeezed: &Squeezed,
) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at: Vec<usize> = Vec::new();
    for hit in index.automaton.find_overlapping_iter(&squeezed.text).take(MAX_HITS * 16) {
        let start = squeezed.at[hit.start()] as usize;
        // A cheap look at the left edge spares the full check for most hits inside other words.
        let glued = start > 0
            && text.chars[start - 1].c.is_ascii_lowercase()
            && text.chars[start].c.is_ascii_lowercase();
        if glued && text.chars[start].flags & crate::fold::UPPER == 0 {
            continue;
        }
        at.clear();
        for &place in &squeezed.at[hit.start()..hit.end()] {
            if at.last() != Some(&(place as usize)) {
                at.push(place as usize);
            }
        }
        for &name_idx in &index.names_of_pattern[hit.pattern().as_usize()] {
            let name = &index.names[name_idx];
            if at.len() != name.letters.len() {
                continue;
            }
            let Some(how) = verify(known, text, &at, name, effort == Effort::BrandField) else {
                continue;
            };
            let end = at[at.len() - 1] + 1;
            found.push(Found { brand: name.brand, start, end, how, similarity: 1.0, n_letters: at.len() });
        }
        if found.len() >= MAX_HITS {
            break;
        }
    }
    found
}

/// The longest name wins; of two of the same length the more exact one. A misspelt or masked name never wins over
/// one that is spelt out. Different brands of the very same name stay side by side.
fn keep_winners(found: &mut Vec<Found>) {
    found.sort_by_key(|f| {
        (is_guess(f.how), usize::MAX - f.n_letters, exactness(f.how), f.start, f.end, f.brand)
    });
    let mut kept: Vec<Found> = Vec::new();
    let mut spans: Vec<(usize, usize, u8, usize)> = Vec::new();
    for claim in found.drain(..) {
        let rank = exactness(claim.how);
        let same = (claim.start, claim.end, rank, claim.n_letters);
        // The spans kept so far do not overlap and stand in order, so only neighbours can overlap.
        let i = spans.partition_point(|s| s.1 <= claim.start);
        match spans.get(i) {
            Some(span) if span.0 < claim.end => {
                let twin =
                    *span == same && !kept.iter().any(|k| k.start == claim.start && k.brand == claim.brand);
                if twin {
                    kept.push(claim);
                }
            }
            _ => {
                spans.insert(i, same);
                kept.push(claim);
            }
        }
    }
    *found = kept;
}

fn is_guess(how: How) -> bool {
    matches!(how, How::Typo | How::Masked)
}

fn exactness(how: How) -> u8 {
    match how {
        How::Exact => 0,
        How::Alias => 1,
        How::Joined => 2,
        How::Hidden | How::Styled => 3,
        How::Confusable | How::Leet => 4,
        How::Spaced => 5,
        How::Masked => 6,
        How::Typo => 7,
    }
}
