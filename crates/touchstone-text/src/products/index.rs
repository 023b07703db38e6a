//! The catalog's products, compiled: postings by piece, and identifiers.

use std::collections::{BTreeMap, HashMap, HashSet};

use touchstone_types::{BrandId, ProductId, ProductRecord};

use super::gtin;
use super::pieces::{Kind, Piece, pieces};
use crate::lexicon::{Cue, Lexicon};
use crate::roles::Cues;
use crate::words::Text;

/// How much of a product's title and attributes is read, in characters.
const MAX_CHARS: usize = 500;

/// One product.
#[derive(Debug)]
pub(crate) struct Product {
    /// Its brand.
    pub brand_id: BrandId,
    /// Its identifier.
    pub product_id: ProductId,
    /// The pieces of its title by number, without repeats, in order of number.
    pub title: Vec<u32>,
    /// Its model codes and numbers.
    pub models: Vec<String>,
    /// The colours in its title, else in its attributes.
    pub colours: Vec<u16>,
    /// Its measures.
    pub measures: Vec<String>,
    /// Its part number, letters and digits only.
    pub mpn: Option<String>,
    /// Its GTINs with a right check digit.
    pub gtins: Vec<u64>,
    /// Its category, folded.
    pub category: Option<String>,
    /// How many pieces its title says that it holds; such a pack is one unit.
    pub pack: Option<u32>,
}

/// All products.
#[derive(Debug)]
pub(crate) struct ProductIndex {
    /// The products, sorted by brand and product.
    pub products: Vec<Product>,
    pieces: HashMap<String, u32>,
    texts: Vec<String>,
    weights: Vec<f64>,
    /// For each product the square root of the weight of its title.
    lengths: Vec<f64>,
    postings: Vec<Vec<u32>>,
    by_mpn: HashMap<String, Vec<u32>>,
    by_stem: HashMap<String, Vec<u32>>,
    by_gtin: HashMap<u64, Vec<u32>>,
    by_model: HashMap<String, Vec<u32>>,
    /// The weight of a piece that no product has.
    pub unknown_weight: f64,
}

impl ProductIndex {
    /// Compiles products in any order; the last record of a repeated key counts.
    pub(crate) fn build<'a>(lexicon: &Lexicon, records: impl IntoIterator<Item = &'a ProductRecord>) -> Self {
        let records: BTreeMap<(&BrandId, &ProductId), &ProductRecord> =
            records.into_iter().map(|r| ((&r.brand_id, &r.product_id), r)).collect();
        let mut index = Self {
            products: Vec::with_capacity(records.len()),
            pieces: HashMap::new(),
            texts: Vec::new(),
            weights: Vec::new(),
            lengths: Vec::new(),
            postings: Vec::new(),
            by_mpn: HashMap::new(),
            by_stem: HashMap::new(),
            by_gtin: HashMap::new(),
            by_model: HashMap::new(),
            unknown_weight: 0.0,
        };
        for record in records.into_values() {
            index.add(lexicon, record);
        }
        // A stem that several products share tells nothing about any one of them.
        index.by_stem.retain(|_, products| products.len() == 1);
        let n = index.products.len() as f64;
        index.weights = index.postings.iter().map(|list| libm::log(1.0 + n / list.len() as f64)).collect();
        index.unknown_weight = libm::log(1.0 + n);
        let own = |p: &Product| p.title.iter().map(|&t| index.weights[t as usize]).sum::<f64>();
        index.lengths = index.products.iter().map(|p| libm::sqrt(own(p).max(1e-9))).collect();
        index
    }

    fn add(&mut self, lexicon: &Lexicon, record: &ProductRecord) {
        let idx = u32::try_from(self.products.len()).expect("fewer than 4 Gi products");
        let text = Text::new(&record.title, MAX_CHARS);
        let cues = Cues::new(lexicon, &text);
        let found = pieces(&cues);
        let mut title: Vec<u32> = Vec::with_capacity(found.len());
        for piece in found.iter().filter(|p| !lexicon.function_words.contains(&p.text)) {
            title.push(self.number_of(&piece.text));
        }
        title.sort_unstable();
        title.dedup();
        let mut all = title.clone();
        let mut colours = colours_of(&found);
        for value in record.attributes.values() {
            let text = Text::new(value, MAX_CHARS);
            let found = pieces(&Cues::new(lexicon, &text));
            if colours.is_empty() {
                colours = colours_of(&found);
            }
            all.extend(
                found
                    .iter()
                    .filter(|p| !lexicon.function_words.contains(&p.text))
                    .map(|p| self.number_of(&p.text)),
            );
        }
        all.sort_unstable();
        all.dedup();
        for &piece in &all {
            self.postings[piece as usize].push(idx);
        }
        let pack = pack_of(&cues, &found);
        let models = models_of(&found, pack);
        for model in &models {
            self.by_model.entry(model.clone()).or_default().push(idx);
        }
        let mpn = record.mpn.as_deref().map(plain_code).filter(|code| is_part_number(code));
        if let Some(mpn) = &mpn {
            self.by_mpn.entry(mpn.clone()).or_default().push(idx);
            self.by_stem.entry(stem(mpn).to_owned()).or_default().push(idx);
        }
        let gtins: Vec<u64> = record.gtins.iter().filter_map(|text| gtin::parse(text)).collect();
        for &gtin in &gtins {
            self.by_gtin.entry(gtin).or_default().push(idx);
        }
        self.products.push(Product {
            brand_id: record.brand_id.clone(),
            product_id: record.product_id.clone(),
            title,
            models,
            colours,
            measures: found.iter().filter(|p| p.kind == Kind::Measure).map(|p| p.text.clone()).collect(),
            mpn,
            gtins,
            category: record.category.as_deref().map(crate::fold::fold_plain),
            pack,
        });
    }

    fn number_of(&mut self, piece: &str) -> u32 {
        if let Some(&number) = self.pieces.get(piece) {
            return number;
        }
        let number = u32::try_from(self.texts.len()).expect("fewer than 4 Gi pieces");
        self.pieces.insert(piece.to_owned(), number);
        self.texts.push(piece.to_owned());
        self.postings.push(Vec::new());
        number
    }

    /// The words of all titles.
    pub(crate) fn words(&self) -> HashSet<String> {
        self.texts.iter().cloned().collect()
    }

    /// The number of a piece; `None` where no product has it.
    pub(crate) fn piece(&self, text: &str) -> Option<u32> {
        self.pieces.get(text).copied()
    }

    /// The text of a piece.
    pub(crate) fn text(&self, piece: u32) -> &str {
        &self.texts[piece as usize]
    }

    /// How rare a piece is: ln(1 + products / products with it).
    pub(crate) fn weight(&self, piece: u32) -> f64 {
        self.weights[piece as usize]
    }

    /// The products with this model code or number.
    pub(crate) fn with_model(&self, model: &str) -> &[u32] {
        self.by_model.get(model).map_or(&[], Vec::as_slice)
    }

    /// The products with this GTIN.
    pub(crate) fn with_gtin(&self, gtin: u64) -> &[u32] {
        self.by_gtin.get(&gtin).map_or(&[], Vec::as_slice)
    }

    /// The products with this part number (letters and digits only), and whether it is the whole of it: the last letters
    /// often tell only the region.
    pub(crate) fn with_part_number(&self, code: &str) -> Option<(&[u32], bool)> {
        if !is_part_number(code) {
            return None;
        }
        if let Some(products) = self.by_mpn.get(code) {
            return Some((products, true));
        }
        self.by_stem.get(stem(code)).map(|products| (products.as_slice(), false))
    }

    /// The `k` products that share the most weight with the pieces, best first; ties go to the smaller place.
    ///
    /// At most `max_postings` postings are read, the rarest pieces first: what is too common to bring in new products
    /// then only tells those at hand apart.
    pub(crate) fn nearest(&self, pieces: &[u32], k: usize, max_postings: usize) -> Vec<(u32, f64)> {
        let mut pieces = pieces.to_vec();
        // Equally rare pieces are read in the order of their text, which does not depend on the order of records.
        pieces.sort_by(|&a, &b| {
            let len = |p: u32| self.postings[p as usize].len();
            len(a).cmp(&len(b)).then_with(|| self.text(a).cmp(self.text(b)))
        });
        pieces.dedup();
        let mut sums = Sums::new(max_postings);
        let mut read = 0;
        for piece in pieces {
            let list = &self.postings[piece as usize];
            let weight = self.weight(piece);
            if read > 0 && read + list.len() > max_postings {
                sums.add_to_known(list, weight);
                continue;
            }
            read += list.len();
            for &product in list.iter().take(max_postings) {
                sums.add(product, weight);
            }
        }
        let mut best: Vec<(u32, f64)> =
            sums.found().map(|(product, sum)| (product, sum / self.lengths[product as usize])).collect();
        let by_score = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if best.len() > k && k > 0 {
            best.select_nth_unstable_by(k - 1, by_score);
        }
        best.truncate(k);
        best.sort_by(by_score);
        best
    }
}

/// Sums by product in an open table that is never more than half full.
struct Sums {
    slots: Vec<(u32, f64)>,
    used: Vec<u32>,
}

const FREE: u32 = u32::MAX;

impl Sums {
    fn new(max_products: usize) -> Self {
        Self { slots: vec![(FREE, 0.0); (max_products * 2).next_power_of_two()], used: Vec::new() }
    }

    fn slot(&self, product: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut i = (product.wrapping_mul(0x9e37_79b1) >> 15) as usize & mask;
        while self.slots[i].0 != FREE && self.slots[i].0 != product {
            i = (i + 1) & mask;
        }
        i
    }

    fn add(&mut self, product: u32, weight: f64) {
        let i = self.slot(product);
        if self.slots[i].0 == FREE {
            self.slots[i].0 = product;
            self.used.push(u32::try_from(i).expect("the table is small"));
        }
        self.slots[i].1 += weight;
    }

    fn add_to_known(&mut self, list: &[u32], weight: f64) {
        for &i in &self.used {
            let slot = &mut self.slots[i as usize];
            if list.binary_search(&slot.0).is_ok() {
                slot.1 += weight;
            }
        }
    }

    fn found(&self) -> impl Iterator<Item = (u32, f64)> {
        self.used.iter().map(|&i| self.slots[i as usize])
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
fn is_part_number(code: &str) -> bool {
    let digits = code.bytes().filter(u8::is_ascii_digit).count();
    (5..=24).contains(&code.len()) && digits >= 2 && (digits < code.len() || code.len() >= 6)
}

/// A part number without the two letters at its end, which often tell the region it was made for.
fn stem(code: &str) -> &str {
    let cut = code.len().saturating_sub(2);
    let region = code.as_bytes()[cut..].iter().all(u8::is_ascii_alphabetic);
    let rest = &code[..cut];
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
}
