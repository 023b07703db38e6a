//! The wire forms as other programs see them.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod golden;
mod laws;
mod messages;
mod wire_values;

use serde_json::Value;
use touchstone_types::{CatalogRecord, Flag, Listing, ParseError, ReviewDecision, Verdict};

/// A wire form: its name for `touchstone schema`, and reading it and writing it again.
struct Form {
    name: &'static str,
    rewrite: fn(&[u8]) -> Result<String, ParseError>,
}

const FORMS: [Form; 5] = [
    Form { name: "listing", rewrite: |bytes| Listing::from_json(bytes).map(|l| l.to_json()) },
    Form { name: "catalog", rewrite: |bytes| CatalogRecord::from_json(bytes).map(|r| r.to_json()) },
    Form { name: "verdict", rewrite: |bytes| Verdict::from_json(bytes).map(|v| v.to_json()) },
    Form { name: "flag", rewrite: |bytes| Flag::from_json(bytes).map(|f| f.to_json()) },
    Form { name: "decision", rewrite: |bytes| ReviewDecision::from_json(bytes).map(|d| d.to_json()) },
];

fn form(name: &str) -> &'static Form {
    FORMS.iter().find(|form| form.name == name).expect("the form is in the list")
}

fn value(json: impl AsRef<[u8]>) -> Value {
    serde_json::from_slice(json.as_ref()).expect("what was written is JSON")
}
