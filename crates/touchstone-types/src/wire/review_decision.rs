//! The `decisions` form.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::listing::{timestamp, word};
use super::text;
use super::verdict::uuid;
use crate::{ListingId, ParseError, Ruling};

/// A person's ruling on a flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewDecision {
    /// The flag.
    #[schemars(extend("format" = "uuid"))]
    pub flag_id: String,
    /// Which revision of it the reviewer saw.
    pub revision: u64,
    /// The listing.
    pub listing_id: String,
    /// Which version of it the reviewer saw.
    pub listing_version: u64,
    /// `uphold`, `dismiss` or `escalate`.
    pub ruling: String,
    /// Why, in a word.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who ruled.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub reviewer: Option<String>,
    /// RFC 3339; when.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub decided_at: Option<String>,
    /// Why, in the reviewer's own words.
    #[serde(default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl TryFrom<ReviewDecision> for crate::ReviewDecision {
    type Error = ParseError;

    fn try_from(wire: ReviewDecision) -> Result<Self, ParseError> {
        Ok(Self {
            flag_id: uuid(&wire.flag_id)?,
            revision: wire.revision,
            listing_id: ListingId::new(wire.listing_id).map_err(|e| ParseError::field("listing_id", e))?,
            listing_version: wire.listing_version,
            ruling: word("ruling", &wire.ruling, Ruling::parse, Ruling::ALL)?,
            reason: wire.reason,
            reviewer: wire.reviewer,
            decided_at: timestamp("decided_at", wire.decided_at)?,
            note: wire.note,
        })
    }
}

impl From<&crate::ReviewDecision> for ReviewDecision {
    fn from(decision: &crate::ReviewDecision) -> Self {
        Self {
            flag_id: decision.flag_id.to_string(),
            revision: decision.revision,
            listing_id: decision.listing_id.to_string(),
            listing_version: decision.listing_version,
            ruling: decision.ruling.to_string(),
            reason: decision.reason.clone(),
            reviewer: decision.reviewer.clone(),
            decided_at: decision.decided_at.map(|t| t.to_string()),
            note: decision.note.clone(),
        }
    }
}
