//! The form of a proposed catalog record.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::text;

/// A record, and who approved it.
#[derive(Debug, Deserialize)]
pub(crate) struct CatalogProposal {
    #[serde(default, deserialize_with = "text::optional")]
    pub approved_by: Option<String>,
    /// Read as a record by itself, because its kind has to be known first.
    pub record: serde_json::Value,
}

/// Whether the fields are there that tell a proposal from a record.
#[derive(Deserialize)]
struct Fields {
    kind: Option<IgnoredAny>,
    record: Option<IgnoredAny>,
}

/// See [`crate::CatalogProposal::is_one`].
pub(crate) fn is_proposal(bytes: &[u8]) -> bool {
    super::read::<Fields>(bytes).is_ok_and(|fields| fields.kind.is_none() && fields.record.is_some())
}
