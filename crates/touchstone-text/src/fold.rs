//! Folding: one pass from a text as written to plain lower-case characters, each with the way back to its place.
//!
//! Per character: compatibility decomposition (Unicode UAX #15), combining marks dropped, look-alikes of other scripts
//! replaced by the letter they are read as ([`look_alikes`]), lower case. Characters that nobody can see are dropped. What was undone is remembered in flags.

use std::sync::LazyLock;

use unicode_normalization::char::{decompose_canonical, decompose_compatible, is_combining_mark};

mod look_alikes;

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

/// However little of a text can be seen, no more of it is read: 1 Mi scalar values, as many as a listing of the default
/// `max_listing_bytes` can hold.
pub(crate) const MAX_RAW_SCALARS: u32 = 1 << 20;

/// Folds `text` up to `max_chars` folded characters; the rest is not read.
///
/// What nobody sees uses up nothing of that: hidden characters are dropped, marks belong to the letter before them, and a
/// run of white space is one space, or one line's end. Only [`MAX_RAW_SCALARS`] bounds such padding.
pub(crate) fn fold(text: &str, max_chars: usize) -> Vec<FoldedChar> {
    let mut out: Vec<FoldedChar> = Vec::with_capacity(text.len().min(max_chars));
    let mut hidden = 0;
    let (mut start, mut rest) = (0_u32, text);
    while start < MAX_RAW_SCALARS && out.len() < max_chars {
        // Most of most texts is ASCII: runs of it go over as a whole.
        let most = rest.len().min(max_chars - out.len()).min((MAX_RAW_SCALARS - start) as usize);
        let mut after_space = out.last().is_some_and(|last| last.c.is_whitespace());
        let ends_run = |&b: &u8| {
            let is_space = b <= b' ' || b == 0x7f;
            std::mem::replace(&mut after_space, is_space) && is_space || !b.is_ascii()
        };
        let n = rest.as_bytes()[..most].iter().position(ends_run).unwrap_or(most);
        if n > 0 {
            let first = out.len();
            out.extend(rest.as_bytes()[..n].iter().zip(start..).map(|(&b, place)| fold_ascii(b, place)));
            out[first].flags |= hidden;
            hidden = 0;
            start += u32::try_from(n).expect("no more than are left of 1 Mi");
            rest = &rest[n..];
            continue;
        }
        let Some(c) = rest.chars().next() else { break };
        rest = &rest[c.len_utf8()..];
        match TABLE.entry(c) {
            Entry::Hidden => hidden = HIDDEN_BEFORE,
            Entry::Mark { styled } => {
                if let Some(last) = out.last_mut() {
                    last.end = start + 1;
                    last.flags |= if styled { STYLED } else { 0 };
                }
            }
            Entry::Letters { chars: [' ', ..], .. } if in_white_space(&mut out, c) => {}
            Entry::Letters { chars, raw, n, flags } => {
                for &c in &chars[..usize::from(n)] {
                    let raw = if n == 1 { raw } else { c };
                    out.push(FoldedChar { c, raw, start, end: start + 1, flags: flags | hidden });
                    hidden = 0;
                }
            }
        }
        start += 1;
    }
    out.truncate(max_chars);
    out
}

/// Whether `c`, which is white space, goes on with white space; an end of a line in it makes the whole one.
fn in_white_space(out: &mut [FoldedChar], c: char) -> bool {
    let Some(last) = out.last_mut().filter(|last| last.c.is_whitespace()) else { return false };
    if c == '\n' {
        (last.c, last.raw) = (c, c);
    }
    true
}

#[inline]
fn fold_ascii(b: u8, start: u32) -> FoldedChar {
    let lower = b.to_ascii_lowercase();
    let flags = if lower == b { 0 } else { UPPER };
    let plain = char::from(if b.is_ascii_control() && b != b'\n' { b' ' } else { lower });
    FoldedChar { c: plain, raw: plain, start, end: start + 1, flags }
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

/// What the characters of the common scripts fold to, worked out once: accented Latin, Greek, Cyrillic, Armenian,
/// punctuation and signs, full-width forms, mathematical letters. The others are worked out when met.
struct Table {
    blocks: Vec<(u32, Vec<Entry>)>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let blocks = [(0, 0x590), (0x1d00, 0x2800), (0xff00, 0xfff0), (0x1_d400, 0x1_d800), (0x1_f100, 0x1_f200)];
    let entries = |from: u32, to: u32| (from..to).map(|c| char::from_u32(c).map_or(Entry::Hidden, Entry::of));
    Table { blocks: blocks.into_iter().map(|(from, to)| (from, entries(from, to).collect())).collect() }
});

impl Table {
    fn entry(&self, c: char) -> Entry {
        let code = u32::from(c);
        for (from, entries) in &self.blocks {
            if let Some(entry) = code.checked_sub(*from).and_then(|i| entries.get(i as usize)) {
                return *entry;
            }
        }
        Entry::of(c)
    }
}

impl Entry {
    fn of(c: char) -> Self {
        if is_hidden(c) {
            return Self::Hidden;
        }
        // Ideographs fold to themselves; saying so first keeps Chinese texts fast.
        if matches!(c, '\u{3400}'..='\u{9fff}') {
            return Self::letters(&[c], c, 0);
        }
        if let Some(plain) = look_alikes::own(c) {
            let styled = if matches!(c, '\u{2100}'..='\u{214f}') { STYLED } else { 0 };
            return Self::letters(
                &[plain],
                lower(c),
                CONFUSABLE | styled | if c.is_uppercase() { UPPER } else { 0 },
            );
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
    if let Some(plain) = small_capital(c) {
        return ([Some(plain), None], false);
    }
    if let Some(plain) = look_alikes::read_as(c) {
        return (plain, true);
    }
    ([Some(lower(c)), None], false)
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
        '\u{249c}'..='\u{24b5}' => from(0x249c),
        '\u{1f110}'..='\u{1f129}' => from(0x1f110),
        '\u{1f150}'..='\u{1f169}' => from(0x1f150),
        '\u{1f170}'..='\u{1f189}' => from(0x1f170),
        '\u{1f1e6}'..='\u{1f1ff}' => from(0x1f1e6),
        _ => small_capital(c),
    }
}

/// Small capitals, in the order of the alphabet where Unicode has them.
const SMALL_CAPITALS: &str = "aᴀbʙcᴄdᴅeᴇfꜰgɢhʜiɪjᴊkᴋlʟmᴍnɴoᴏpᴘqꞯrʀsꜱtᴛuᴜvᴠwᴡyʏzᴢ";

fn small_capital(c: char) -> Option<char> {
    let mut pairs = SMALL_CAPITALS.chars();
    while let (Some(plain), Some(small)) = (pairs.next(), pairs.next()) {
        if small == c {
            return Some(plain);
        }
    }
    None
}

/// Characters without any width of their own: joiners, soft hyphen, bidirectional controls, variation selectors, tags.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{2800}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The plain way: every character by itself, ASCII as any other.
    fn plain(text: &str, max_chars: usize) -> Vec<FoldedChar> {
        let mut out: Vec<FoldedChar> = Vec::new();
        let mut hidden = 0;
        for (start, c) in (0..).zip(text.chars()) {
            if out.len() >= max_chars {
                break;
            }
            let end = start + 1;
            if c.is_whitespace() || c.is_control() {
                match out.last_mut().filter(|last| last.c.is_whitespace()) {
                    Some(last) if c == '\n' => (last.c, last.raw) = (c, c),
                    Some(_) => {}
                    None => {
                        let c = if c == '\n' { c } else { ' ' };
                        out.push(FoldedChar { c, raw: c, start, end, flags: hidden });
                        hidden = 0;
                    }
                }
                continue;
            }
            match Entry::of(c) {
                Entry::Hidden => hidden = HIDDEN_BEFORE,
                Entry::Mark { styled } => {
                    if let Some(last) = out.last_mut() {
                        (last.end, last.flags) = (end, last.flags | if styled { STYLED } else { 0 });
                    }
                }
                Entry::Letters { chars, raw, n, flags } => {
                    for &c in &chars[..usize::from(n)] {
                        let raw = if n == 1 { raw } else { c };
                        out.push(FoldedChar { c, raw, start, end, flags: flags | hidden });
                        hidden = 0;
                    }
                }
            }
        }
        out.truncate(max_chars);
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(3), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn runs_of_ascii_fold_like_single_characters(text in "([ -~\\n\\t]{0,9}| |\\n|\\t|\u{a0}|\u{200b}|é|e\u{301}|ﬁ|𝗟|о|高){0,12}", max in 0..60_usize) {
            prop_assert_eq!(format!("{:?}", fold(&text, max)), format!("{:?}", plain(&text, max)));
        }
    }

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

    /// Every single character that TR39 takes for a Latin letter or a digit folds to it, or to one written for it; those that
    /// are read otherwise on purpose are listed.
    #[test]
    fn every_confusable_of_unicode_folds_to_its_letter() {
        let root = std::env::var_os("TOUCHSTONE_DATA").map_or_else(
            || std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
            std::path::PathBuf::from,
        );
        let Ok(table) = std::fs::read_to_string(root.join("unicode/confusables-17.0.0.txt")) else {
            eprintln!("SKIPPED: no confusables-17.0.0.txt under {} (set TOUCHSTONE_DATA)", root.display());
            return;
        };
        let scalar = |hex: &str| u32::from_str_radix(hex, 16).ok().and_then(char::from_u32);
        let same = |a: char, b: char| a == b || crate::brands::written_for(a, b);
        let (mut n, mut wrong) = (0, Vec::new());
        for line in table.lines().filter(|l| !l.trim_start_matches('\u{feff}').starts_with('#')) {
            let mut columns = line.split(';').map(str::trim);
            let (Some(from), Some(to)) = (columns.next().and_then(scalar), columns.next().and_then(scalar))
            else {
                continue;
            };
            if !to.is_ascii_alphanumeric() || from.is_ascii() {
                continue;
            }
            n += 1;
            let folded = fold_plain(&from.to_string());
            let right = folded.chars().count() == 1
                && folded
                    .chars()
                    .all(|c| same(c, to.to_ascii_lowercase()) || same(to.to_ascii_lowercase(), c));
            if !right && !READ_OTHERWISE.contains(&from) {
                wrong.push(format!("{from} U+{:04X} is read as {to:?}, not {folded:?}", u32::from(from)));
            }
        }
        assert!(n > 1000 && wrong.is_empty(), "{n}, of which {}: {wrong:#?}", wrong.len());
    }

    /// Read otherwise on purpose.
    const READ_OTHERWISE: &[char] = &[
        // An S turned round is meant as S; digits are told apart by their own look-alikes.
        'Ƨ', 'Ϩ', 'Ʒ', // Letters turned upside down or cut short.
        'ɯ', 'ք', // Old spellings of s and th.
        'ſ', 'þ', // Signs that belong to the letter before them.
        '˛', 'ͺ', 'ଃ', 'ం', 'ಂ', 'ം', 'ං',
    ];
}
