//! Folding: one pass from a text as written to plain lower-case characters, each with the way back to its place.
//!
//! Per character: compatibility decomposition (Unicode UAX #15), combining marks dropped, look-alikes of other scripts
//! replaced by their prototype (the skeletons of Unicode TR39, and [`OWN_LOOK_ALIKES`] for those that TR39 folds
//! elsewhere), lower case. Characters that nobody can see are dropped. What was undone is remembered in flags.

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_canonical, decompose_compatible, is_combining_mark};

/// Characters that nobody can see stood right before this one.
pub(crate) const HIDDEN_BEFORE: u8 = 1;
/// The character stands for a look-alike of another script.
pub(crate) const CONFUSABLE: u8 = 2;
/// The character was a mathematical, full-width, circled or otherwise styled letter.
pub(crate) const STYLED: u8 = 4;
/// The character was an upper-case letter.
pub(crate) const UPPER: u8 = 8;

/// One folded character.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FoldedChar {
    /// The plain character, lower case, without accent.
    pub c: char,
    /// The character before look-alikes were replaced, lower case, without accent.
    pub raw: char,
    /// Its place in the original text, in Unicode scalar values.
    pub start: u32,
    /// The place after it, marks that belong to it included.
    pub end: u32,
    /// [`HIDDEN_BEFORE`], [`CONFUSABLE`], [`STYLED`], [`UPPER`].
    pub flags: u8,
}

/// Folds at most `max_scalars` characters of `text`; the rest is not read.
pub(crate) fn fold(text: &str, max_scalars: usize) -> Vec<FoldedChar> {
    let mut out = Vec::with_capacity(text.len().min(max_scalars));
    let mut hidden = 0;
    for (place, c) in text.chars().take(max_scalars).enumerate() {
        let start = u32::try_from(place).expect("a listing has less than 4 Gi characters");
        if c.is_ascii() {
            let lower = c.to_ascii_lowercase();
            let flags = if lower == c { 0 } else { UPPER };
            let plain = if c.is_ascii_control() && c != '\n' { ' ' } else { lower };
            out.push(FoldedChar { c: plain, raw: plain, start, end: start + 1, flags: flags | hidden });
            hidden = 0;
            continue;
        }
        let entry = match LOW_TABLE.get(c as usize) {
            Some(entry) => *entry,
            None => Entry::of(c),
        };
        match entry {
            Entry::Hidden => hidden = HIDDEN_BEFORE,
            Entry::Mark { styled } => {
                if let Some(last) = out.last_mut() {
                    last.end = start + 1;
                    last.flags |= if styled { STYLED } else { 0 };
                }
            }
            Entry::Letters { chars, raw, n, flags } => {
                for &c in &chars[..usize::from(n)] {
                    let raw = if n == 1 { raw } else { c };
                    out.push(FoldedChar { c, raw, start, end: start + 1, flags: flags | hidden });
                    hidden = 0;
                }
            }
        }
    }
    out
}

/// The folded characters of a short text that needs no way back.
pub(crate) fn fold_plain(text: &str) -> String {
    fold(text, usize::MAX).into_iter().map(|c| c.c).collect()
}

/// What one non-ASCII character folds to.
#[derive(Clone, Copy)]
enum Entry {
    Hidden,
    Mark { styled: bool },
    Letters { chars: [char; 4], raw: char, n: u8, flags: u8 },
}

/// Accented Latin letters are common, so what they fold to is worked out once.
static LOW_TABLE: LazyLock<Vec<Entry>> =
    LazyLock::new(|| (0..0x250_u32).map(|c| Entry::of(char::from_u32(c).unwrap_or(' '))).collect());

impl Entry {
    fn of(c: char) -> Self {
        if is_hidden(c) {
            return Self::Hidden;
        }
        // Ideographs fold to themselves; saying so first keeps Chinese texts fast.
        if matches!(c, '\u{3400}'..='\u{9fff}') {
            return Self::letters(&[c], c, 0);
        }
        if is_combining_mark(c) {
            return Self::Mark { styled: matches!(c, '\u{334}'..='\u{338}' | '\u{20d0}'..='\u{20ff}') };
        }
        if c.is_whitespace() || c.is_control() {
            return Self::letters(&[' '], ' ', 0);
        }
        let upper = if c.is_uppercase() { UPPER } else { 0 };
        if let Some(plain) = drawn_letter(c) {
            return Self::letters(&[plain], plain, STYLED | upper);
        }
        if let Some(plain) = latin_letters(c) {
            return Self::letters(plain, plain[0], upper);
        }
        let mut base = [' '; 4];
        let mut n = 0;
        let mut canonical = Vec::with_capacity(4);
        decompose_canonical(c, |d| canonical.push(d));
        let mut compatible = Vec::with_capacity(4);
        decompose_compatible(c, |d| compatible.push(d));
        let mut flags = upper | if canonical == compatible { 0 } else { STYLED };
        let mut raw = ' ';
        for d in compatible.into_iter().filter(|&d| !is_combining_mark(d)) {
            let (plain, confusable) = plain_letter(d);
            flags |= if confusable { CONFUSABLE } else { 0 } | if d.is_uppercase() { UPPER } else { 0 };
            raw = lower(d);
            for p in plain.into_iter().flatten() {
                if n < base.len() {
                    base[n] = p;
                    n += 1;
                }
            }
        }
        if n == 0 { Self::letters(&[' '], ' ', 0) } else { Self::letters(&base[..n], raw, flags) }
    }

    fn letters(plain: &[char], raw: char, flags: u8) -> Self {
        let mut chars = [' '; 4];
        chars[..plain.len()].copy_from_slice(plain);
        Self::Letters { chars, raw, n: u8::try_from(plain.len()).expect("at most four"), flags }
    }
}

fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// The plain form of one decomposed character, and whether it is a look-alike of another script.
fn plain_letter(c: char) -> ([Option<char>; 2], bool) {
    if c.is_ascii() {
        return ([Some(c.to_ascii_lowercase()), None], false);
    }
    let own = |c: char| OWN_LOOK_ALIKES.iter().find(|(from, _)| *from == c).map(|(_, to)| *to);
    if let Some(to) = own(c).or_else(|| own(lower(c))) {
        return ([Some(to), None], true);
    }
    if let Some(plain) = skeleton(c).or_else(|| skeleton(lower(c))) {
        return (plain, true);
    }
    ([Some(lower(c)), None], false)
}

/// The TR39 prototype where it is made of one or two ASCII letters or digits.
fn skeleton(c: char) -> Option<[Option<char>; 2]> {
    let mut buffer = [0; 4];
    let mut plain = [None; 2];
    let prototype = unicode_security::skeleton(c.encode_utf8(&mut buffer)).nfd();
    for (n, p) in prototype.filter(|&p| !is_combining_mark(p)).enumerate() {
        let p = OWN_LOOK_ALIKES.iter().find(|(from, _)| *from == p).map_or(p, |(_, to)| *to);
        if n == 2 || !p.is_ascii_alphanumeric() {
            return None;
        }
        plain[n] = Some(p.to_ascii_lowercase());
    }
    match plain {
        [None, _] => None,
        // TR39 writes m as r and n; a single character that looks like both is an m.
        [Some('r'), Some('n')] => Some([Some('m'), None]),
        [Some('v'), Some('v')] => Some([Some('w'), None]),
        _ => Some(plain),
    }
}

/// Latin letters that do not decompose, and ligatures: spelling, not disguise.
fn latin_letters(c: char) -> Option<&'static [char]> {
    Some(match c {
        'ß' | 'ẞ' => &['s', 's'],
        'æ' | 'Æ' => &['a', 'e'],
        'œ' | 'Œ' => &['o', 'e'],
        'ø' | 'Ø' => &['o'],
        'ł' | 'Ł' => &['l'],
        'đ' | 'Đ' | 'ð' | 'Ð' => &['d'],
        'ħ' | 'Ħ' => &['h'],
        'ı' => &['i'],
        'þ' | 'Þ' => &['t', 'h'],
        '’' | '‘' | '´' | 'ʼ' | '®' | '™' | '©' => &['\''],
        '–' | '—' | '‐' | '‑' | '−' => &['-'],
        '“' | '”' | '«' | '»' => &['"'],
        '\u{d7}' => &['x'],
        _ => return None,
    })
}

/// Letters drawn as pictures or small capitals, which have no decomposition.
fn drawn_letter(c: char) -> Option<char> {
    let from = |first: u32| char::from_u32(u32::from('a') + c as u32 - first);
    match c {
        '\u{1f150}'..='\u{1f169}' => from(0x1f150),
        '\u{1f170}'..='\u{1f189}' => from(0x1f170),
        '\u{1f1e6}'..='\u{1f1ff}' => from(0x1f1e6),
        _ => SMALL_CAPITALS.iter().find(|(from, _)| *from == c).map(|(_, to)| *to),
    }
}

const SMALL_CAPITALS: &[(char, char)] = &[
    ('ᴀ', 'a'),
    ('ʙ', 'b'),
    ('ᴄ', 'c'),
    ('ᴅ', 'd'),
    ('ᴇ', 'e'),
    ('ꜰ', 'f'),
    ('ɢ', 'g'),
    ('ʜ', 'h'),
    ('ɪ', 'i'),
    ('ᴊ', 'j'),
    ('ᴋ', 'k'),
    ('ʟ', 'l'),
    ('ᴍ', 'm'),
    ('ɴ', 'n'),
    ('ᴏ', 'o'),
    ('ᴘ', 'p'),
    ('ʀ', 'r'),
    ('ꜱ', 's'),
    ('ᴛ', 't'),
    ('ᴜ', 'u'),
    ('ᴠ', 'v'),
    ('ᴡ', 'w'),
    ('ʏ', 'y'),
    ('ᴢ', 'z'),
];

/// Look-alikes that TR39 folds elsewhere, mostly lower-case letters that it pairs with small capitals or keeps apart.
const OWN_LOOK_ALIKES: &[(char, char)] = &[
    ('а', 'a'),
    ('в', 'b'),
    ('г', 'r'),
    ('и', 'n'),
    ('й', 'n'),
    ('к', 'k'),
    ('м', 'm'),
    ('н', 'h'),
    ('п', 'n'),
    ('т', 't'),
    ('ь', 'b'),
    ('я', 'r'),
    ('І', 'i'),
    ('Ӏ', 'l'),
    ('ѡ', 'w'),
    ('ш', 'w'),
    ('α', 'a'),
    ('β', 'b'),
    ('γ', 'y'),
    ('ε', 'e'),
    ('η', 'n'),
    ('ι', 'i'),
    ('Ι', 'i'),
    ('κ', 'k'),
    ('μ', 'u'),
    ('ν', 'v'),
    ('π', 'n'),
    ('σ', 'o'),
    ('τ', 't'),
    ('υ', 'u'),
    ('χ', 'x'),
    ('ω', 'w'),
    ('Λ', 'a'),
    ('Δ', 'a'),
    ('Σ', 'e'),
    ('Ξ', 'e'),
    ('ĸ', 'k'),
    ('ɑ', 'a'),
    ('ɛ', 'e'),
    ('ɡ', 'g'),
    ('ɩ', 'i'),
    ('ɴ', 'n'),
    ('ʜ', 'h'),
    ('ʙ', 'b'),
    ('ᴛ', 't'),
    ('ᴋ', 'k'),
    ('ʍ', 'm'),
    ('ᴍ', 'm'),
    ('ո', 'n'),
    ('ս', 'u'),
    ('օ', 'o'),
    ('ց', 'g'),
    ('հ', 'h'),
    ('ℓ', 'l'),
    ('€', 'e'),
    ('£', 'l'),
    ('¥', 'y'),
    ('¢', 'c'),
];

/// Characters without any width of their own: joiners, soft hyphen, bidirectional controls, variation selectors, tags.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(fold_plain(text), expected, "{text:?}");
    }

    #[test]
    fn disguises_fold_to_the_plain_word() {
        for text in [
            "LUMORA",
            "Lumóra",
            "Lumоra",
            "Lu\u{200b}mora",
            "𝗟𝘂𝗺𝗼𝗿𝗮",
            "ＬＵＭＯＲＡ",
            "ⓁⓊⓂⓄⓇⒶ",
            "ʟᴜᴍᴏʀᴀ",
            "L\u{ad}umora",
        ] {
            check(text, "lumora");
        }
        check("Куota", "kyota");
        check("Straße ﬁn Œuvre", "strasse fin oeuvre");
        check("香奈儿", "香奈儿");
    }

    #[test]
    fn places_lead_back_to_the_original() {
        let folded = fold("a\u{200b}e\u{301}ﬁz", usize::MAX);
        let places: Vec<_> = folded.iter().map(|c| (c.c, c.start, c.end)).collect();
        assert_eq!(places, [('a', 0, 1), ('e', 2, 4), ('f', 4, 5), ('i', 4, 5), ('z', 5, 6)]);
        assert_eq!(folded[1].flags & HIDDEN_BEFORE, HIDDEN_BEFORE);
    }

    #[test]
    fn flags_tell_what_was_undone() {
        assert_eq!(fold("о", 9)[0].flags, CONFUSABLE);
        assert_eq!(fold("𝗹", 9)[0].flags, STYLED);
        assert_eq!(fold("É", 9)[0].flags, UPPER);
        assert_eq!(fold("é", 9)[0].flags, 0);
    }

    #[test]
    fn nothing_visible_folds_to_nothing() {
        assert!(fold(&"\u{200b}\u{202e}".repeat(1000), 2000).is_empty());
        assert_eq!(fold(&"a".repeat(1_000_000), 20_000).len(), 20_000);
    }
}
