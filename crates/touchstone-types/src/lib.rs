//! Listings, catalog records, evidence, verdicts and flags: the words that every other crate speaks.
//!
//! ```text
//! JSON ──▶ wire type ──▶ domain type ──▶ stages ──▶ Verdict ──▶ wire type ──▶ JSON
//!          serde          checked once                           floats rounded to 6 decimals
//! ```
//!
//! A domain value is always valid: identifiers are not empty, probabilities lie in 0 to 1, money is decimal. A missing
//! fact is `None`; nothing stands for it. What was read can be written again without loss. The crate does no I/O, and
//! reading never panics, whatever the bytes.
//!
//! ```
//! use touchstone_types::CatalogRecord;
//! let record = CatalogRecord::from_json(br#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#).unwrap();
//! assert_eq!(record.key().to_string(), "brand/lumora");
//! ```

mod catalog_proposal;
mod catalog_record;
mod error;
mod evidence;
mod gtin;
mod ids;
mod kept_photo;
mod listing;
mod money;
mod photo;
mod reason;
mod review_decision;
mod schema;
mod score;
mod verdict;
pub mod wire;

pub use catalog_proposal::CatalogProposal;
pub use catalog_record::{
    AuthorisedSeller, BenignRecord, BrandRecord, CatalogKey, CatalogRecord, FakeRecord, Mark, ProductRecord,
    ReferenceImage,
};
pub use error::ParseError;
pub use evidence::{
    Bank, BrandClaim, Contradiction, Contribution, Edit, Evidence, Field, How, Meaning, PhotoMatch,
    PhotoUnreachable, ProductMatch, Reference, Role, SellerAuthorisation, Span, Term, UnitPrice,
};
pub use gtin::{BadGtin, Gtin};
pub use ids::{BadId, BrandId, ListingId, MAX_ID_BYTES, ProductId, RecordId, SellerId};
pub use kept_photo::KeptPhoto;
pub use listing::{Condition, Listing, ListingImage, ListingStatus, Seller, Signals};
pub use money::{BadMoney, Currency, MAX_AMOUNT, Money};
pub use photo::{
    Alteration, BadHash, HammingDistance, Hash256, Overlay, PhotoDetail, PhotoFailure, PhotoFeatures,
    Quality, Transform,
};
pub use reason::{Ground, Reason};
pub use review_decision::{ReviewDecision, Ruling};
pub use schema::{SCHEMA_NAMES, schema};
pub use score::{Probability, Rating, Similarity, round6};
pub use verdict::{
    Completeness, Decision, Flag, JudgedPhoto, Missing, PhotoSearch, Verdict, Versions, flag_id,
};
