//! Is this offer about that product? The features of a pair of records.
//!
//! ```text
//! PairRecord ──▶ Prepared: words, head, codes, numbers with units, letter triples ─┐
//!                                                                                  ├──▶ pair_features
//! records ──▶ RarityCounter ──▶ Rarity ────────────────────────────────────────────┘
//! ```
//!
//! A record is folded and cut once. A pair is then compared by the words that both hold, weighed by how rare they are; by the words that
//! one side lacks, after joined, shortened and misspelt ones are accounted for; by model codes, numbers with units, known facts in several
//! languages (colour, audience, edition, bundle), the order of words, letters, price and fields. No feature says *which* record or product
//! it is: the trees above cannot learn names by heart. What the matcher makes of the features stands in `touchstone-pipeline`.

mod canon;
mod cut;
mod features;
mod fnv;
mod overlap;
mod prepare;
mod rarity;
mod record;
mod sheet;
mod similarity;
#[cfg(test)]
mod tests;
mod text;
mod units;

pub use features::{N_PAIR_FEATURES, pair_feature_names, pair_features};
pub use prepare::Prepared;
pub use rarity::{Rarity, RarityCounter};
pub use record::PairRecord;
pub(crate) use units::unit;

/// Whether a folded word is a unit of measure.
pub(crate) fn is_unit(word: &str) -> bool {
    unit(word.as_bytes()).is_some()
}
