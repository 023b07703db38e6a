//! A text as a question to the index: for every word of it the catalog's words that it may stand for, and what finding
//! one of them is worth.
//!
//! See [`super`] for the model. All worth is kept in whole [`UNIT`]s, so that sums do not depend on their order.

use super::index::ProductIndex;
use super::misspelt;
use super::pieces::{Piece, search_words};
use super::record::Name;
use crate::roles::Cues;

/// One unit of worth: this part of a natural logarithm.
const UNIT: f64 = 4_096.0;
/// The share of a title's words that listings leave out.
const DROPPED: f64 = 0.2;
/// How probable one given mistake in a word is.
const MISTAKE: f64 = 0.02;
/// How probable it is that a listing has a given word for no reason in the product's title: however rare a word is, it
/// never speaks louder than ln(1 / CHATTER) for one product against the others.
const CHATTER: f64 = 0.003;
/// Words of the text that are asked for; each stands for one bit.
const MAX_POSITIONS: usize = 64;
/// Words of the catalog that one word of the text may stand for.
const MAX_MEANINGS: usize = 8;

/// A word of the catalog that a word of the text may stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meaning {
    /// The word's number.
    pub word: u32,
    /// Which of the query's positions it belongs to.
    pub position: usize,
    /// What it is worth to have it, and not to have left it out.
    pub worth: i64,
}

/// The question.
#[derive(Debug, Default)]
pub(crate) struct Query {
    /// The meanings by position, the position worth most first, and in each the meaning worth most.
    pub(super) meanings: Vec<Meaning>,
    /// For each position what all positions before it are worth at most; one more than there are positions.
    pub(super) before: Vec<i64>,
    /// What a title is worth that is the text itself.
    pub(super) whole: i64,
}

/// What a title loses with each word, unless the text has it.
pub(super) fn word_cost() -> i64 {
    units(libm::log((1.0 - DROPPED) / DROPPED))
}

fn units(nats: f64) -> i64 {
    libm::round(nats * UNIT) as i64
}

impl Query {
    /// Asks for the pieces of a text.
    pub(crate) fn new(index: &ProductIndex, cues: &Cues<'_>, pieces: &[Piece]) -> Self {
        let all = search_words(cues, pieces);
        let mut words: Vec<(&str, bool)> = Vec::new();
        for (text, is_word) in &all {
            if words.len() < MAX_POSITIONS / 2 && !words.iter().any(|(known, _)| known == text) {
                words.push((text, *is_word));
            }
        }
        let mut asking = Asking { index, n: f64::from(index.len().max(1)), positions: Vec::new() };
        let mut whole = 0;
        for &(text, _) in &words {
            whole += asking.word(text);
        }
        for pair in words.windows(2) {
            if pair[0].1 && pair[1].1 {
                asking.as_written(&format!("{}{}", pair[0].0, pair[1].0));
            }
        }
        for &(text, is_word) in &words {
            if is_word && asking.exact(text).is_none() {
                asking.split(text);
            }
        }
        asking.positions.truncate(MAX_POSITIONS);
        Self::of(asking.positions, whole)
    }

    /// Sorts what is asked for; a word of the catalog belongs to the position where it is worth most.
    fn of(mut positions: Vec<Vec<(u32, i64)>>, whole: i64) -> Self {
        // Stable sorts: what is worth the same stays in the order of the text, then of the words' spelling.
        positions.sort_by_key(|meanings| -meanings.first().map_or(0, |m| m.1));
        let mut query = Self { whole, ..Self::default() };
        for meanings in positions {
            let position = query.before.len();
            let n_before = query.meanings.len();
            for (word, worth) in meanings {
                if !query.meanings.iter().any(|m| m.word == word) {
                    query.meanings.push(Meaning { word, position, worth });
                }
            }
            if query.meanings.len() > n_before {
                query.before.push(query.meanings[n_before].worth);
            }
        }
        // A position may have lost its best meaning to an earlier one.
        let mut order: Vec<usize> = (0..query.before.len()).collect();
        order.sort_by_key(|&position| -query.before[position]);
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, &position)| place[position] = at);
        query.meanings.iter_mut().for_each(|m| m.position = place[m.position]);
        query.meanings.sort_by_key(|m| m.position);
        let mut sum = 0;
        let mut before = vec![0];
        for position in order {
            sum += query.before[position];
            before.push(sum);
        }
        query.before = before;
        query
    }

    /// How near a title of this worth is, above 0 and at most 1; a title that is the text itself has 1.
    pub(crate) fn nearness(&self, worth: i64) -> f64 {
        let share = worth as f64 / self.whole.max(1) as f64;
        if share >= 0.0 { 0.5 + 0.5 * share.min(1.0) } else { 0.5 / (1.0 - share) }
    }
}

struct Asking<'a> {
    index: &'a ProductIndex,
    n: f64,
    positions: Vec<Vec<(u32, i64)>>,
}

impl Asking<'_> {
    /// The number of a word of titles.
    fn exact(&self, text: &str) -> Option<u32> {
        self.index.find(Name::Word(text)).filter(|&word| self.index.n_titled(word) > 0)
    }

    fn share(&self, word: u32) -> f64 {
        f64::from(self.index.n_titled(word)) / self.n
    }

    /// Asks for a word, as it is or misspelt; returns what it is worth at most.
    fn word(&mut self, text: &str) -> i64 {
        let mut near: Vec<(u32, f64)> = Vec::new();
        if misspelt::is_asked(text) {
            let (mut forms, mut words) = (Vec::new(), Vec::new());
            self.index.near_words(text, &mut forms, &mut words);
            near.extend(words.into_iter().map(|word| (word, MISTAKE)));
            let index = self.index;
            let by_count = |word| std::cmp::Reverse(index.n_titled(word));
            near.sort_unstable_by(|a, b| {
                by_count(a.0).cmp(&by_count(b.0)).then_with(|| index.text(a.0).cmp(index.text(b.0)))
            });
        }
        if let Some(word) = self.exact(text) {
            near.insert(0, (word, 1.0));
        }
        let Some(best) = near.iter().map(|n| n.1).max_by(f64::total_cmp) else {
            return units(-libm::log(CHATTER));
        };
        // How probable the word is in a listing of any other product: written for one of the words, or for no reason.
        let by_chance: f64 = near.iter().map(|&(word, p)| p * self.share(word)).sum::<f64>() + CHATTER * best;
        // A word of every product tells none apart, but it is no reason against any: as written it is worth a little.
        let worth = |p: f64| units(libm::log(p / by_chance)).max(i64::from(p == 1.0));
        let mut meanings: Vec<(u32, i64)> =
            near.iter().map(|&(word, p)| (word, worth(p))).filter(|m| m.1 > 0).collect();
        meanings.truncate(MAX_MEANINGS);
        meanings.iter_mut().for_each(|m| m.1 += word_cost());
        let most = meanings.first().map_or(0, |m| m.1 - word_cost());
        if !meanings.is_empty() {
            self.positions.push(meanings);
        }
        most
    }

    /// Asks for a word of the catalog that the text writes as two, or as a part of one.
    fn as_written(&mut self, text: &str) {
        if let Some(word) = self.exact(text) {
            let worth = units(-libm::log(self.share(word) + CHATTER));
            if worth > 0 {
                self.positions.push(vec![(word, worth + word_cost())]);
            }
        }
    }

    /// Asks for two words of the catalog that the text writes as one.
    fn split(&mut self, text: &str) {
        let n = text.chars().take(33).count();
        if !(6..=32).contains(&n) {
            return;
        }
        for (at, _) in text.char_indices().skip(3).take(n - 5) {
            let (head, tail) = text.split_at(at);
            if self.exact(head).is_some() && self.exact(tail).is_some() {
                self.as_written(head);
                self.as_written(tail);
            }
        }
    }
}
