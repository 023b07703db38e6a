//! Random draws that are the same on every machine.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// A stream of random draws.
pub(super) struct Draw(ChaCha8Rng);

impl Draw {
    pub(super) fn new(rng: ChaCha8Rng) -> Self {
        Self(rng)
    }

    /// True with probability `p`, 0 to 1.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.0.random_bool(p)
    }

    /// Evenly from [low, high).
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.random::<f64>()
    }

    /// Evenly from 0 to `n` − 1; `n` at least 1.
    pub(super) fn below(&mut self, n: usize) -> usize {
        // By u64, because a draw of usize would differ between machines of different width.
        self.0.random_range(0..n as u64) as usize
    }

    /// One of `items`, which are not empty.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// One of `items` with a chance in proportion to its weight.
    pub(super) fn weighted<T: Copy>(&mut self, items: &[(T, u32)]) -> T {
        let total: u32 = items.iter().map(|item| item.1).sum();
        let mut at = self.below(total as usize) as u32;
        for &(item, weight) in items {
            if at < weight {
                return item;
            }
            at -= weight;
        }
        unreachable!("the draw is below the sum of the weights")
    }

    /// Nearly normal: the sum of twelve even draws (Irwin and Hall), so that no logarithm is needed. Within six `sd` of `mean`.
    pub(super) fn normal(&mut self, mean: f64, sd: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.0.random::<f64>()).sum();
        mean + sd * (sum - 6.0)
    }

    /// A whole number that is log-normal around `median`, with `spread` the deviation of its logarithm.
    pub(super) fn count(&mut self, median: f64, spread: f64) -> u64 {
        (median * libm::exp(self.normal(0.0, spread))).round() as u64
    }
}
