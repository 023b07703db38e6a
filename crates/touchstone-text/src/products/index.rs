//! The catalog's products, compiled: an immutable base segment and the changes since.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use touchstone_types::{BrandId, ProductId, ProductRecord};

use super::build::Builder;
use super::delta::Delta;
use super::misspelt;
use super::record::{Entry, Name, Product, is_part_number, stem};
use super::segment::{Segment, u32_of};
use crate::SegmentError;
use crate::lexicon::Lexicon;

/// Products listed under one code; more than so many of one code tell nothing apart.
pub(crate) const MAX_LISTED: usize = 64;
/// Weights of so many counts are kept.
const N_WEIGHTS: u32 = 256;
/// Weights are rounded to this part of one, so that their sums do not depend on the order of adding.
const WEIGHT_UNIT: f64 = 1_048_576.0;

/// All products. A product's number says where it is kept and nothing about its place among the others; that is
/// [`ProductIndex::order`].
#[derive(Debug, Clone)]
pub(crate) struct ProductIndex {
    pub(super) base: Segment,
    pub(super) delta: Arc<Delta>,
    /// [`weight_of`] the first counts: most words are in few products.
    weights: Arc<[f64]>,
}

/// A change to the products.
#[derive(Debug)]
pub(crate) enum ProductChange<'a> {
    /// A new or changed product.
    Put(&'a ProductRecord),
    /// A product gone.
    Remove(&'a BrandId, &'a ProductId),
}

impl ProductIndex {
    /// Compiles products in any order; the last record of a repeated key counts.
    pub(crate) fn build<'a>(lexicon: &Lexicon, records: impl IntoIterator<Item = &'a ProductRecord>) -> Self {
        let records: BTreeMap<(&BrandId, &ProductId), &ProductRecord> =
            records.into_iter().map(|r| ((&r.brand_id, &r.product_id), r)).collect();
        let mut builder = Builder::new();
        for record in records.into_values() {
            let entry = Entry::new(lexicon, record);
            add_entry(&mut builder, &entry);
        }
        Self::of_sound_bytes(builder.finish(lexicon.id()), lexicon.id())
    }

    /// Opens a segment.
    pub(crate) fn open(lexicon: &Lexicon, bytes: Bytes) -> Result<Self, SegmentError> {
        Ok(Self::of(Segment::open(bytes, lexicon.id())?, Arc::new(Delta::new())))
    }

    fn of_sound_bytes(bytes: Bytes, lexicon_id: &str) -> Self {
        let base = Segment::open(bytes, lexicon_id).expect("the builder writes what the reader reads");
        Self::of(base, Arc::new(Delta::new()))
    }

    fn of(base: Segment, delta: Arc<Delta>) -> Self {
        let mut index = Self { base, delta, weights: Arc::new([]) };
        let n = index.len();
        index.weights = (1..=N_WEIGHTS.min(n)).map(|n_with| weight_of(n, n_with)).collect();
        index
    }

    /// The same products after changes, in their order; the base is shared.
    pub(crate) fn with_changes(&self, lexicon: &Lexicon, changes: &[ProductChange<'_>]) -> Self {
        if changes.is_empty() {
            return self.clone();
        }
        let mut delta = (*self.delta).clone();
        for change in changes {
            match change {
                ProductChange::Put(record) => delta.put(&self.base, Entry::new(lexicon, record)),
                ProductChange::Remove(brand, product) => {
                    delta.remove(&self.base, (brand.as_str(), product.as_str()));
                }
            }
        }
        delta.settle(&self.base);
        Self::of(self.base.clone(), Arc::new(delta))
    }

    /// The same products in one new base segment.
    pub(crate) fn compacted(&self, lexicon_id: &str) -> Self {
        if self.delta.len() == 0 {
            return self.clone();
        }
        let mut builder = Builder::new();
        let mut places = self.delta.sorted().iter().copied().peekable();
        for product in 0..=self.base.n_products {
            let order = base_order(product);
            while let Some(place) =
                places.next_if(|&place| product == self.base.n_products || self.delta.order(place) < order)
            {
                if let Some(added) = &self.delta.added[place as usize] {
                    add_entry(&mut builder, &added.entry);
                }
            }
            if product < self.base.n_products && !self.delta.is_dead(product) {
                let (words, n_title) = self.base.words_of(product);
                let (title, attributes) = words.split_at(n_title * 4);
                let text = |word: &[u8]| self.text(u32_of(word, 0));
                builder.add(
                    title.chunks_exact(4).map(text),
                    attributes.chunks_exact(4).map(text),
                    self.base.record(product),
                );
            }
        }
        Self::of_sound_bytes(builder.finish(lexicon_id), lexicon_id)
    }

    /// The base segment's bytes.
    pub(crate) fn bytes(&self) -> &Bytes {
        self.base.bytes()
    }

    /// How large the delta is.
    pub(crate) fn delta_len(&self) -> usize {
        self.delta.len()
    }

    /// How many products there are.
    pub(crate) fn len(&self) -> u32 {
        (self.base.n_products + self.delta.n_live()).saturating_sub(self.delta.n_dead)
    }

    /// One product.
    pub(crate) fn product(&self, product: u32) -> Product<'_> {
        match product.checked_sub(self.base.n_products) {
            None => Product::read(self.base.record(product)),
            Some(place) => self.added(place).map_or_else(Product::default, |added| added.entry.product()),
        }
    }

    /// Brand and product, as written.
    pub(crate) fn key(&self, product: u32) -> (&str, &str) {
        match product.checked_sub(self.base.n_products) {
            None => Product::key(self.base.record(product)),
            Some(place) => self.added(place).map_or(("", ""), |added| Product::key(&added.entry.record)),
        }
    }

    /// Brand and product; `None` only where a damaged segment names none.
    pub(crate) fn ids(&self, product: u32) -> Option<(BrandId, ProductId)> {
        let (brand, product) = self.key(product);
        Some((BrandId::new(brand).ok()?, ProductId::new(product).ok()?))
    }

    /// Where a product stands among all by brand and product: numbers to compare.
    pub(crate) fn order(&self, product: u32) -> u64 {
        match product.checked_sub(self.base.n_products) {
            None => base_order(product),
            Some(place) => self.delta.order(place),
        }
    }

    fn added(&self, place: u32) -> Option<&super::delta::Added> {
        self.delta.added.get(place as usize)?.as_deref()
    }

    /// The words of a product's title by number, in the order of the title.
    pub(crate) fn title(&self, product: u32) -> Vec<u32> {
        match product.checked_sub(self.base.n_products) {
            None => {
                let (words, n_title) = self.base.words_of(product);
                words[..n_title * 4].chunks_exact(4).map(|word| u32_of(word, 0)).collect()
            }
            Some(place) => {
                self.added(place).map_or_else(Vec::new, |a| a.words[..a.entry.title.len()].to_vec())
            }
        }
    }

    /// Whether a title or an attribute of a product has the folded word.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        self.piece(word).is_some()
    }

    /// The number of a piece; `None` where no product has it.
    pub(crate) fn piece(&self, text: &str) -> Option<u32> {
        self.find(Name::Word(text)).filter(|&word| self.n_with(word) > 0)
    }

    /// The text of a piece.
    pub(crate) fn text(&self, word: u32) -> &str {
        let bytes =
            if word < self.base.n_words { self.base.word(word) } else { self.delta.word(&self.base, word) };
        bytes.get(1..).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or("")
    }

    /// How many products have a word in their title.
    pub(crate) fn n_titled(&self, word: u32) -> u32 {
        self.base.count(word).saturating_add_signed(self.delta.counts(word).listed)
    }

    /// How many products have a word in their title or attributes.
    fn n_with(&self, word: u32) -> u32 {
        let attributes =
            self.base.attribute_count(word).saturating_add_signed(self.delta.counts(word).attributes);
        self.n_titled(word).saturating_add(attributes)
    }

    /// How rare a piece is: ln(1 + products / products with it).
    pub(crate) fn weight(&self, word: u32) -> f64 {
        let n_with = self.n_with(word).max(1);
        let known = self.weights.get(n_with as usize - 1).copied();
        known.unwrap_or_else(|| weight_of(self.len(), n_with))
    }

    /// The weight of a piece that no product has.
    pub(crate) fn unknown_weight(&self) -> f64 {
        weight_of(self.len(), 1)
    }

    pub(super) fn find(&self, name: Name<'_>) -> Option<u32> {
        let find = |text: &[u8]| self.base.find(text).or_else(|| self.delta.find(&self.base, text));
        // Every word of every listing is asked for, so the short ones do without an allocation.
        let mut short = [0; 48];
        if let Name::Word(text) = name
            && text.len() < short.len()
        {
            short[0] = Name::WORD;
            short[1..=text.len()].copy_from_slice(text.as_bytes());
            return find(&short[..=text.len()]);
        }
        let mut text = Vec::with_capacity(32);
        name.bytes(&mut text);
        find(&text)
    }

    /// Calls `each` with the words that share one of the forms, once or more.
    pub(super) fn words_with_forms(&self, forms: &[u32], mut each: impl FnMut(u32)) {
        for &form in forms {
            self.base.words_with_form(form, &mut each);
            self.delta.words_with_form(form, &mut each);
        }
    }

    /// The words of titles that are one mistake away from a word, each once, in no order.
    pub(super) fn near_words(&self, word: &str, scratch: &mut Vec<u32>, out: &mut Vec<u32>) {
        out.clear();
        misspelt::forms(word, scratch);
        self.words_with_forms(scratch, |near| out.push(near));
        out.sort_unstable();
        out.dedup();
        out.retain(|&near| {
            let text = self.text(near);
            self.n_titled(near) > 0 && text != word && strsim::osa_distance(text, word) <= 1
        });
    }

    /// The first products listed under a name, in order, at most [`MAX_LISTED`].
    fn listed(&self, name: Name<'_>) -> Vec<u32> {
        let Some(word) = self.find(name) else { return Vec::new() };
        let numbers = if word < self.base.n_words { self.base.list(word) } else { &[] };
        let mut products: Vec<u32> = numbers
            .chunks_exact(4)
            .map(|number| u32_of(number, 0))
            .filter(|&product| product < self.base.n_products && !self.delta.is_dead(product))
            .take(MAX_LISTED)
            .collect();
        let live = |&&place: &&u32| self.added(place).is_some();
        let added = self.delta.list(word).iter().filter(live).map(|&place| self.base.n_products + place);
        let n_base = products.len();
        products.extend(added);
        if products.len() > n_base {
            products.sort_unstable_by_key(|&product| self.order(product));
            products.truncate(MAX_LISTED);
        }
        products
    }

    /// The products with this model code or number, at most [`MAX_LISTED`].
    pub(crate) fn with_model(&self, model: &str) -> Vec<u32> {
        self.listed(Name::Model(model))
    }

    /// Whether a product has this model code or number.
    pub(crate) fn has_model(&self, model: &str) -> bool {
        self.n_with_model(model) > 0
    }

    /// How many products have this model code or number.
    pub(crate) fn n_with_model(&self, model: &str) -> u32 {
        self.find(Name::Model(model)).map_or(0, |word| self.n_titled(word))
    }

    /// The products with this GTIN, at most [`MAX_LISTED`].
    pub(crate) fn with_gtin(&self, gtin: u64) -> Vec<u32> {
        self.listed(Name::Gtin(gtin))
    }

    /// The products with this part number (letters and digits only), and whether it is the whole of it: the last letters
    /// often tell only the region. A stem that several products share tells nothing about any one of them.
    pub(crate) fn with_part_number(&self, code: &str) -> Option<(Vec<u32>, bool)> {
        if !is_part_number(code) {
            return None;
        }
        let whole = self.listed(Name::PartNumber(code));
        if !whole.is_empty() {
            return Some((whole, true));
        }
        let same_stem = self.listed(Name::Stem(stem(code)));
        (same_stem.len() == 1).then_some((same_stem, false))
    }
}

/// ln(1 + products / products with a piece), rounded.
fn weight_of(n: u32, n_with: u32) -> f64 {
    quantised(libm::log(1.0 + f64::from(n) / f64::from(n_with)))
}

/// A product of the base stands behind the changes that come before it.
pub(super) fn base_order(product: u32) -> u64 {
    u64::from(product) << 32 | u64::from(u32::MAX)
}

/// Rounds a weight so that sums of weights are exact.
pub(crate) fn quantised(weight: f64) -> f64 {
    libm::round(weight * WEIGHT_UNIT) / WEIGHT_UNIT
}

fn add_entry(builder: &mut Builder, entry: &Entry) {
    builder.add(
        entry.title.iter().map(String::as_str),
        entry.attributes.iter().map(String::as_str),
        &entry.record,
    );
}
