//! Which genuine products a text is about.
//!
//! ```text
//! product titles ──▶ pieces ──▶ inverted index (rarity weights), part numbers, GTINs, model codes
//! listing title  ──▶ pieces ──▶ candidates ──▶ points for what agrees and differs ──▶ probability
//! ```

pub(crate) mod gtin;
pub(crate) mod index;
pub(crate) mod pieces;
pub(crate) mod score;

pub(crate) use index::ProductIndex;
