//! The base segment: the products as one immutable run of bytes, read where it lies.
//!
//! ```text
//! header    magic, version, counts, the lexicon's id, the place of each section, two checksums
//! records   for each product its facts (`record.rs`), found by an array of ends; products stand in the order of their key
//! titles    for each product the numbers of its words: title first, then attributes
//! words     the dictionary: texts, ends, an open table; for each word the products whose title has it, in order, and
//!           how many have it in their attributes alone
//! misspelt  forms with one letter less, sorted (`misspelt.rs`)
//! ```
//!
//! All numbers are little-endian and are read by copying bytes, so the bytes may lie at any address: in memory or in a
//! mapped file. Every read is checked: damaged bytes give wrong answers, and no panic.

use bytes::Bytes;

use super::dictionary::{FREE, hash};
use super::record::Product;
use crate::SegmentError;

/// The first bytes of a segment.
pub(super) const MAGIC: [u8; 8] = *b"TSPRODS\n";
/// The layout described here.
pub(super) const VERSION: u32 = 2;
/// How many sections there are.
pub(super) const N_SECTIONS: usize = 12;
/// Bytes of the header: magic, version, counts, lexicon, sections, checksum of the rest, checksum of the header.
pub(super) const HEADER_BYTES: usize = 8 + 3 * 4 + 64 + N_SECTIONS * 16 + 16;

/// More words than any product has; damaged bytes shall not promise more.
const MAX_WORDS: usize = 512;

/// The sections in the order in which they lie.
#[derive(Debug, Clone, Copy)]
pub(super) enum Section {
    /// u64: where each record ends, with a zero in front.
    RecordEnds,
    /// The records.
    Records,
    /// u32: where each product's words end, with a zero in front.
    TitleEnds,
    /// u8: how many words of a product stand in its title.
    TitleCounts,
    /// u32: word numbers.
    Titles,
    /// u32: where each word's text ends, with a zero in front.
    WordEnds,
    /// The texts.
    Words,
    /// u32: the open table.
    Slots,
    /// u32: where each word's list ends, with a zero in front.
    ListEnds,
    /// u32: product numbers.
    Lists,
    /// u32: how many products have a word in their attributes alone.
    AttributeCounts,
    /// u64: forms above, word numbers below, sorted.
    Forms,
}

/// A segment, opened.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    bytes: Bytes,
    sections: [(usize, usize); N_SECTIONS],
    /// How many products it has.
    pub n_products: u32,
    /// How many words.
    pub n_words: u32,
}

impl Segment {
    /// Checks header and bounds; the rest is read when it is needed.
    pub(super) fn open(bytes: Bytes, lexicon_id: &str) -> Result<Self, SegmentError> {
        let header = bytes.get(..HEADER_BYTES).ok_or(SegmentError::Truncated { bytes: bytes.len() })?;
        if header[..8] != MAGIC {
            return Err(SegmentError::Magic);
        }
        let version = u32_of(header, 8);
        if version != VERSION {
            return Err(SegmentError::Version { found: version, known: VERSION });
        }
        let at = HEADER_BYTES - 8;
        if u64_of(header, at) != checksum(&header[..at]) {
            return Err(SegmentError::Damaged { part: "header" });
        }
        if &header[20..84] != lexicon_id.as_bytes() {
            let found = String::from_utf8_lossy(&header[20..84]).into_owned();
            return Err(SegmentError::Lexicon { found, expected: lexicon_id.to_owned() });
        }
        let mut sections = [(0, 0); N_SECTIONS];
        for (i, section) in sections.iter_mut().enumerate() {
            let start = usize::try_from(u64_of(header, 84 + i * 16)).unwrap_or(usize::MAX);
            let end = usize::try_from(u64_of(header, 92 + i * 16)).unwrap_or(usize::MAX);
            if start > end || end > bytes.len() {
                return Err(SegmentError::Truncated { bytes: bytes.len() });
            }
            *section = (start, end);
        }
        let (n_products, n_words) = (u32_of(header, 12), u32_of(header, 16));
        let segment = Self { bytes, sections, n_products, n_words };
        let (products, words) = (n_products as usize, n_words as usize);
        let slots = segment.section(Section::Slots).len() / 4;
        let fits = [
            (Section::RecordEnds, (products + 1) * 8),
            (Section::TitleEnds, (products + 1) * 4),
            (Section::TitleCounts, products),
            (Section::WordEnds, (words + 1) * 4),
            (Section::ListEnds, (words + 1) * 4),
            (Section::AttributeCounts, words * 4),
            (Section::Slots, slots * 4),
        ]
        .iter()
        .all(|&(section, len)| segment.section(section).len() == len);
        if !fits || !slots.is_power_of_two() || slots <= words {
            return Err(SegmentError::Damaged { part: "sections" });
        }
        Ok(segment)
    }

    /// Compares the checksum over everything behind the header.
    pub(super) fn check(bytes: &[u8]) -> Result<(), SegmentError> {
        let rest = bytes.get(HEADER_BYTES..).ok_or(SegmentError::Truncated { bytes: bytes.len() })?;
        if u64_of(bytes, HEADER_BYTES - 16) != checksum(rest) {
            return Err(SegmentError::Damaged { part: "body" });
        }
        Ok(())
    }

    /// The bytes as they came.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// A section's bytes.
    pub(super) fn section(&self, section: Section) -> &[u8] {
        let (start, end) = self.sections[section as usize];
        &self.bytes[start..end]
    }

    fn range(&self, ends: Section, i: u32) -> (usize, usize) {
        let ends = self.section(ends);
        let i = i as usize * 4;
        (u32_of(ends, i) as usize, u32_of(ends, i + 4) as usize)
    }

    /// The bytes of a product's record.
    pub(super) fn record(&self, product: u32) -> &[u8] {
        let ends = self.section(Section::RecordEnds);
        let i = product as usize * 8;
        let at = |i| usize::try_from(u64_of(ends, i)).unwrap_or(usize::MAX);
        self.section(Section::Records).get(at(i)..at(i + 8)).unwrap_or(&[])
    }

    /// The place of a key, or where it would stand.
    pub(super) fn search(&self, key: (&str, &str)) -> Result<u32, u32> {
        let (mut low, mut high) = (0, self.n_products);
        while low < high {
            let middle = low + (high - low) / 2;
            match Product::key(self.record(middle)).cmp(&key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The numbers of all words of a product, those of its title first, and how many those are.
    pub(super) fn words_of(&self, product: u32) -> (&[u8], usize) {
        let (start, end) = self.range(Section::TitleEnds, product);
        let end = end.min(start.saturating_add(MAX_WORDS));
        let words =
            self.section(Section::Titles).get(start.saturating_mul(4)..end.saturating_mul(4)).unwrap_or(&[]);
        let n = self.section(Section::TitleCounts).get(product as usize).copied().unwrap_or(0);
        (words, usize::from(n).min(words.len() / 4))
    }

    /// The text of a word, its mark first.
    pub(super) fn word(&self, word: u32) -> &[u8] {
        let (start, end) = self.range(Section::WordEnds, word);
        self.section(Section::Words).get(start..end).unwrap_or(&[])
    }

    /// The number of a word.
    pub(super) fn find(&self, text: &[u8]) -> Option<u32> {
        let slots = self.section(Section::Slots);
        let n = slots.len() / 4;
        let mut slot = hash(text) as usize & (n - 1);
        // A sound table has free slots; a damaged one may have none, hence the count.
        for _ in 0..n {
            let number = u32_of(slots, slot * 4);
            if number == FREE {
                return None;
            }
            if number < self.n_words && self.word(number) == text {
                return Some(number);
            }
            slot = (slot + 1) & (n - 1);
        }
        None
    }

    /// The products that a word lists, in order, as bytes of u32.
    pub(super) fn list(&self, word: u32) -> &[u8] {
        let (start, end) = self.range(Section::ListEnds, word);
        self.section(Section::Lists).get(start.saturating_mul(4)..end.saturating_mul(4)).unwrap_or(&[])
    }

    /// How many products a word lists.
    pub(super) fn count(&self, word: u32) -> u32 {
        if word >= self.n_words { 0 } else { (self.list(word).len() / 4) as u32 }
    }

    /// How many products have a word in their attributes alone.
    pub(super) fn attribute_count(&self, word: u32) -> u32 {
        u32_of(self.section(Section::AttributeCounts), word as usize * 4)
    }

    /// Calls `each` with the words that have a form.
    pub(super) fn words_with_form(&self, form: u32, mut each: impl FnMut(u32)) {
        let forms = self.section(Section::Forms);
        let n = forms.len() / 8;
        let at = |i: usize| u64_of(forms, i * 8);
        // Hashes are spread evenly, so the place can be guessed and the search starts near it.
        let wanted = u64::from(form) << 32;
        let guess = ((u64::from(form) * n as u64) >> 32) as usize;
        let (mut low, mut high);
        let mut step = 8;
        if guess < n && at(guess) < wanted {
            low = guess;
            while low + step < n && at(low + step) < wanted {
                low += step;
                step *= 2;
            }
            high = (low + step).min(n);
        } else {
            high = guess.min(n);
            while high >= step && at(high - step) >= wanted {
                high -= step;
                step *= 2;
            }
            low = high.saturating_sub(step);
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if at(middle) < wanted { low = middle + 1 } else { high = middle }
        }
        let here = (low..n).map(at).take_while(|entry| entry >> 32 == u64::from(form));
        here.for_each(|entry| {
            let word = (entry & u64::from(u32::MAX)) as u32;
            if word < self.n_words {
                each(word);
            }
        });
    }
}

/// The little-endian number at a place; zero beyond the end.
#[inline]
pub(super) fn u32_of(bytes: &[u8], at: usize) -> u32 {
    match bytes.get(at..at.saturating_add(4)) {
        Some(word) => u32::from_le_bytes(word.try_into().expect("four bytes")),
        None => 0,
    }
}

/// The little-endian number at a place; zero beyond the end.
#[inline]
pub(super) fn u64_of(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..at.saturating_add(8)) {
        Some(word) => u64::from_le_bytes(word.try_into().expect("eight bytes")),
        None => 0,
    }
}

/// A checksum against accidents, not against forgers: four running sums so that it keeps up with the memory.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut sums = [1_u64, 2, 3, 4];
    let mut chunks = bytes.chunks_exact(32);
    for chunk in &mut chunks {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = (*sum ^ u64_of(chunk, i * 8)).wrapping_mul(PRIME).rotate_left(23);
        }
    }
    let whole =
        sums.iter().fold(bytes.len() as u64, |all, &sum| (all ^ sum).wrapping_mul(PRIME).rotate_left(31));
    hash(chunks.remainder()) ^ whole
}
