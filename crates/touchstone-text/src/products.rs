//! Which genuine products a text is about.
//!
//! ```text
//! product record ──▶ Entry ──▶ Builder ──▶ base segment (bytes, shared) ──┐
//!                      └─────▶ Delta (copied by every change) ────────────┤
//! text ──▶ pieces ──▶ Query (words, what they may stand for, their worth) ┴▶ MaxScore ──▶ nearest products
//! listing ──▶ identifiers, models, nearest products ──▶ points for what agrees and differs ──▶ probability
//! ```
//!
//! # The model
//!
//! A seller's title is read as a noisy copy of a product's title (the noisy channel of Kernighan, Church and Gale, "A
//! spelling correction program based on a noisy channel model", COLING 1990). Each word of the product's title is copied,
//! copied with one mistake, or left out; strange words stand among them, in any order. Against the words being there by
//! chance, a word `u` of the text that stands for a word `w` of the title is worth
//!
//! ```text
//! ln( P(u | w) / ( Σ over words v that u may stand for: P(u | v) · share of products with v  +  chatter ) )
//! ```
//!
//! and a word of the title that the text lacks costs ln((1 − d) / d), where `d` is the share of words that sellers leave
//! out. A rare word so speaks loudly, a misspelt one as loudly as the words it could stand for are rare, and `chatter` caps
//! both: what nobody has in a title ("best quality") tells nothing, and needs no list. Words joined or split by the seller
//! are asked for as the catalog writes them. `query.rs` holds the three constants.
//!
//! # The index
//!
//! - `segment.rs`: products sorted by brand and product; facts, word numbers, dictionary and lists in one flat run of
//!   bytes, read in place from memory or a mapped file.
//! - `misspelt.rs`: a deletion neighbourhood over the words (Mor and Fraenkel 1982) gives those one mistake away.
//! - `delta.rs`: products put or removed since. The counts behind all weights are those of the live products, weights are
//!   rounded so that sums do not depend on their order, and ties go by brand and product, so that an answer depends on the
//!   set of live products alone and never on what lies in which part.
//!
//! # Bounds
//!
//! `search.rs` reads lists from the rarest word on and stops once nothing unseen can enter the answer (MaxScore: Turtle and
//! Flood, "Query evaluation: strategies and optimizations", 1995). It is exact: no list is cut short. A text asks for at
//! most 32 different words as written, each standing for at most 8 of the catalog; a title has at most 255 words. The worst
//! case, a text of common words only, reads each product's word count once a word; it is linear in the catalog.

mod build;
mod delta;
mod dictionary;
pub(crate) mod gtin;
pub(crate) mod index;
mod misspelt;
pub(crate) mod pieces;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod score;
pub(crate) mod search;
mod segment;

pub(crate) use dictionary::Dictionary;
pub(crate) use index::{ProductChange, ProductIndex};

/// Compares the checksum of a whole segment.
pub(crate) fn check(bytes: &[u8]) -> Result<(), crate::SegmentError> {
    segment::Segment::check(bytes)
}
