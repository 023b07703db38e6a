//! The lexicon's phrases by their first word, and what single words are.
//!
//! A text is cut into words anyway, and phrases begin and end with words. So each word of a text is looked up once, and
//! only the few phrases that open with it are compared, by the numbers of their words. A test holds this against an
//! automaton over the letters.

use crate::products::Dictionary;
use crate::words::{PhraseHit, Text};

/// The word is of daily trade or language.
pub(super) const KNOWN: u8 = 1;
/// The word is a little one.
pub(super) const FUNCTION: u8 = 2;

/// The word is of daily trade: a brand of that name needs more evidence.
pub(super) const ORDINARY: u8 = 4;

/// No word, or no phrase.
const NONE: u32 = u32::MAX;

/// Words and phrases, compiled.
#[derive(Debug, Clone)]
pub(super) struct Phrases {
    /// Words, and whole phrases as well.
    texts: Dictionary,
    /// For each text what it is.
    about: Vec<About>,
    /// Phrases by their first word: those with more words first, then by number.
    opened: Vec<Opened>,
    /// Behind one another the words of all phrases but the first.
    rests: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct About {
    /// [`KNOWN`], [`FUNCTION`], [`ORDINARY`].
    flags: u8,
    /// The phrase that it is; [`NONE`] where it is none.
    phrase: u32,
    /// The phrases that open with it, a range of `opened`.
    opens: (u32, u32),
}

/// A phrase without its first word.
#[derive(Debug, Clone, Copy)]
struct Opened {
    phrase: u32,
    rest: (u32, u32),
}

impl Phrases {
    pub(super) fn new() -> Self {
        Self { texts: Dictionary::new(), about: Vec::new(), opened: Vec::new(), rests: Vec::new() }
    }

    fn number(&mut self, text: &str) -> usize {
        let number = self.texts.add(text.as_bytes()) as usize;
        if number == self.about.len() {
            self.about.push(About { flags: 0, phrase: NONE, opens: (0, 0) });
        }
        number
    }

    /// Says what a folded text is.
    pub(super) fn mark(&mut self, text: &str, flag: u8) {
        let number = self.number(text);
        self.about[number].flags |= flag;
    }

    /// Compiles the folded phrases that are searched for; a phrase's number is its place.
    pub(super) fn compile<'a>(&mut self, phrases: impl IntoIterator<Item = &'a str>) {
        let mut by_first: Vec<(usize, usize, u32, (u32, u32))> = Vec::new();
        let place = |n: usize| u32::try_from(n).expect("a lexicon has fewer than 4 Gi words");
        for (phrase, folded) in phrases.into_iter().enumerate() {
            let phrase = place(phrase);
            let whole = self.number(folded);
            self.about[whole].phrase = phrase;
            let mut words = folded.split(' ');
            let first = self.number(words.next().unwrap_or_default());
            let start = place(self.rests.len());
            for word in words {
                let number = place(self.number(word));
                self.rests.push(number);
            }
            let end = place(self.rests.len());
            by_first.push((first, usize::MAX - (end - start) as usize, phrase, (start, end)));
        }
        by_first.sort_unstable();
        for (first, _, phrase, rest) in by_first {
            let opens = &mut self.about[first].opens;
            if opens.0 == opens.1 {
                *opens = (place(self.opened.len()), place(self.opened.len()));
            }
            opens.1 += 1;
            self.opened.push(Opened { phrase, rest });
        }
    }

    /// The phrase that a folded text is.
    pub(super) fn phrase_of(&self, text: &str) -> Option<usize> {
        let phrase = self.about[self.texts.find(text.as_bytes())? as usize].phrase;
        (phrase != NONE).then_some(phrase as usize)
    }

    /// Whether a folded text was marked so.
    pub(super) fn is(&self, text: &str, flag: u8) -> bool {
        self.texts.find(text.as_bytes()).is_some_and(|n| self.about[n as usize].flags & flag != 0)
    }

    /// The phrases in a text, in order of place; a phrase that lies wholly inside a longer one is dropped, and so is one
    /// that a clause's end cuts in two.
    ///
    /// `mended` gives the right spelling of a word that is misspelt; it is asked for words that the lexicon lacks.
    pub(super) fn find<'a>(&self, text: &Text, mended: impl Fn(&str) -> Option<&'a str>) -> Vec<PhraseHit> {
        let number = |word: &str| {
            let known = self.texts.find(word.as_bytes());
            known.or_else(|| self.texts.find(mended(word)?.as_bytes())).unwrap_or(NONE)
        };
        let numbers: Vec<u32> = (0..text.words.len()).map(|w| number(text.word(w))).collect();
        let mut hits: Vec<PhraseHit> = Vec::new();
        for (start, &number) in numbers.iter().enumerate() {
            if number == NONE {
                continue;
            }
            let (from, to) = self.about[number as usize].opens;
            for opened in &self.opened[from as usize..to as usize] {
                let rest = &self.rests[opened.rest.0 as usize..opened.rest.1 as usize];
                if numbers[start + 1..].starts_with(rest) && !text.clause_between(start, start + rest.len()) {
                    hits.push(PhraseHit {
                        phrase: opened.phrase as usize,
                        start,
                        end: start + 1 + rest.len(),
                    });
                }
            }
        }
        drop_inner(&mut hits);
        hits
    }
}

/// Drops what lies wholly inside a longer phrase; the hits stand in order of place, the longer of one place first.
fn drop_inner(hits: &mut Vec<PhraseHit>) {
    let mut covered: Option<(usize, usize)> = None;
    hits.retain(|hit| {
        let inside =
            covered.is_some_and(|(start, end)| hit.end <= end && (hit.start, hit.end) != (start, end));
        if !inside {
            covered = Some(match covered {
                Some((start, end)) if end >= hit.end => (start, end),
                _ => (hit.start, hit.end),
            });
        }
        !inside
    });
}

#[cfg(test)]
mod tests {
    use aho_corasick::AhoCorasick;
    use proptest::prelude::*;

    use super::*;

    fn compiled(phrases: &[&str]) -> Phrases {
        let mut out = Phrases::new();
        out.compile(phrases.iter().copied());
        out
    }

    /// The plain way: an automaton over the letters of the words joined by spaces.
    fn plain(phrases: &[&str], text: &Text) -> Vec<PhraseHit> {
        let bytes = text.joined.as_bytes();
        let mut hits = Vec::new();
        for hit in AhoCorasick::new(phrases).unwrap().find_overlapping_iter(&text.joined) {
            let at_start = hit.start() == 0 || bytes[hit.start() - 1] == b' ';
            let at_end = hit.end() == bytes.len() || bytes[hit.end()] == b' ';
            let place = |byte: usize| text.words.partition_point(|w| w.byte < byte);
            let (start, end) = (place(hit.start()), place(hit.end()));
            if at_start && at_end && !text.clause_between(start, end - 1) {
                hits.push(PhraseHit { phrase: hit.pattern().as_usize(), start, end });
            }
        }
        hits.sort_by_key(|h| (h.start, usize::MAX - h.end, h.phrase));
        drop_inner(&mut hits);
        hits
    }

    #[test]
    fn the_longest_phrase_wins_and_clauses_cut() {
        let phrases = compiled(&["compativel", "compativel com", "com"]);
        let text = Text::new("Compatível com isto. Compatível. Com", 1000);
        let hits: Vec<_> = phrases.find(&text, |_| None).iter().map(|h| (h.phrase, h.start, h.end)).collect();
        assert_eq!(hits, [(1, 0, 2), (0, 3, 4), (2, 4, 5)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(5), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn phrases_are_those_of_the_automaton(text in "((a|ab|b|ba|c|高|仿)( |, |\\. |-)){0,24}") {
            let phrases = ["a", "a b", "a b a", "ab", "b a b", "ba c", "c c", "高 仿", "仿", "ab a b"];
            let text = Text::new(&text, 1000);
            prop_assert_eq!(compiled(&phrases).find(&text, |_| None), plain(&phrases, &text));
        }
    }
}
