//! JSON Schemas (draft 2020-12) of the wire forms, generated from the types that read and write them.

use schemars::schema_for;
use serde_json::{Value, json};

use crate::{Reason, wire};

/// The names that [`schema`] knows.
pub const SCHEMA_NAMES: [&str; 6] = ["listing", "catalog", "verdict", "flag", "decision", "reasons"];

/// The JSON Schema of the form `name`; `None` where it is none of [`SCHEMA_NAMES`].
pub fn schema(name: &str) -> Option<Value> {
    let schema = match name {
        "listing" => schema_for!(wire::Listing),
        "catalog" => schema_for!(wire::CatalogRecord),
        "verdict" => schema_for!(wire::Verdict),
        "flag" => schema_for!(wire::Flag),
        "decision" => schema_for!(wire::ReviewDecision),
        "reasons" => return Some(reasons()),
        _ => return None,
    };
    Some(schema.to_value())
}

/// The closed list of reasons, heaviest first, each with its description.
fn reasons() -> Value {
    let words: Vec<&str> = Reason::ALL.iter().map(|r| r.as_str()).collect();
    let described: Vec<Value> =
        Reason::ALL.iter().map(|r| json!({ "const": r.as_str(), "description": r.describe() })).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Reason",
        "description": "Why a verdict says what it says; a verdict lists its reasons in this order.",
        "type": "string",
        "enum": words,
        "oneOf": described,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_schema_and_others_have_none() {
        assert!(SCHEMA_NAMES.iter().all(|name| schema(name).is_some()));
        assert_eq!(schema("listings"), None);
    }
}
