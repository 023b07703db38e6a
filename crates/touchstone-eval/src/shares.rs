//! Shares counted under names.

use std::collections::BTreeMap;

/// Counts under names, as shares.
#[derive(Default)]
pub(crate) struct Shares(BTreeMap<String, (usize, usize)>);

impl Shares {
    /// One more under `name`, which is so or is not so.
    pub(crate) fn add(&mut self, name: &str, is_so: bool) {
        let entry = self.0.entry(name.to_owned()).or_default();
        entry.0 += usize::from(is_so);
        entry.1 += 1;
    }

    /// The share of those that are so, for each name that was counted at all.
    pub(crate) fn finish(self) -> BTreeMap<String, f64> {
        self.0.into_iter().map(|(name, (so, of))| (name, so as f64 / of as f64)).collect()
    }
}
