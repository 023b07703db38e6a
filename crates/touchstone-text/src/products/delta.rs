//! What has changed since the base segment was written: products put in its place or beside it, and products gone.
//!
//! A delta is never changed once it is in use: a change copies it, which costs as much as the delta is long, not as the
//! catalog is. Its products are numbered behind those of the base; words that the base lacks behind the words of the base.

use std::collections::HashMap;
use std::sync::Arc;

use super::dictionary::Dictionary;
use super::misspelt::{entry, forms, is_forgiven};
use super::record::{Entry, Name, Product};
use super::segment::Segment;

/// A product of the delta.
#[derive(Debug)]
pub(super) struct Added {
    /// The product.
    pub entry: Entry,
    /// The numbers of the words of its title, then of its attributes.
    pub words: Vec<u32>,
}

/// How many products more (or fewer) than in the base have a word.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// In the list of the word.
    pub listed: i32,
    /// In their attributes alone.
    pub attributes: i32,
}

/// The changes.
#[derive(Debug, Clone)]
pub(super) struct Delta {
    /// One bit for each product of the base that is gone; empty where all are there.
    dead: Vec<u64>,
    /// How many bits are set.
    pub n_dead: u32,
    /// The products by place; a place is empty once its product is gone.
    pub added: Vec<Option<Arc<Added>>>,
    /// The places that are not empty, in the order of their keys.
    sorted: Vec<u32>,
    /// For each place where its product stands among all products, see [`Delta::order`].
    orders: Vec<u64>,
    dictionary: Dictionary,
    counts: HashMap<u32, Counts>,
    lists: HashMap<u32, Vec<u32>>,
    forms: Vec<u64>,
}

impl Delta {
    pub(super) fn new() -> Self {
        Self {
            dead: Vec::new(),
            n_dead: 0,
            added: Vec::new(),
            sorted: Vec::new(),
            orders: Vec::new(),
            dictionary: Dictionary::new(),
            counts: HashMap::new(),
            lists: HashMap::new(),
            forms: Vec::new(),
        }
    }

    /// How much work the delta makes: its places and the products of the base that are gone.
    pub(super) fn len(&self) -> usize {
        self.added.len() + self.n_dead as usize
    }

    /// How many products it has.
    pub(super) fn n_live(&self) -> u32 {
        self.sorted.len() as u32
    }

    /// The places in the order of their keys.
    pub(super) fn sorted(&self) -> &[u32] {
        &self.sorted
    }

    /// Whether a product of the base is gone.
    #[inline]
    pub(super) fn is_dead(&self, product: u32) -> bool {
        self.n_dead > 0
            && self.dead.get(product as usize / 64).is_some_and(|bits| bits >> (product % 64) & 1 == 1)
    }

    /// Where a place stands among all products: the products of the base before it, and behind those its own rank.
    pub(super) fn order(&self, place: u32) -> u64 {
        self.orders.get(place as usize).copied().unwrap_or(u64::MAX)
    }

    /// How many more products than in the base have a word.
    pub(super) fn counts(&self, word: u32) -> Counts {
        self.counts.get(&word).copied().unwrap_or_default()
    }

    /// The places that a word lists, some of them empty by now.
    pub(super) fn list(&self, word: u32) -> &[u32] {
        self.lists.get(&word).map_or(&[], Vec::as_slice)
    }

    /// The number of a word that the base lacks.
    pub(super) fn find(&self, base: &Segment, text: &[u8]) -> Option<u32> {
        self.dictionary.find(text).map(|number| base.n_words + number)
    }

    /// The text of a word that the base lacks.
    pub(super) fn word(&self, base: &Segment, word: u32) -> &[u8] {
        // A damaged base may name words that nobody has.
        let number = word.saturating_sub(base.n_words);
        if (number as usize) < self.dictionary.len() { self.dictionary.get(number) } else { &[] }
    }

    /// Calls `each` with the words that the base lacks and that have a form.
    pub(super) fn words_with_form(&self, form: u32, mut each: impl FnMut(u32)) {
        let from = self.forms.partition_point(|&e| e >> 32 < u64::from(form));
        for &entry in self.forms[from..].iter().take_while(|&&e| e >> 32 == u64::from(form)) {
            each((entry & u64::from(u32::MAX)) as u32);
        }
    }

    /// Adds a product or puts it in the place of the one with its key.
    pub(super) fn put(&mut self, base: &Segment, new: Entry) {
        let product = new.product();
        let key = (product.brand_id, product.product_id);
        self.remove(base, key);
        let place = u32::try_from(self.added.len()).expect("fewer than 4 Gi products");
        let at = self.search(key).unwrap_or_else(|at| at);
        let mut words = Vec::with_capacity(new.title.len() + new.attributes.len());
        for (text, is_title) in
            new.title.iter().map(|t| (t, true)).chain(new.attributes.iter().map(|t| (t, false)))
        {
            let word = self.number(base, Name::Word(text));
            words.push(word);
            self.count(word, 1, is_title);
            if is_title {
                self.lists.entry(word).or_default().push(place);
            }
        }
        product.names(|name| {
            let word = self.number(base, name);
            self.count(word, 1, true);
            self.lists.entry(word).or_default().push(place);
        });
        self.sorted.insert(at, place);
        self.added.push(Some(Arc::new(Added { entry: new, words })));
    }

    /// Takes the product with a key away, wherever it is.
    pub(super) fn remove(&mut self, base: &Segment, key: (&str, &str)) {
        if let Ok(at) = self.search(key) {
            let place = self.sorted.remove(at);
            let Some(gone) = self.added[place as usize].take() else { return };
            let n_title = gone.entry.title.len();
            for (i, &word) in gone.words.iter().enumerate() {
                self.count(word, -1, i < n_title);
            }
            gone.entry.product().names(|name| self.uncount(base, name));
        } else if let Ok(product) = base.search(key)
            && !self.is_dead(product)
        {
            self.dead.resize((base.n_products as usize).div_ceil(64), 0);
            self.dead[product as usize / 64] |= 1 << (product % 64);
            self.n_dead += 1;
            let (words, n_title) = base.words_of(product);
            for (i, word) in words.chunks_exact(4).enumerate() {
                self.count(super::segment::u32_of(word, 0), -1, i < n_title);
            }
            Product::read(base.record(product)).names(|name| self.uncount(base, name));
        }
    }

    /// Says anew where each place stands among all products.
    pub(super) fn settle(&mut self, base: &Segment) {
        let mut orders = vec![0; self.added.len()];
        for (rank, &place) in self.sorted.iter().enumerate() {
            let Some(added) = &self.added[place as usize] else { continue };
            let before = match base.search(Product::key(&added.entry.record)) {
                Ok(at) | Err(at) => at,
            };
            orders[place as usize] = u64::from(before) << 32 | rank as u64;
        }
        self.orders = orders;
    }

    fn search(&self, key: (&str, &str)) -> Result<usize, usize> {
        self.sorted.binary_search_by(|&place| {
            let added = self.added[place as usize].as_deref();
            added.map_or(("", ""), |a| Product::key(&a.entry.record)).cmp(&key)
        })
    }

    fn number(&mut self, base: &Segment, name: Name<'_>) -> u32 {
        let mut text = Vec::new();
        name.bytes(&mut text);
        if let Some(word) = base.find(&text) {
            return word;
        }
        let n_before = self.dictionary.len();
        let word = base.n_words + self.dictionary.add(&text);
        if let Name::Word(text) = name
            && self.dictionary.len() > n_before
            && is_forgiven(text)
        {
            let mut of_word = Vec::new();
            forms(text, &mut of_word);
            for form in of_word {
                let entry = entry(form, word);
                let at = self.forms.partition_point(|&e| e < entry);
                self.forms.insert(at, entry);
            }
        }
        word
    }

    fn count(&mut self, word: u32, by: i32, listed: bool) {
        let counts = self.counts.entry(word).or_default();
        if listed {
            counts.listed += by;
        } else {
            counts.attributes += by;
        }
    }

    fn uncount(&mut self, base: &Segment, name: Name<'_>) {
        let mut text = Vec::new();
        name.bytes(&mut text);
        if let Some(word) = base.find(&text).or_else(|| self.find(base, &text)) {
            self.count(word, -1, true);
        }
    }
}
