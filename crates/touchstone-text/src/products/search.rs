//! The products worth most to a query: MaxScore (Turtle and Flood, "Query evaluation: strategies and optimizations", 1995)
//! over lists of products, with each product's title read in full when a list brings it up.
//!
//! The lists are read from the rarest word on. Behind a list nothing is left to find but products that lack its word, and
//! all before it; once even the best of those could not enter the answer, the rest is not read. A product is judged at
//! the first of the query's words that its title has, and passed over at the others, so nothing is remembered of what was
//! seen. Before its title is read, the number of its words alone tells what it could be worth at most.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::index::{ProductIndex, base_order};
use super::query::{Meaning, Query, word_cost};
use super::segment::{Section, u32_of};

/// No product is worth too little.
pub(crate) const ANYTHING: i64 = i64::MIN;

/// A product in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Its number.
    pub product: u32,
    /// What it is worth.
    pub worth: i64,
}

/// The `k` products worth most and not less than `least`, the best first; of equal ones those first by brand and product.
/// The answer is exact.
pub(crate) fn search(index: &ProductIndex, query: &Query, k: usize, least: i64) -> Vec<Hit> {
    if k == 0 || query.meanings.is_empty() {
        return Vec::new();
    }
    let table = Table::new(&query.meanings);
    let mut best = Best { k: k.min(index.len() as usize), least, heap: BinaryHeap::new() };
    changed(index, query, &table, &mut best);
    let counts = index.base.section(Section::TitleCounts);
    for (rank, meaning) in query.meanings.iter().enumerate() {
        if meaning.word >= index.base.n_words {
            continue;
        }
        let mut bounds = Bounds::new(query, meaning);
        bounds.narrow(&best);
        for number in index.base.list(meaning.word).chunks_exact(4) {
            if bounds.is_hopeless() {
                break;
            }
            let product = u32_of(number, 0);
            let Some(&n) = counts.get(product as usize) else { continue };
            let order = base_order(product);
            if !bounds.allow(n, order) || index.delta.is_dead(product) {
                continue;
            }
            let (words, n_title) = index.base.words_of(product);
            let words = words[..n_title * 4].chunks_exact(4).map(|word| u32_of(word, 0));
            if let Some(worth) = table.worth(words, rank)
                && best.offer(worth, order, product)
            {
                bounds.narrow(&best);
            }
        }
    }
    best.into_hits()
}

/// Judges the products of the delta that have any word of the query.
fn changed(index: &ProductIndex, query: &Query, table: &Table<'_>, best: &mut Best) {
    if index.delta.n_live() == 0 {
        return;
    }
    let mut places: Vec<u32> =
        query.meanings.iter().flat_map(|m| index.delta.list(m.word).iter().copied()).collect();
    places.sort_unstable();
    places.dedup();
    for place in places {
        let Some(Some(added)) = index.delta.added.get(place as usize) else { continue };
        let title = &added.words[..added.entry.title.len()];
        if let Some(worth) = table.worth(title.iter().copied(), 0) {
            best.offer(worth, index.delta.order(place), index.base.n_products + place);
        }
    }
}

/// The best products so far, the worst of them on top.
struct Best {
    k: usize,
    least: i64,
    heap: BinaryHeap<Reverse<(i64, Reverse<u64>, u32)>>,
}

impl Best {
    /// Takes a product in; says whether the worst of the full answer is another one now.
    fn offer(&mut self, worth: i64, order: u64, product: u32) -> bool {
        if worth < self.least {
            return false;
        }
        let new = Reverse((worth, Reverse(order), product));
        if self.heap.len() < self.k {
            self.heap.push(new);
            return self.heap.len() == self.k;
        }
        match self.heap.peek_mut() {
            Some(mut worst) if new < *worst => {
                *worst = new;
                true
            }
            _ => false,
        }
    }

    /// What a product must be worth to enter, and where it must stand if it is worth no more.
    fn worst(&self) -> (i64, u64) {
        match self.heap.peek() {
            Some(&Reverse((worth, Reverse(order), _))) if self.heap.len() == self.k => (worth, order),
            _ => (self.least, u64::MAX),
        }
    }

    fn into_hits(self) -> Vec<Hit> {
        let sorted = self.heap.into_sorted_vec();
        sorted.into_iter().map(|Reverse((worth, _, product))| Hit { product, worth }).collect()
    }
}

/// How many words the title of a product may have that could still enter the answer, if a given word is the first of the
/// query's that it has.
struct Bounds<'a> {
    before: &'a [i64],
    worth: i64,
    position: usize,
    /// From and to so many words it may be worth as much as the worst of the answer.
    equal: (u8, u8),
    /// From and to so many it may be worth more.
    more: (u8, u8),
    worst_order: u64,
}

impl<'a> Bounds<'a> {
    fn new(query: &'a Query, first: &Meaning) -> Self {
        let (worth, position) = (first.worth, first.position);
        Self { before: &query.before, worth, position, equal: (0, 255), more: (0, 255), worst_order: 0 }
    }

    /// The most that a title of `n` words can be worth: each further word fits the best of the positions left.
    fn most(&self, n: usize) -> i64 {
        let last = (self.position + n).min(self.before.len() - 1);
        self.worth + self.before[last] - self.before[self.position + 1] - word_cost() * n as i64
    }

    fn narrow(&mut self, best: &Best) {
        let (worst, order) = best.worst();
        if worst == ANYTHING {
            return;
        }
        self.worst_order = order;
        // Up to one word for each position left the bound grows with the number of words, and then it falls.
        let peak = (self.before.len() - 1 - self.position).clamp(1, 255);
        let range = |least: i64| {
            let from = (1..=peak).find(|&n| self.most(n) >= least)?;
            let over = self.most(peak) - least;
            let to = (peak as i64 + over / word_cost()).min(255);
            Some((from as u8, to as u8))
        };
        const NONE: (u8, u8) = (1, 0);
        (self.equal, self.more) = (range(worst).unwrap_or(NONE), range(worst + 1).unwrap_or(NONE));
    }

    #[inline]
    fn allow(&self, n: u8, order: u64) -> bool {
        let inside = |(from, to): (u8, u8)| from <= n && n <= to;
        inside(self.more) || (inside(self.equal) && order < self.worst_order)
    }

    fn is_hopeless(&self) -> bool {
        self.equal.0 > self.equal.1
    }
}

/// The meanings of a query by word, in an open table that is at most a quarter full.
struct Table<'a> {
    meanings: &'a [Meaning],
    slots: Vec<(u32, u32)>,
    shift: u32,
}

const FREE: u32 = u32::MAX;

impl<'a> Table<'a> {
    fn new(meanings: &'a [Meaning]) -> Self {
        let n = (meanings.len() * 4).next_power_of_two().max(16);
        let mut table = Self { meanings, slots: vec![(FREE, 0); n], shift: 32 - n.trailing_zeros() };
        for (rank, meaning) in meanings.iter().enumerate() {
            let mut slot = table.start(meaning.word);
            while table.slots[slot].0 != FREE {
                slot = (slot + 1) & (n - 1);
            }
            table.slots[slot] = (meaning.word, rank as u32);
        }
        table
    }

    #[inline]
    fn start(&self, word: u32) -> usize {
        (word.wrapping_mul(0x9e37_79b1) >> self.shift) as usize
    }

    #[inline]
    fn rank(&self, word: u32) -> Option<usize> {
        let mut slot = self.start(word);
        loop {
            let (found, rank) = self.slots[slot];
            if found == word {
                return (word != FREE).then_some(rank as usize);
            }
            if found == FREE {
                return None;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// What a title is worth; `None` where it has a meaning before `rank`, and so was judged there.
    fn worth(&self, words: impl Iterator<Item = u32> + Clone, rank: usize) -> Option<i64> {
        let (mut sum, mut n, mut seen, mut twice) = (0, 0, 0_u64, false);
        for word in words.clone() {
            n += 1;
            let Some(found) = self.rank(word) else { continue };
            if found < rank {
                return None;
            }
            let meaning = &self.meanings[found];
            let bit = 1 << meaning.position;
            twice |= seen & bit != 0;
            seen |= bit;
            sum += meaning.worth;
        }
        if twice {
            sum = self.once_each(words);
        }
        Some(sum - word_cost() * n)
    }

    /// The sum where several words of a title could be meant by one word of the text: the best of them counts.
    fn once_each(&self, words: impl Iterator<Item = u32>) -> i64 {
        let mut worths = [0_i64; 64];
        for word in words {
            if let Some(found) = self.rank(word) {
                let meaning = &self.meanings[found];
                worths[meaning.position] = worths[meaning.position].max(meaning.worth);
            }
        }
        worths.iter().sum()
    }
}
