//! A set of small numbers, a bit for each.

/// Marked numbers. Words that would be all zero at the end are not there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    words: Vec<u64>,
    n: usize,
}

impl Marks {
    /// Marks a number; false if it was marked before.
    pub(crate) fn insert(&mut self, number: usize) -> bool {
        let (word, bit) = (number / 64, 1 << (number % 64));
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.n += usize::from(is_new);
        is_new
    }

    /// Whether a number is marked.
    pub(crate) fn contains(&self, number: usize) -> bool {
        self.words.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// How many numbers are marked.
    pub(crate) fn len(&self) -> usize {
        self.n
    }
}
