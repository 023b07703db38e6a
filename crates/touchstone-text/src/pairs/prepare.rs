//! A record cut into words, codes and numbers, once.

use super::canon::Class;
use super::cut::Cut;
use super::record::PairRecord;
use super::text::{fold_into, hashes, head_end, is_word};

/// The most distinct words of one record.
pub(crate) const MAX_WORDS: usize = 255;
/// The most codes of one record.
pub(crate) const MAX_CODES: usize = 24;
/// Size of the bitmap of three-letter sequences, in 64-bit blocks.
const GRAM_BLOCKS: usize = 32;

/// What a word is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Letters,
    Digits,
    Mixed,
}

/// One distinct word of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word {
    pub hash: u32,
    pub start: u16,
    pub len: u8,
    pub kind: Kind,
    pub class: Class,
    /// It stands in the head.
    pub in_head: bool,
}

/// A run of letters and digits with at least one digit, hyphens dropped.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Code {
    pub hash: u32,
    pub start: u16,
    pub len: u8,
    pub in_head: bool,
    pub has_letter: bool,
}

/// A number with its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number {
    /// In the base unit of its kind.
    pub value: f32,
    /// 0 where it has none.
    pub unit: u8,
    pub in_head: bool,
}

/// A record made ready for comparing: folded, cut into words, each looked at once.
///
/// Its *head* is the title up to a closed quotation or a bar: what follows is, in many shops, their own name and slogan.
#[derive(Debug, Clone)]
pub struct Prepared {
    text: Vec<u8>,
    head_bytes: usize,
    words: Vec<Word>,
    /// The words of the head in order, as places in `words`.
    sequence: Vec<u8>,
    /// Two neighbouring words of the head written as one: hash, place of the first and the second.
    joins: Vec<(u32, u8, u8)>,
    codes: Vec<Code>,
    code_text: Vec<u8>,
    numbers: Vec<Number>,
    grams: [u64; GRAM_BLOCKS],
    n_grams: u32,
    /// The head's words in the order of their bytes, joined by spaces.
    sorted: Vec<u8>,
    pub(crate) price: Option<f32>,
    pub(crate) brand: Vec<u32>,
    pub(crate) brand_text: Vec<u8>,
    pub(crate) mpn: Vec<u8>,
    pub(crate) category: Vec<u32>,
}

impl Prepared {
    /// Folds and cuts a record.
    pub fn new(record: &PairRecord) -> Self {
        let mut text = Vec::with_capacity(256);
        fold_into(&mut text, &record.title);
        let title_bytes = text.len();
        let head_bytes = head_end(&text);
        let others = [&record.brand, &record.mpn, &record.category];
        for other in others.into_iter().chain(&record.others) {
            if !other.is_empty() {
                text.push(b'\n');
                fold_into(&mut text, other);
            }
        }
        let cut = Cut::new(&text, head_bytes);
        let Cut { words, sequence, joins, codes, code_text, numbers, .. } = cut;
        let short = |text: &str| {
            let mut folded = Vec::with_capacity(text.len());
            fold_into(&mut folded, text);
            folded
        };
        let mut brand_text = short(&record.brand);
        let brand = hashes(&brand_text);
        brand_text.retain(|&c| is_word(c));
        let mut mpn = short(&record.mpn);
        mpn.retain(|&c| is_word(c));
        let mut made = Self {
            head_bytes,
            words,
            sequence,
            joins,
            codes,
            code_text,
            numbers,
            grams: [0; GRAM_BLOCKS],
            n_grams: 0,
            sorted: Vec::new(),
            price: record.price.map(|p| p as f32),
            brand,
            brand_text,
            mpn,
            category: hashes(&short(&record.category)),
            text,
        };
        made.grams(title_bytes.min(made.text.len()));
        made.sort_head();
        made
    }

    /// The distinct words, in order of their first place.
    pub(crate) fn words(&self) -> &[Word] {
        &self.words
    }

    pub(crate) fn word_text(&self, word: &Word) -> &[u8] {
        &self.text[usize::from(word.start)..usize::from(word.start) + usize::from(word.len)]
    }

    pub(crate) fn sequence(&self) -> &[u8] {
        &self.sequence
    }

    pub(crate) fn joins(&self) -> &[(u32, u8, u8)] {
        &self.joins
    }

    pub(crate) fn codes(&self) -> &[Code] {
        &self.codes
    }

    pub(crate) fn code_text(&self, code: &Code) -> &[u8] {
        &self.code_text[usize::from(code.start)..usize::from(code.start) + usize::from(code.len)]
    }

    pub(crate) fn numbers(&self) -> &[Number] {
        &self.numbers
    }

    pub(crate) fn head(&self) -> &[u8] {
        &self.text[..self.head_bytes]
    }

    pub(crate) fn sorted_head(&self) -> &[u8] {
        &self.sorted
    }

    /// Three-letter sequences in both titles, and in each.
    pub(crate) fn shared_grams(&self, other: &Self) -> (u32, u32, u32) {
        let shared = self.grams.iter().zip(&other.grams).map(|(a, b)| (a & b).count_ones()).sum();
        (shared, self.n_grams, other.n_grams)
    }

    fn grams(&mut self, title_bytes: usize) {
        let mut window = 0_u32;
        for &c in &self.text[..title_bytes] {
            let c = if is_word(c) { c } else { b' ' };
            if c == b' ' && window & 0xff == u32::from(b' ') {
                continue;
            }
            window = (window << 8 | u32::from(c)) & 0xff_ffff;
            let place = (window.wrapping_mul(0x9e37_79b1) >> 21) as usize;
            self.grams[place / 64] |= 1 << (place % 64);
        }
        self.n_grams = self.grams.iter().map(|block| block.count_ones()).sum();
    }

    fn sort_head(&mut self) {
        let text = |place: u8| self.word_text(&self.words[usize::from(place)]);
        // The first eight bytes as a number tell most words apart; no word holds a zero byte.
        let key = |place: u8| {
            let (text, mut first) = (text(place), [0; 8]);
            let n = text.len().min(8);
            first[..n].copy_from_slice(&text[..n]);
            u64::from_be_bytes(first)
        };
        let mut places: Vec<(u64, u8)> = self.sequence.iter().map(|&place| (key(place), place)).collect();
        places.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| text(a.1).cmp(text(b.1))));
        let mut sorted = Vec::with_capacity(self.head_bytes);
        for (_, place) in places {
            sorted.extend_from_slice(self.word_text(&self.words[usize::from(place)]));
            sorted.push(b' ');
        }
        self.sorted = sorted;
    }
}
