//! How rare words are: the number of records that hold each, by a hash of the word.

use std::collections::BTreeMap;

use super::prepare::Prepared;

/// Words in fewer records than this are all equally rare, so that a word which only the two records at hand hold weighs the same in
/// training as later, and the table need not know it.
const FLOOR: u32 = 2;

/// How many records each word was seen in: the inverse document frequency ln((n + 1) / (df + ½)).
///
/// It is learned from records without their labels. Words are known by 32 bits of a hash; two words that share them count as one.
#[derive(Debug, Clone, PartialEq)]
pub struct Rarity {
    n_records: u32,
    /// Hash and count, by hash; counts above [`FLOOR`].
    counts: Vec<(u32, u32)>,
    /// The same as an open-addressed table of weights; key 0 is an empty place.
    table: Vec<(u32, f32)>,
    rarest: f32,
}

/// Counts the records that hold each word.
#[derive(Debug, Clone, Default)]
pub struct RarityCounter {
    n_records: u32,
    counts: BTreeMap<u32, u32>,
}

impl RarityCounter {
    /// Counts one record's words.
    pub fn add(&mut self, record: &Prepared) {
        self.n_records += 1;
        for word in record.words() {
            *self.counts.entry(word.hash).or_default() += 1;
        }
    }

    /// The table.
    pub fn finish(self) -> Rarity {
        let counts = self.counts.into_iter().filter(|&(_, n)| n > FLOOR).collect();
        Rarity::new(self.n_records, counts)
    }
}

impl Rarity {
    /// A table of this many records, from hashes and counts as [`Rarity::counts`] gives them.
    ///
    /// # Errors
    /// In words: hashes that do not increase, or a count that cannot be.
    pub fn from_counts(n_records: u32, counts: Vec<(u32, u32)>) -> Result<Self, String> {
        if counts.first().is_some_and(|&(hash, _)| hash == 0) || !counts.is_sorted_by(|a, b| a.0 < b.0) {
            return Err("the words of the rarity table are not in increasing order".to_owned());
        }
        match counts.iter().find(|&&(_, n)| n <= FLOOR || n > n_records) {
            Some((_, n)) => Err(format!("a word of the rarity table is in {n} of {n_records} records")),
            None => Ok(Self::new(n_records, counts)),
        }
    }

    /// Hashes of words, increasing, and how many records held each; words in hardly any record are left out.
    pub fn counts(&self) -> &[(u32, u32)] {
        &self.counts
    }

    fn new(n_records: u32, counts: Vec<(u32, u32)>) -> Self {
        let idf = |n: u32| libm::log((f64::from(n_records) + 1.0) / (f64::from(n) + 0.5)).max(0.0) as f32;
        let size = (counts.len() * 2).next_power_of_two().max(2);
        let mut table = vec![(0, 0.0); size];
        for &(hash, n) in &counts {
            let mut at = hash as usize & (size - 1);
            while table[at].0 != 0 {
                at = (at + 1) & (size - 1);
            }
            table[at] = (hash, idf(n));
        }
        Self { n_records, counts, table, rarest: idf(FLOOR) }
    }

    /// The weight of a word, at least 0.
    pub(crate) fn weight(&self, hash: u32) -> f32 {
        let mask = self.table.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let (key, weight) = self.table[at];
            if key == hash {
                return weight;
            }
            if key == 0 {
                return self.rarest;
            }
            at = (at + 1) & mask;
        }
    }

    /// The weight of a word that was never seen, or hardly ever.
    pub fn rarest(&self) -> f32 {
        self.rarest
    }

    /// How many records were counted.
    pub fn n_records(&self) -> u32 {
        self.n_records
    }
}
