//! What reviewers ruled, taken out of the topics: labelled listings to train on, and proposals of known fakes.
//!
//! ```text
//! decisions ──▶ Rulings ──┬── review ────────▶ labels ──▶ listings, labels, selection probabilities
//!                         └── listings.state ──▶ fakes ──▶ proposals, for a person to approve
//! ```
//!
//! Reading Kafka and finding out what follows are apart: the functions here read topics to their end, what they call looks at
//! one record after the other and knows no broker. A record that cannot be read is named with its place and passed over.
//! Nothing is written to Kafka.

mod fakes;
mod labels;
mod propensity;
mod rulings;

pub use fakes::{Because, FakeCounts, FakesExport, LeftOut, Proposal, ProposedPhoto};
pub use labels::{LabelCounts, LabelsExport, RuledListing};

use crate::Error;
use crate::headers::Source;
use crate::reader::read_topic;
use crate::settings::Settings;

use fakes::Fakes;
use labels::Labels;
use rulings::Rulings;

/// A record that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Where it stands.
    pub at: Source,
    /// What is wrong with it.
    pub problem: String,
}

/// Reads the topics of decisions, flags and the catalog to their end, and pairs each ruling with the listing as it was judged.
///
/// # Errors
/// As [`read_topic`].
pub fn labels(settings: &Settings) -> Result<LabelsExport, Error> {
    let mut labels = Labels::new(rulings(settings)?);
    read_topic(settings, &settings.topics.review, |record| labels.flag(&record))?;
    read_topic(settings, &settings.topics.catalog, |record| labels.catalog(&record))?;
    Ok(labels.finish())
}

/// Reads the topics of decisions and of the state to their end, and proposes a known fake for each flag that was upheld while it
/// was open.
///
/// # Errors
/// As [`read_topic`].
pub fn fakes(settings: &Settings) -> Result<FakesExport, Error> {
    let mut fakes = Fakes::new(rulings(settings)?);
    read_topic(settings, &settings.topics.state, |record| fakes.state(&record))?;
    Ok(fakes.finish())
}

fn rulings(settings: &Settings) -> Result<Rulings, Error> {
    let mut rulings = Rulings::default();
    read_topic(settings, &settings.topics.decisions, |record| rulings.add(&record))?;
    Ok(rulings)
}

#[cfg(test)]
pub(crate) mod testing {
    //! Records as they would stand in the topics.

    use serde_json::{Value, json};
    use touchstone_types::{ListingId, flag_id};

    use crate::headers::Source;
    use crate::reader::Record;

    pub(crate) fn record(place: &str, key: &[u8], value: Option<String>) -> Record {
        Record {
            at: Source::parse(place).unwrap(),
            timestamp_ms: None,
            key: Some(key.to_vec()),
            value: value.map(String::into_bytes),
            headers: Vec::new(),
        }
    }

    pub(crate) fn flag_of(listing: &str) -> String {
        flag_id("example", &ListingId::new(listing).unwrap(), 1).to_string()
    }

    /// A ruling on version 1 of a listing, with further fields.
    pub(crate) fn ruling(place: &str, listing: &str, ruling: &str, more: &Value) -> Record {
        let mut value = json!({
            "flag_id": flag_of(listing), "revision": 1, "listing_id": listing, "listing_version": 1, "ruling": ruling,
        });
        merge(&mut value, more);
        record(place, listing.as_bytes(), Some(value.to_string()))
    }

    /// A flag of version 1 of a listing, with further fields.
    pub(crate) fn flag(listing: &str, more: &Value) -> Value {
        let mut value = json!({
            "flag_id": flag_of(listing), "revision": 1, "listing_id": listing, "listing_version": 1, "marketplace": "example",
            "seller_id": "S-1", "decision": "review", "priority": 10, "brand_id": "lumora", "reasons": ["counterfeit_slang"],
            "evidence": [], "completeness": "full", "missing": [],
            "versions": {"engine": "0.1.0", "catalog": "c", "policy": "p"},
            "listing": {"listing_id": listing, "version": 1, "marketplace": "example", "title": "Cartucho Lumora 20",
                        "seller": {"seller_id": "S-1"}},
        });
        merge(&mut value, more);
        value
    }

    pub(crate) fn flagged(place: &str, listing: &str, more: &Value) -> Record {
        record(place, listing.as_bytes(), Some(flag(listing, more).to_string()))
    }

    fn merge(value: &mut Value, more: &Value) {
        for (key, field) in more.as_object().into_iter().flatten() {
            value[key] = field.clone();
        }
    }
}
