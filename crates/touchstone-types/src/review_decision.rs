//! A person's ruling on a flag.

use jiff::Timestamp;
use uuid::Uuid;

use crate::evidence::words;
use crate::{ListingId, ParseError, wire};

words! {
    /// What a reviewer ruled.
    Ruling {
        /// The flag is right.
        Uphold = "uphold",
        /// The flag is wrong.
        Dismiss = "dismiss",
        /// Somebody else must decide.
        Escalate = "escalate",
    }
}

/// A person's ruling on a flag, as it stands in the `decisions` topic.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewDecision {
    /// The flag.
    pub flag_id: Uuid,
    /// Which revision of it the reviewer saw.
    pub revision: u64,
    /// The listing.
    pub listing_id: ListingId,
    /// Which version of it the reviewer saw.
    pub listing_version: u64,
    /// What was ruled.
    pub ruling: Ruling,
    /// Why, in a word.
    pub reason: Option<String>,
    /// Who ruled.
    pub reviewer: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// Why, in the reviewer's own words.
    pub note: Option<String>,
}

impl ReviewDecision {
    /// Reads one JSON object in the `decisions` form.
    ///
    /// # Errors
    /// As [`crate::Listing::from_json`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ParseError> {
        wire::read::<wire::ReviewDecision>(bytes)?.try_into()
    }

    /// The ruling in its wire form, as one line of JSON.
    pub fn to_json(&self) -> String {
        wire::write(&wire::ReviewDecision::from(self))
    }
}
