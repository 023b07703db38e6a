//! Training, calibration, contributions and model files: from named features to a calibrated probability that can be explained.
//!
//! ```text
//!              labelled rows (Dataset)                                    a row of features
//!                       │                                                       │
//!          seeded folds, no group split                                         ▼
//!             │                      │                        ┌──────────── Classifier ───────────┐
//!             ▼                      ▼                        │ log-odds ──▶ calibration ──▶ p    │
//!    held-out log-odds        fit on all rows                 └───────────────┬───────────────────┘
//!             │                      │                                        ├──▶ Probability
//!       Platt's scaling              │                                        └──▶ Contribution: p(x) − p(x without)
//!             └──────────┬───────────┘                                        ▲
//!                        ▼                                                    │
//!              Classifier, TrainingReport ──▶ Bundle ──▶ bytes ──▶ Bundle ────┘  checked: checksum, numbers, features
//! ```
//!
//! Invariants:
//! - It knows nothing of listings: features have names and values, nothing more.
//! - A missing value is never taken for zero or any other number: it has a weight of its own.
//! - A score is the same bit for bit on every machine: sums run in feature order, `exp` and `ln` come from `libm`. A *training* is
//!   repeatable to the byte on one machine; on another CPU linfa's matrix products may differ in their last bits, and so may the last
//!   digits of a weight. What must be equal everywhere is therefore the model file, which is shipped, not trained again.
//! - No probability is NaN or outside [0, 1]: numbers that could make it so are refused when a model is made or read.
//! - A calibration never turns the order of two rows round.
//! - No row is judged, for calibration or for the report, by a model that saw a row of its group.
//! - It does no I/O, reads no clock, starts no thread; chance comes from the seed alone.
//!
//! # Example
//! ```
//! use touchstone_classifier::{Bundle, Dataset, FeatureNames, TrainSettings, train};
//!
//! let names = FeatureNames::new(["unit_price_ratio", "seller_age_days"])?;
//! let mut data = Dataset::new(names.clone());
//! for i in 0..40 {
//!     let suspected = i % 2 == 0;
//!     let price = if suspected { 0.3 } else { 0.9 } + f64::from(i % 7) / 10.0;
//!     let age = (i % 3 != 0).then_some(f64::from(i));
//!     data.push(&[Some(price), age], suspected, Some(&format!("seller-{}", i / 2 % 10)))?;
//! }
//! let (classifier, report) = train(&data, &TrainSettings::default())?;
//! assert!(report.out_of_fold.roc_auc > 0.8);
//!
//! let mut bundle = Bundle::new();
//! bundle.set_classifier(&classifier);
//! let read = Bundle::from_bytes(&bundle.to_bytes())?.classifier(&names)?;
//! let row = [Some(0.3), None];
//! assert_eq!(read.probability(&row), classifier.probability(&row));
//! assert_eq!(read.contributions(&row, 5)[0].feature, "unit_price_ratio");
//! # Ok::<(), touchstone_classifier::ClassifierError>(())
//! ```

mod boost;
mod bound;
mod bundle;
mod calibrate;
mod classifier;
mod dataset;
mod error;
mod features;
mod folds;
mod kinds;
mod logistic;
mod math;
pub mod metrics;
mod threshold;
mod train;
mod wire;

pub use boost::{BoostSettings, BoostTable, Booster, BoosterPart};
pub use bound::upper_bound;
pub use bundle::Bundle;
pub use calibrate::Platt;
pub use classifier::{Classifier, Model, TrainedOn};
pub use dataset::Dataset;
pub use error::ClassifierError;
pub use features::FeatureNames;
pub use folds::folds;
pub use kinds::ModelKind;
pub use logistic::{LogisticRegression, Term};
pub use metrics::Metrics;
pub use threshold::best_f1_threshold;
pub use train::{FeatureWeight, TrainSettings, TrainingReport, cross_validate, train};
