//! Data sets, the seeded market simulator and the reports.
//!
//! ```text
//! catalog ──▶ market ──▶ listings + labels ──▶ forms ──▶ DIR/{catalog.jsonl, listings.jsonl, labels.csv}
//!             seed                               │
//!                                                ▼
//!                            verdicts + labels ──▶ listings ──▶ figures, page, thresholds, flips
//!
//! DIR/{catalog.jsonl, cases.jsonl}   ──▶ brands ──┐
//! DIR/{references/*, queries.csv}     ──▶ photos ──┤
//! DIR/{train.csv, test.csv}           ──▶ tables ──┤
//! DIR/{catalog.jsonl, queries.jsonl} ──▶ search ──┴──▶ FormReport: flat metrics under fixed names
//! ```
//!
//! The market knows nothing of how listings are judged: it imports no text, image or classifier code and no lexicon, so
//! that what it hides is not hidden with the finder's own words. The same catalog, settings and seed give the same bytes on
//! any machine; only speeds are measured with a clock. A report of the `listings` form never looks into a listing: it sees
//! verdicts and labels alone.
//!
//! ```
//! use touchstone_eval::{MarketSettings, simulate};
//! use touchstone_types::CatalogRecord;
//!
//! let catalog: Vec<CatalogRecord> = [
//!     r#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#,
//!     r#"{"kind":"product","brand_id":"lumora","product_id":"LM-20K","title":"Cartucho Lumora 20 Preto"}"#,
//! ]
//! .iter()
//! .map(|line| CatalogRecord::from_json(line.as_bytes()).unwrap())
//! .collect();
//! let settings = MarketSettings { n_listings: 50, ..MarketSettings::default() };
//! let market = simulate(&catalog, &settings, None).unwrap();
//! assert_eq!(market.labels.len(), market.listings.len());
//! ```

mod brands;
mod error;
mod form_report;
mod forms;
mod listings;
mod market;
mod pairs;
mod photos;
mod rows;
mod search;
mod shares;
mod tables;
mod training;

pub use brands::eval_brands;
pub use error::EvalError;
pub use form_report::{FormReport, set_name};
pub use forms::{Label, ListingsFolder, read_catalog, read_labels, read_listings};
pub use listings::{
    Bin, Comparison, Flagged, Flip, JudgedRow, ListingsReport, Photos, Point, Stage, Tuned, compare, html,
    judge_listings, tune,
};
pub use market::{Behaviour, Market, MarketSettings, PhotoSource, Retouch, simulate};
pub use pairs::{
    CrossValidation, cross_validated, eval_pairs, eval_pairs_with, read_pairs, read_training_pairs,
};
pub use photos::{eval_photos, training_photos};
pub use search::{eval_search, eval_search_in};
pub use tables::{eval_tables, read_table, write_table};
pub use training::training_table;
