//! A catalog record that counts for nothing until a person has approved it.

use crate::{CatalogRecord, ParseError, wire};

/// A catalog record that was made by a program, and who approved it; a line of what `touchstone export fakes` writes.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogProposal {
    /// Who takes responsibility for it; nobody yet where it is `None`. Never blank.
    pub approved_by: Option<String>,
    /// What will be in the catalog then.
    pub record: CatalogRecord,
}

impl CatalogProposal {
    /// Whether this is a JSON object of the form of a proposal, and not of a record: it has a `record` and no `kind` of its own.
    pub fn is_one(bytes: &[u8]) -> bool {
        wire::is_proposal(bytes)
    }

    /// Reads one JSON object `{"approved_by":…,"record":{…}}`; further fields are passed over.
    ///
    /// # Errors
    /// As [`CatalogRecord::from_json`].
    ///
    /// ```
    /// use touchstone_types::CatalogProposal;
    /// let line = br#"{"approved_by":"R. Example","record":{"kind":"fake","brand_id":"lumora","id":"F-1"},"because":{}}"#;
    /// let proposal = CatalogProposal::from_json(line).unwrap();
    /// assert_eq!(proposal.approved_by.as_deref(), Some("R. Example"));
    /// assert_eq!(proposal.record.key().to_string(), "fake/lumora/F-1");
    /// ```
    pub fn from_json(bytes: &[u8]) -> Result<Self, ParseError> {
        let wire::CatalogProposal { approved_by, record } = wire::read(bytes)?;
        let record =
            CatalogRecord::from_json(record.to_string().as_bytes()).map_err(|e| e.within("record"))?;
        Ok(Self { approved_by, record })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_no_proposal_and_a_proposal_no_record() {
        for (text, expected) in [
            (r#"{"approved_by":null,"record":{"kind":"brand"}}"#, true),
            (r#"{"record":{}}"#, true),
            (r#"{"kind":"brand","record":{}}"#, false),
            (r#"{"kind":"brand"}"#, false),
            ("[]", false),
            ("no JSON", false),
        ] {
            assert_eq!(CatalogProposal::is_one(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_blank_name_approves_nothing() {
        for name in ["null", "\"\"", "\" \""] {
            let text =
                format!(r#"{{"approved_by":{name},"record":{{"kind":"fake","brand_id":"b","id":"F"}}}}"#);
            assert_eq!(CatalogProposal::from_json(text.as_bytes()).unwrap().approved_by, None, "{name}");
        }
        let absent = br#"{"record":{"kind":"fake","brand_id":"b","id":"F"}}"#;
        assert_eq!(CatalogProposal::from_json(absent).unwrap().approved_by, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, expected: &str| {
            let error = CatalogProposal::from_json(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check(r#"{"record":{"kind":"fake","brand_id":"","id":"F"}}"#, "record.brand_id: must not be empty");
        check(r#"{"approved_by":true,"record":{"kind":"fake","brand_id":"b","id":"F"}}"#, "approved_by: ");
    }
}
