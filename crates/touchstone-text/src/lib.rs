//! The text stage: which brand a listing names or imitates, how and in what role, which genuine products it holds and how
//! many, and what its words say about the state of the thing.
//!
//! ```text
//! Listing ──▶ fold ──▶ words ──▶ brands ──▶ roles ─────▶ claims
//!              │         │                               ▲
//!              │         ├─────▶ pieces ──▶ offer ──▶ products ──▶ matches, contents, pack size
//!              │         └─────▶ terms ──▶ terms, state
//!   places in the original text                 Lexicon + brands + products = TextIndex
//!
//! free text ──▶ lookup ──▶ nearest products     TextIndex + changes = TextIndex (the base segment is shared)
//! ```
//!
//! - Spans count Unicode scalar values of the text as it came, not of its folded form.
//! - The findings depend on the listing, the lexicon and the *set* of records alone: not on their order, nor on the clock.
//! - An index that has grown by changes, was compacted, or was written and opened again answers as one built fresh.
//! - The cost is bounded: texts are cut ([`MAX_TITLE_CHARS`], [`MAX_DESCRIPTION_CHARS`]), candidates are capped.
//! - The crate does no I/O, never panics on any text, and never says that anything is counterfeit: it says what is written.
//!
//! ```
//! use std::sync::Arc;
//! use touchstone_text::{Lexicon, TextIndex, analyse};
//! use touchstone_types::{BrandRecord, CatalogRecord, How, Listing};
//!
//! let brand = br#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#;
//! let product = r#"{"kind":"product","brand_id":"lumora","product_id":"LM-20K","title":"Cartucho Lumora 20 Preto"}"#;
//! let Ok(CatalogRecord::Brand(brand)) = CatalogRecord::from_json(brand) else { panic!() };
//! let Ok(CatalogRecord::Product(product)) = CatalogRecord::from_json(product.as_bytes()) else { panic!() };
//! let index = TextIndex::build(&Arc::new(Lexicon::builtin()), [&brand], [&product]);
//!
//! let listing = r#"{"listing_id":"EX-1","title":"Kit 2 Cartuchos Lumоra 20 Preto","seller":{"seller_id":"S-1"}}"#;
//! let findings = analyse(&index, &Listing::from_json(listing.as_bytes()).unwrap());
//! assert_eq!(findings.claims[0].how, How::Confusable); // the "о" is Cyrillic
//! assert_eq!(findings.matches[0].product_id.as_str(), "LM-20K");
//! assert_eq!(findings.pack_size, 2);
//! ```

mod analyse;
mod brands;
mod contents;
mod error;
mod findings;
mod fold;
mod index;
mod lexicon;
mod lookup;
mod offer;
mod pairs;
mod products;
mod roles;
mod terms;
mod words;

pub use analyse::{MAX_DESCRIPTION_CHARS, MAX_FIELD_CHARS, MAX_FIELDS, MAX_TITLE_CHARS, analyse};
pub use brands::can_be_found;
/// The bytes of a product segment: in memory, or a mapped file by [`Bytes::from_owner`].
pub use bytes::Bytes;
pub use error::{LexiconError, SegmentError};
pub use findings::{Candidate, State, TextFindings, Unit};
pub use index::{Change, TextIndex, check_segment};
pub use lexicon::Lexicon;
pub use lookup::lookup;
pub use pairs::{
    N_PAIR_FEATURES, PairRecord, Prepared, Rarity, RarityCounter, pair_feature_names, pair_features,
};
