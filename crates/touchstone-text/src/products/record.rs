//! One product as the index keeps it: read from a catalog record, written as bytes, and looked at in place.
//!
//! The bytes hold the facts that [`super::score`] compares, as length-prefixed texts and variable-length integers. Reading
//! never fails: what is cut off or damaged reads as empty.

use touchstone_types::ProductRecord;

use super::gtin;
use super::pieces::{Kind, Piece, pieces, search_words};
use crate::lexicon::{Cue, Lexicon};
use crate::roles::Cues;
use crate::words::Text;

/// How much of a product's title and of each attribute is read, in characters.
const MAX_CHARS: usize = 500;
/// How many attributes are read.
const MAX_ATTRIBUTES: usize = 64;
/// How many pieces of a title, and of all attributes together, are kept.
const MAX_PIECES: usize = 255;
/// How many GTINs are kept.
const MAX_GTINS: usize = 32;

/// A product ready to be indexed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The pieces of its title, each once, in the order of the title.
    pub title: Vec<String>,
    /// The pieces of its attributes that the title lacks, each once.
    pub attributes: Vec<String>,
    /// Everything else, to be read by [`Product::read`].
    pub record: Vec<u8>,
}

/// One product, borrowed from the index.
#[derive(Debug, Default)]
pub(crate) struct Product<'a> {
    /// Its brand.
    pub brand_id: &'a str,
    /// Its identifier.
    pub product_id: &'a str,
    /// Its part number, letters and digits only; empty where it has none.
    pub mpn: &'a str,
    /// Its category, folded; empty where it has none.
    pub category: &'a str,
    /// How many pieces its title says that it holds; such a pack is one unit.
    pub pack: Option<u32>,
    /// Its GTINs with a right check digit.
    pub gtins: Vec<u64>,
    /// The colours in its title, else in its attributes.
    pub colours: Vec<u16>,
    /// Its model codes and numbers.
    pub models: Vec<&'a str>,
    /// Its measures.
    pub measures: Vec<&'a str>,
}

impl Entry {
    /// Reads a catalog record.
    pub(crate) fn new(lexicon: &Lexicon, record: &ProductRecord) -> Self {
        let text = Text::new(&record.title, MAX_CHARS);
        let cues = Cues::new(lexicon, &text);
        let found = pieces(&cues);
        let mut title = Vec::with_capacity(found.len());
        collect(&cues, &found, &[], &mut title);
        let mut attributes = Vec::new();
        let mut colours = colours_of(&found);
        for value in record.attributes.values().take(MAX_ATTRIBUTES) {
            let text = Text::new(value, MAX_CHARS);
            let cues = Cues::new(lexicon, &text);
            let found = pieces(&cues);
            if colours.is_empty() {
                colours = colours_of(&found);
            }
            collect(&cues, &found, &title, &mut attributes);
        }
        let pack = pack_of(&cues, &found);
        let models = models_of(&found, pack);
        let mpn = record.mpn.as_deref().map(plain_code).filter(|code| is_part_number(code));
        let category = record
            .category
            .as_deref()
            .map(|c| crate::fold::fold(c, MAX_CHARS).into_iter().map(|c| c.c).collect::<String>());
        let mut measures: Vec<&str> = Vec::new();
        for piece in found.iter().filter(|p| p.kind == Kind::Measure) {
            if !measures.contains(&piece.text.as_str()) {
                measures.push(&piece.text);
            }
        }
        let product = Product {
            brand_id: record.brand_id.as_str(),
            product_id: record.product_id.as_str(),
            mpn: mpn.as_deref().unwrap_or(""),
            category: category.as_deref().unwrap_or(""),
            pack,
            gtins: record.gtins.iter().filter_map(|text| gtin::parse(text)).take(MAX_GTINS).collect(),
            colours,
            models: models.iter().map(String::as_str).collect(),
            measures,
        };
        Self { title, attributes, record: product.to_bytes() }
    }

    /// The product.
    pub(crate) fn product(&self) -> Product<'_> {
        Product::read(&self.record)
    }
}

impl<'a> Product<'a> {
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        for text in [self.brand_id, self.product_id, self.mpn, self.category] {
            put_text(&mut out, text);
        }
        put(&mut out, u64::from(self.pack.unwrap_or(0)));
        put(&mut out, self.gtins.len() as u64);
        self.gtins.iter().for_each(|&gtin| put(&mut out, gtin));
        put(&mut out, self.colours.len() as u64);
        self.colours.iter().for_each(|&colour| put(&mut out, u64::from(colour)));
        for texts in [&self.models, &self.measures] {
            put(&mut out, texts.len() as u64);
            texts.iter().for_each(|text| put_text(&mut out, text));
        }
        out
    }

    /// Looks at a record.
    pub(crate) fn read(bytes: &'a [u8]) -> Self {
        let mut at = Reader(bytes);
        let mut product = Self {
            brand_id: at.text(),
            product_id: at.text(),
            mpn: at.text(),
            category: at.text(),
            pack: u32::try_from(at.number()).ok().filter(|&n| n > 0),
            ..Self::default()
        };
        for _ in 0..at.count() {
            product.gtins.push(at.number());
        }
        for _ in 0..at.count() {
            product.colours.push(u16::try_from(at.number()).unwrap_or(u16::MAX));
        }
        for _ in 0..at.count() {
            product.models.push(at.text());
        }
        for _ in 0..at.count() {
            product.measures.push(at.text());
        }
        product
    }

    /// Brand and product of a record: the key by which products are sorted.
    pub(crate) fn key(bytes: &'a [u8]) -> (&'a str, &'a str) {
        let mut at = Reader(bytes);
        (at.text(), at.text())
    }

    /// The names under which the product is found whole, apart from the words of its title.
    pub(crate) fn names(&self, mut each: impl FnMut(Name<'_>)) {
        self.models.iter().for_each(|model| each(Name::Model(model)));
        if !self.mpn.is_empty() {
            each(Name::PartNumber(self.mpn));
            each(Name::Stem(stem(self.mpn)));
        }
        for (i, &gtin) in self.gtins.iter().enumerate() {
            if !self.gtins[..i].contains(&gtin) {
                each(Name::Gtin(gtin));
            }
        }
    }
}

/// What the dictionary of the index lists products under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name<'a> {
    /// A piece of a title.
    Word(&'a str),
    /// A model code or number.
    Model(&'a str),
    /// A whole part number.
    PartNumber(&'a str),
    /// A part number without its region.
    Stem(&'a str),
    /// A GTIN.
    Gtin(u64),
}

impl Name<'_> {
    /// What stands before the text of a word.
    pub(crate) const WORD: u8 = b'w';

    /// The bytes under which it stands in the dictionary: what it is, then its text.
    pub(crate) fn bytes(self, out: &mut Vec<u8>) {
        out.clear();
        let (tag, text) = match self {
            Name::Word(text) => (Self::WORD, text),
            Name::Model(text) => (b'm', text),
            Name::PartNumber(text) => (b'p', text),
            Name::Stem(text) => (b's', text),
            Name::Gtin(number) => {
                out.push(b'g');
                out.extend_from_slice(&number.to_le_bytes());
                return;
            }
        };
        out.push(tag);
        out.extend_from_slice(text.as_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let Some((&byte, rest)) = self.0.split_first() else { return 0 };
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
        }
        0
    }

    /// A number of items, each of at least one byte.
    fn count(&mut self) -> usize {
        usize::try_from(self.number()).unwrap_or(0).min(self.0.len())
    }

    fn text(&mut self) -> &'a str {
        let n = self.count();
        let (text, rest) = self.0.split_at(n);
        self.0 = rest;
        std::str::from_utf8(text).unwrap_or("")
    }
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Adds the words to search by that neither list has.
fn collect(cues: &Cues<'_>, found: &[Piece], known: &[String], out: &mut Vec<String>) {
    for (word, _) in search_words(cues, found) {
        let is = |other: &String| *other == word;
        if out.len() < MAX_PIECES && !out.iter().any(is) && !known.iter().any(is) {
            out.push(word.into_owned());
        }
    }
}

fn colours_of(pieces: &[Piece]) -> Vec<u16> {
    let mut colours: Vec<u16> = Vec::new();
    for piece in pieces {
        if let Kind::Colour(class) = piece.kind
            && !colours.contains(&class)
        {
            colours.push(class);
        }
    }
    colours
}

/// How many pieces a title says that its product holds.
fn pack_of(cues: &Cues<'_>, found: &[Piece]) -> Option<u32> {
    let kit_ends: Vec<usize> = cues.of(&Cue::Kit).map(|hit| hit.end).collect();
    found.iter().find_map(|piece| match piece.kind {
        Kind::Number(n) if (2..100).contains(&n) && kit_ends.contains(&piece.word) => Some(n),
        Kind::Count(n) if (2..100).contains(&n) => Some(n),
        _ => None,
    })
}

fn models_of(found: &[Piece], pack: Option<u32>) -> Vec<String> {
    let mut models: Vec<String> = Vec::new();
    for piece in found {
        let is_model = match piece.kind {
            Kind::Code => piece.text.len() <= 12,
            Kind::Number(n) => Some(n) != pack,
            _ => false,
        };
        if is_model && !models.contains(&piece.text) {
            models.push(piece.text.clone());
        }
    }
    models
}

/// A code's letters and digits, lower case.
pub(crate) fn plain_code(text: &str) -> String {
    crate::fold::fold(text, 64).into_iter().map(|c| c.c).filter(char::is_ascii_alphanumeric).collect()
}

/// Whether a code is long and mixed enough to name a product on its own.
pub(crate) fn is_part_number(code: &str) -> bool {
    let digits = code.bytes().filter(u8::is_ascii_digit).count();
    (5..=24).contains(&code.len()) && digits >= 2 && (digits < code.len() || code.len() >= 6)
}

/// A part number without the two letters at its end, which often tell the region it was made for.
pub(crate) fn stem(code: &str) -> &str {
    let cut = code.len().saturating_sub(2);
    let Some((rest, end)) = code.split_at_checked(cut) else { return code };
    let region = end.bytes().all(|b| b.is_ascii_alphabetic());
    let rest_names = rest.len() >= 4
        && rest.bytes().any(|b| b.is_ascii_alphabetic())
        && rest.bytes().any(|b| b.is_ascii_digit());
    if region && rest_names { rest } else { code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_drop_the_region_and_nothing_else() {
        for (code, expected) in
            [("lm20kab", "lm20k"), ("lm20k", "lm20k"), ("abcdef", "abcdef"), ("12345ab", "12345ab")]
        {
            assert_eq!(stem(code), expected);
        }
    }

    #[test]
    fn a_record_reads_back_and_a_cut_one_does_not_panic() {
        let product = Product {
            brand_id: "lumora",
            product_id: "LM-20",
            mpn: "lm20kab",
            pack: Some(300),
            gtins: vec![4_006_381_333_931],
            colours: vec![3, 400],
            models: vec!["20", "20xl"],
            ..Product::default()
        };
        let bytes = product.to_bytes();
        let read = Product::read(&bytes);
        assert_eq!(format!("{read:?}"), format!("{product:?}"));
        for end in 0..bytes.len() {
            Product::read(&bytes[..end]);
        }
    }
}
