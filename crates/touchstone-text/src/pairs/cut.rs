//! A folded text cut into words, codes and numbers, in one pass.

use super::canon::Canon;
use super::fnv::Fnv;
use super::prepare::{Code, Kind, MAX_CODES, MAX_WORDS, Number, Word};
use super::text::{DIGIT, KIND_OF, LETTER, OTHER, is_word};
use super::units;

/// The most numbers of one record.
const MAX_NUMBERS: usize = 32;
/// The most words of a head that are kept in their order.
const MAX_SEQUENCE: usize = 64;

/// What is cut so far.
pub(super) struct Cut<'a> {
    text: &'a [u8],
    head_bytes: usize,
    canon: &'static Canon,
    pub words: Vec<Word>,
    pub sequence: Vec<u8>,
    pub joins: Vec<(u32, u8, u8)>,
    pub codes: Vec<Code>,
    pub code_text: Vec<u8>,
    pub numbers: Vec<Number>,
    /// Places of words by the low bits of their hash, plus one; 0 is empty.
    table: [u8; 512],
}

/// A run of words that stand together without a space: `dcs-855l`.
#[derive(Clone, Copy)]
struct Compound {
    start: usize,
    has_digit: bool,
}

impl<'a> Cut<'a> {
    /// Cuts a text of which the first bytes are the head.
    pub(super) fn new(text: &'a [u8], head_bytes: usize) -> Self {
        let mut cut = Self {
            text,
            head_bytes,
            canon: Canon::get(),
            words: Vec::with_capacity(48),
            sequence: Vec::with_capacity(24),
            joins: Vec::with_capacity(24),
            codes: Vec::with_capacity(8),
            code_text: Vec::with_capacity(64),
            numbers: Vec::with_capacity(8),
            table: [0; 512],
        };
        cut.words();
        cut
    }

    fn words(&mut self) {
        let text = &self.text[..self.text.len().min(usize::from(u16::MAX))];
        let len = text.len();
        let mut at = 0;
        let mut compound: Option<Compound> = None;
        // The word before, if the head has one.
        let mut before: Option<(Fnv, u8)> = None;
        // A number that waits for its unit.
        let mut waiting: Option<f32> = None;
        let mut previous_end = 0;
        while at < len {
            let c = text[at];
            if !is_word(c) {
                // A language tag, as in "…"@en: no word of the title.
                if c == b'@' && at > 0 && text[at - 1] == b'"' {
                    at = self.skip_tag(at + 1, len);
                    continue;
                }
                at += 1;
                continue;
            }
            let start = at;
            let mut state = Fnv::START;
            let (mut letters, mut digits) = (0_usize, 0_usize);
            while at < len {
                let c = text[at];
                match KIND_OF[usize::from(c)] {
                    DIGIT => digits += 1,
                    LETTER => letters += 1,
                    // A decimal point.
                    OTHER
                        if c == b'.'
                            && letters == 0
                            && digits > 0
                            && text.get(at + 1).is_some_and(u8::is_ascii_digit) => {}
                    _ => break,
                }
                state = state.byte(c);
                at += 1;
            }
            let in_head = start < self.head_bytes;
            let kind = match (letters, digits) {
                (_, 0) => Kind::Letters,
                (0, _) => Kind::Digits,
                _ => Kind::Mixed,
            };
            // Together with the word before, if only a joint stands between.
            let joined = compound.filter(|_| {
                start == previous_end + 1 && matches!(text[previous_end], b'-' | b'.' | b'_' | b'/')
            });
            if joined.is_none() {
                self.close(compound, previous_end);
            }
            compound = Some(match joined {
                Some(c) => Compound { has_digit: c.has_digit || digits > 0, ..c },
                None => Compound { start, has_digit: digits > 0 },
            });
            previous_end = at;
            self.number(start, at, kind, in_head, &mut waiting);
            let place = self.word(start, at, state, kind, in_head);
            if in_head && let Some(place) = place {
                if self.sequence.len() < MAX_SEQUENCE {
                    self.sequence.push(place);
                    if let Some((first, other)) = before {
                        let both = first.bytes(&text[start..at]).finish();
                        self.joins.push((both, other, place));
                    }
                }
                before = Some((state, place));
            } else {
                before = None;
            }
        }
        self.close(compound, previous_end);
        if let Some(value) = waiting {
            self.push_number(value, 0, false);
        }
    }

    /// The end of a language tag such as `en` or `en-us`.
    fn skip_tag(&self, at: usize, len: usize) -> usize {
        let text = &self.text[at..len];
        let letters = text.iter().take_while(|c| c.is_ascii_alphabetic()).count();
        if !(2..=3).contains(&letters) {
            return at;
        }
        let rest = &text[letters..];
        let region = if rest.first() == Some(&b'-') {
            1 + rest[1..].iter().take_while(|c| c.is_ascii_alphanumeric()).count()
        } else {
            0
        };
        at + letters + region
    }

    /// Adds a word, or finds it; `None` if there is no room.
    fn word(&mut self, start: usize, end: usize, state: Fnv, kind: Kind, in_head: bool) -> Option<u8> {
        let (hash, class) = self.canon.of(state.finish());
        let mut slot = hash as usize >> 1 & 511;
        while self.table[slot] != 0 {
            let place = self.table[slot] - 1;
            let known = &mut self.words[usize::from(place)];
            if known.hash == hash {
                known.in_head |= in_head;
                return Some(place);
            }
            slot = (slot + 1) & 511;
        }
        let place = u8::try_from(self.words.len()).ok().filter(|&place| usize::from(place) < MAX_WORDS)?;
        self.table[slot] = place + 1;
        self.words.push(Word {
            hash,
            start: u16::try_from(start).expect("a record is cut at 2,000 bytes and a word"),
            len: u8::try_from(end - start).unwrap_or(u8::MAX),
            kind,
            class,
            in_head,
        });
        Some(place)
    }

    /// Ends a compound: what holds a digit is a code.
    fn close(&mut self, compound: Option<Compound>, end: usize) {
        let Some(Compound { start, has_digit: true }) = compound else { return };
        if self.codes.len() >= MAX_CODES || end - start > 48 {
            return;
        }
        let from = self.code_text.len();
        let mut has_letter = false;
        let mut state = Fnv::START;
        for at in start..end {
            let c = self.text[at];
            if is_word(c) {
                has_letter |= !c.is_ascii_digit();
                state = state.byte(c);
                self.code_text.push(c);
            }
        }
        let len = self.code_text.len() - from;
        let hash = state.finish();
        let in_head = start < self.head_bytes;
        if let Some(known) = self.codes.iter_mut().find(|code| code.hash == hash) {
            known.in_head |= in_head;
        } else if len >= 3 {
            self.codes.push(Code { hash, start: from as u16, len: len as u8, in_head, has_letter });
            return;
        }
        self.code_text.truncate(from);
    }

    fn number(&mut self, start: usize, end: usize, kind: Kind, in_head: bool, waiting: &mut Option<f32>) {
        let text = &self.text[start..end];
        // A number that waits takes a word of letters as its unit; before anything else it has none.
        if let Some(value) = waiting.take() {
            let unit = if kind == Kind::Letters { units::unit(text) } else { None };
            let (unit, scale) = unit.unwrap_or((0, 1.0));
            self.push_number(value * scale, unit, in_head);
        }
        match kind {
            Kind::Letters => {}
            Kind::Digits => *waiting = number(text),
            Kind::Mixed => {
                let n_digits = text.iter().take_while(|c| c.is_ascii_digit() || **c == b'.').count();
                let (digits, letters) = text.split_at(n_digits);
                if let (Some(value), Some((unit, scale))) = (number(digits), units::unit(letters)) {
                    self.push_number(value * scale, unit, in_head);
                }
            }
        }
    }

    fn push_number(&mut self, value: f32, unit: u8, in_head: bool) {
        let known = self.numbers.iter_mut().find(|n| n.value == value && n.unit == unit);
        if let Some(known) = known {
            known.in_head |= in_head;
        } else if self.numbers.len() < MAX_NUMBERS {
            self.numbers.push(Number { value, unit, in_head });
        }
    }
}

/// A run of digits with at most one point; `None` if it is long enough to be an article number.
fn number(text: &[u8]) -> Option<f32> {
    if text.is_empty() || text.len() > 7 {
        return None;
    }
    let (mut value, mut scale) = (0.0_f32, 0.0_f32);
    for &c in text {
        if c == b'.' {
            if scale > 0.0 {
                return None;
            }
            scale = 1.0;
        } else {
            value = value * 10.0 + f32::from(c - b'0');
            scale *= 10.0;
        }
    }
    Some(if scale > 0.0 { value / scale } else { value })
}
