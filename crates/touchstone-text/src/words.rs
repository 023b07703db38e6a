//! A text cut into words, with what stands between them.

use crate::fold::{FoldedChar, fold};

/// What stands before a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gap {
    /// Nothing at all: a character of a script without spaces.
    None,
    /// White space, quotes or brackets.
    Space,
    /// A sign that joins items: comma, slash, plus, hyphen, ampersand.
    Joint(char),
    /// A full stop, semicolon, colon, bar, exclamation or question mark, a bullet: what was said before is closed.
    Clause,
}

/// One word: a range of folded characters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word {
    /// The first folded character.
    pub start: usize,
    /// After the last folded character.
    pub end: usize,
    /// Where the word starts in [`Text::joined`], in bytes.
    pub byte: usize,
    /// What stands before it.
    pub gap: Gap,
}

/// A phrase of the lexicon found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PhraseHit {
    /// The number of the phrase.
    pub phrase: usize,
    /// Its first word.
    pub start: usize,
    /// After its last word.
    pub end: usize,
}

/// One field of a listing, folded and cut into words.
#[derive(Debug)]
pub(crate) struct Text {
    /// The folded characters.
    pub chars: Vec<FoldedChar>,
    /// The words in order.
    pub words: Vec<Word>,
    /// The folded words with one space between.
    pub joined: String,
}

impl Text {
    /// Folds and cuts at most `max_chars` folded characters.
    pub(crate) fn new(text: &str, max_chars: usize) -> Self {
        let chars = fold(text, max_chars);
        let mut words: Vec<Word> = Vec::with_capacity(chars.len() / 5 + 1);
        let mut joined: Vec<u8> = Vec::with_capacity(chars.len() + 8);
        let mut gap = Gap::None;
        let mut i = 0;
        while i < chars.len() {
            if !chars[i].c.is_alphanumeric() {
                // A full stop before a comma is an abbreviation's and closes nothing.
                let abbreviates =
                    chars[i].c == '.' && chars.get(i + 1).is_some_and(|next| matches!(next.c, ',' | '/'));
                if !abbreviates {
                    gap = gap.max(gap_of(chars[i].c));
                }
                i += 1;
                continue;
            }
            let end = word_end(&chars, i);
            if !joined.is_empty() {
                joined.push(b' ');
            }
            words.push(Word { start: i, end, byte: joined.len(), gap });
            for folded in &chars[i..end] {
                match u8::try_from(folded.c) {
                    Ok(b) if b.is_ascii() => joined.push(b),
                    _ => joined.extend_from_slice(folded.c.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
            gap = Gap::None;
            i = end;
        }
        let joined = String::from_utf8(joined).expect("every character is encoded whole");
        Self { chars, words, joined }
    }

    /// The folded letters of a word.
    pub(crate) fn word(&self, i: usize) -> &str {
        let start = self.words[i].byte;
        let end = self.words.get(i + 1).map_or(self.joined.len(), |next| next.byte - 1);
        &self.joined[start..end]
    }

    /// The place of a range of folded characters in the original text, in scalar values.
    pub(crate) fn place(&self, start: usize, end: usize) -> (u32, u32) {
        (self.chars[start].start, self.chars[end - 1].end)
    }

    /// The place of a range of words in the original text, in scalar values.
    pub(crate) fn place_of_words(&self, start: usize, end: usize) -> (u32, u32) {
        self.place(self.words[start].start, self.words[end - 1].end)
    }

    /// The word that holds a folded character, or the next one after it.
    pub(crate) fn word_at(&self, char_idx: usize) -> usize {
        self.words.partition_point(|w| w.end <= char_idx)
    }

    /// Whether a clause ends between two words.
    pub(crate) fn clause_between(&self, from: usize, to: usize) -> bool {
        (from + 1..=to).any(|w| self.words.get(w).is_some_and(|w| w.gap == Gap::Clause))
    }
}

/// Whether a character belongs to a script that is written without spaces.
pub(crate) fn is_unspaced(c: char) -> bool {
    !c.is_ascii()
        && matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn word_end(chars: &[FoldedChar], start: usize) -> usize {
    if is_unspaced(chars[start].c) {
        return start + 1;
    }
    let mut i = start + 1;
    while i < chars.len() {
        let c = chars[i].c;
        let goes_on = (c.is_alphanumeric() && !is_unspaced(c)) || is_inside_number(chars, start, i);
        if !goes_on {
            break;
        }
        i += 1;
    }
    i
}

/// Whether the sign at `i` belongs to a number: a decimal of at most two places (three behind a nought), or a ratio such as 1:1. A longer run of
/// digits after a comma is the next item of a list.
fn is_inside_number(chars: &[FoldedChar], start: usize, i: usize) -> bool {
    let digits_after = chars[i + 1..].iter().take(5).take_while(|c| c.c.is_ascii_digit()).count();
    let digits_before = chars[start..i].iter().rev().take_while(|c| c.c.is_ascii_digit()).count();
    match chars[i].c {
        '.' | ',' => {
            let thousandths = digits_before == 1 && chars[i - 1].c == '0' && digits_after == 3;
            thousandths || ((1..=3).contains(&digits_before) && (1..=2).contains(&digits_after))
        }
        ':' => digits_before == 1 && digits_after == 1 && i - start == 1,
        _ => false,
    }
}

fn gap_of(c: char) -> Gap {
    match c {
        ',' | '/' | '+' | '-' | '&' | '、' | '，' | '(' => Gap::Joint(c),
        '.' | ';' | ':' | '|' | '!' | '?' | '\n' | '•' | '。' | '；' | '：' | '！' | '？' | '*' | '=' => {
            Gap::Clause
        }
        _ => Gap::Space,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let text = Text::new(text, 1000);
        let words: Vec<_> = (0..text.words.len()).map(|i| text.word(i)).collect();
        assert_eq!(words, expected);
    }

    #[test]
    fn words_keep_decimals_and_ratios_whole() {
        check("8,5ml 1:1 3788,3790 a.b", &["8,5ml", "1:1", "3788", "3790", "a", "b"]);
        check("0.064tb 1.064 0,0645", &["0.064tb", "1", "064", "0", "0645"]);
        check("高仿 Lumora包", &["高", "仿", "lumora", "包"]);
        check("", &[]);
    }
}
