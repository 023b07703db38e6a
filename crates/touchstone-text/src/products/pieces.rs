//! Pieces: the words of a text as product titles mean them, with numbers, model codes, measures and colours told apart.

use std::borrow::Cow;

use crate::lexicon::Cue;
use crate::roles::Cues;
use crate::words::Gap;

/// What a piece is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A word of letters.
    Word,
    /// A bare number.
    Number(u32),
    /// Letters and digits, such as a model code; a number with its capacity, "20xl", is one.
    Code,
    /// A number with a unit of measure.
    Measure,
    /// A number with a word for units right behind it, "2un".
    Count(u32),
    /// A colour, by its class.
    Colour(u16),
}

/// One piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// What it is.
    pub kind: Kind,
    /// Its normal form.
    pub text: String,
    /// Its first word in the text.
    pub word: usize,
    /// After its last word.
    pub end: usize,
}

/// Cuts a text into pieces.
pub(crate) fn pieces(cues: &Cues<'_>) -> Vec<Piece> {
    let text = cues.text;
    let n = text.words.len();
    let mut colour_at: Vec<Option<(u16, usize)>> = vec![None; n];
    let mut unit_at = vec![0_u8; n];
    for hit in &cues.hits {
        for cue in &cues.lexicon.phrases[hit.phrase].cues {
            match cue {
                Cue::Colour(class) => colour_at[hit.start] = Some((*class, hit.end)),
                Cue::Measure => unit_at[hit.start] |= MEASURE,
                Cue::CountUnit => unit_at[hit.start] |= COUNT,
                Cue::Capacity => unit_at[hit.start] |= CAPACITY,
                _ => {}
            }
        }
    }
    let mut out: Vec<Piece> = Vec::with_capacity(n);
    let mut w = 0;
    while w < n {
        if let Some((class, end)) = colour_at[w] {
            let text = cues.lexicon.colours[usize::from(class)].clone();
            out.push(Piece { kind: Kind::Colour(class), text, word: w, end });
            w = end;
            continue;
        }
        if let Some(end) = letters_apart(cues, w) {
            let joined: String = (w..end).map(|w| text.word(w)).collect();
            split_word(cues, &joined, w, end, &mut out);
            w = end;
            continue;
        }
        let word = text.word(w);
        let next_unit = |w: usize| {
            let close = text
                .words
                .get(w + 1)
                .is_some_and(|next| matches!(next.gap, Gap::Space | Gap::None | Gap::Joint('-')));
            if close { unit_at[w + 1] } else { 0 }
        };
        let number = number(word);
        if number.is_some() && next_unit(w) & CAPACITY != 0 {
            let code = format!("{word}{}", text.word(w + 1));
            out.push(Piece { kind: Kind::Code, text: code, word: w, end: w + 2 });
            w += 2;
        } else if is_decimal(word) && next_unit(w) & MEASURE != 0 {
            let measure = format!("{}{}", normal_decimal(word), text.word(w + 1));
            out.push(Piece { kind: Kind::Measure, text: measure, word: w, end: w + 2 });
            w += 2;
        } else {
            split_word(cues, word, w, w + 1, &mut out);
            w += 1;
        }
    }
    out
}

/// What a text is searched by: its pieces without little words, and the single words of a colour of several words, which
/// may stand apart in another text ("navy shirt blue").
pub(crate) fn search_words<'a>(cues: &Cues<'_>, pieces: &'a [Piece]) -> Vec<(Cow<'a, str>, bool)> {
    let lexicon = cues.lexicon;
    let mut out: Vec<(Cow<'a, str>, bool)> = Vec::with_capacity(pieces.len());
    for piece in pieces.iter().filter(|p| !lexicon.is_function(&p.text)) {
        out.push((Cow::Borrowed(&piece.text), piece.kind == Kind::Word));
        if !matches!(piece.kind, Kind::Colour(_)) || piece.end - piece.word == 1 {
            continue;
        }
        for word in (piece.word..piece.end).map(|w| cues.text.word(w)) {
            let class = lexicon.phrase_of(word).and_then(|phrase| {
                let class =
                    |cue: &Cue| if let Cue::Colour(class) = cue { Some(usize::from(*class)) } else { None };
                lexicon.phrases[phrase].cues.iter().find_map(class)
            });
            let word = class.map_or(word, |class| &lexicon.colours[class]);
            if word != piece.text && !lexicon.is_function(word) {
                out.push((Cow::Owned(word.to_owned()), false));
            }
        }
    }
    out
}

const MEASURE: u8 = 1;
const COUNT: u8 = 2;
const CAPACITY: u8 = 4;

/// Cuts one word where letters meet digits, if that tells more than the whole.
fn split_word(cues: &Cues<'_>, word: &str, start: usize, end: usize, out: &mut Vec<Piece>) {
    let mut push = |kind: Kind, text: String| out.push(Piece { kind, text, word: start, end });
    if let Some(n) = number(word) {
        return push(Kind::Number(n), word.to_owned());
    }
    if !word.bytes().any(|b| b.is_ascii_digit()) {
        return push(Kind::Word, word.to_owned());
    }
    if is_decimal(word) {
        return push(Kind::Code, normal_decimal(word));
    }
    let digits_to = word.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')).unwrap_or(word.len());
    let (digits, rest) = word.split_at(digits_to);
    if !digits.is_empty() && rest.bytes().all(|b| b.is_ascii_alphabetic()) {
        let is = |cue: &Cue| is_word_for(cues, rest, cue);
        match number(digits) {
            Some(_) if is(&Cue::Capacity) => return push(Kind::Code, word.to_owned()),
            Some(n) if is(&Cue::CountUnit) || rest == "x" => return push(Kind::Count(n), word.to_owned()),
            _ if is(&Cue::Measure) && is_decimal(digits) => {
                return push(Kind::Measure, format!("{}{rest}", normal_decimal(digits)));
            }
            _ => return push(Kind::Code, word.to_owned()),
        }
    }
    let letters_to = word.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    let (letters, tail) = word.split_at(letters_to);
    match number(tail) {
        Some(n) if letters == "x" && n < 100 => return push(Kind::Count(n), word.to_owned()),
        _ => {}
    }
    push(Kind::Code, word.to_owned());
}

/// Whether a folded word is a phrase of the lexicon that tells `cue`.
fn is_word_for(cues: &Cues<'_>, word: &str, cue: &Cue) -> bool {
    let lexicon = cues.lexicon;
    lexicon.phrase_of(word).is_some_and(|phrase| lexicon.phrases[phrase].cues.contains(cue))
}

/// The end of a run of at least three letters and digits written one by one.
fn letters_apart(cues: &Cues<'_>, start: usize) -> Option<usize> {
    let text = cues.text;
    let single = |w: usize| {
        text.words.get(w).is_some_and(|word| {
            word.end - word.start == 1
                && text.chars[word.start].c.is_ascii_alphanumeric()
                && (w == start || word.gap == Gap::Space)
        })
    };
    let end = (start..).take_while(|&w| single(w)).last()? + 1;
    let digits = (start..end).filter(|&w| text.word(w).bytes().all(|b| b.is_ascii_digit())).count();
    (end - start >= 3 && digits >= 2).then_some(end)
}

fn number(word: &str) -> Option<u32> {
    if word.len() > 9 || !word.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    word.parse().ok()
}

fn is_decimal(word: &str) -> bool {
    word.bytes().any(|b| b.is_ascii_digit())
        && word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','))
}

/// "2,0" and "2.0" and "02" are 2.
fn normal_decimal(word: &str) -> String {
    let point = word.replace(',', ".");
    let (whole, fraction) = point.split_once('.').unwrap_or((&point, ""));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::Lexicon;
    use crate::words::Text;

    fn check(text: &str, expected: &[&str]) {
        let lexicon = Lexicon::builtin();
        let text = Text::new(text, 1000);
        let found: Vec<_> = pieces(&Cues::new(&lexicon, &text)).into_iter().map(|p| p.text).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn numbers_find_their_capacity_measure_and_unit() {
        check("20 XL Preta 8,50 ml", &["20xl", "black", "8.5ml"]);
        check("20-xl 2un x2 03", &["20xl", "2un", "x2", "03"]);
        check("L P 2 0 1 azul marinho", &["lp201", "navy"]);
        check("LM20KAB p/b", &["lm20kab", "black"]);
    }
}
