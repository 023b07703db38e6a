//! The stages in order: from listing, photos, snapshot, model and settings to one verdict.
//!
//! ```text
//! Listing ──▶ text ──────▶ facts about ──▶ features ──▶ classifier ─┐
//! photos ───▶ image hash ─▶ each brand ──▶ decision table ◀─────────┴──▶ Verdict
//!               ▲                              ▲
//!            Snapshot                        Policy
//! ```
//!
//! [`judge`] is a pure function: no clock, no disk, no network, no randomness, and nothing remembered from one listing to the
//! next. "Now" is the listing's `observed_at`. What could not be looked at is said in `missing`, never scored as neutral.
//! A verdict proposes; nothing is counterfeit until a person has ruled.
//!
//! ```
//! use std::sync::Arc;
//! use touchstone_catalog::Feed;
//! use touchstone_pipeline::{Context, Policy, judge};
//! use touchstone_text::Lexicon;
//! use touchstone_types::{Decision, Listing};
//!
//! let mut feed = Feed::default();
//! feed.read("feed.jsonl", br#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#);
//! let lexicon = Arc::new(Lexicon::builtin());
//! let snapshot = Arc::new(feed.catalog.snapshot(&lexicon));
//! let context = Context::new(snapshot, &lexicon, None, Arc::new(Policy::builtin()));
//!
//! let json = br#"{"listing_id":"EX-1","title":"Wooden spoon","seller":{"seller_id":"S-1"}}"#;
//! let listing = Listing::from_json(json).unwrap();
//! assert_eq!(judge(&listing, &[], &context).verdict.decision, Decision::Clear);
//! ```

mod authorisation;
mod context;
mod facts;
mod features;
mod judge;
mod policy;
mod reasons;
mod table;
mod unit_price;

pub use context::{Context, Model};
pub use features::{FEATURES, Feature, feature_names};
pub use judge::{Judgement, PhotoInput, judge};
pub use policy::{InspiredBy, Policy, PolicyError, Thresholds};
