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
//! [`judge_again`] judges a flagged listing in another state of the catalog from what was kept of its photos; all but the photo
//! matches comes about as in [`judge`]. [`foundations`] names the records that a verdict stands on.
//!
//! Which products a listing is about is first the text stage's word. If the model file holds a pair matcher ([`PairMatcher`]), its
//! calibrated probability replaces the rule's for each product match on which no identifier (`gtin`, `mpn`, `model`) agrees, and a
//! match that falls below 0.3 is dropped with its unit of the contents. Where an identifier agrees the rule's stays; without the part
//! everything is the rule's. The matcher never sees prices here: a fake must not stop being about a product by being cheap. Its
//! probabilities are calibrated for hard pairs of which about 10 to 25 % match, which the best hits of a search are not: that shift is
//! accepted. It looks at one product alone and does not share its probability among products that read alike, as the rule does.
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
mod counted;
mod facts;
mod features;
mod foundations;
mod judge;
mod judge_again;
mod pair_matcher;
mod photo_score;
mod policy;
mod product_facts;
mod product_match;
mod reasons;
mod table;
mod unit_price;

pub use context::{Context, Model};
pub use features::{FEATURES, Feature, feature_names};
pub use foundations::foundations;
pub use judge::{Judgement, PhotoInput, judge};
pub use judge_again::judge_again;
pub use pair_matcher::{LabelledPair, PairMatcher, PairTraining, out_of_fold, pair_folds, rarity_of};
pub use photo_score::{
    LabelledPhoto, MIN_PHOTO_THRESHOLD, PhotoTraining, Shows, read_photo_score, train_photo_score,
    write_photo_score,
};
pub use policy::{InspiredBy, Policy, PolicyError, Thresholds};
