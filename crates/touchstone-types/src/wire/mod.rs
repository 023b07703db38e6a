//! The wire forms: what other programs read and write. Only these types derive serialization, and each is converted by
//! hand to and from its domain type, which checks every value once.

mod catalog;
mod evidence;
mod kept_photo;
mod listing;
mod proposal;
mod review_decision;
mod text;
mod verdict;

pub use catalog::{CatalogRecord, Features};
pub use evidence::Evidence;
pub use kept_photo::KeptPhoto;
pub use listing::{Image, Listing, Money, Seller, Signals};
pub(crate) use proposal::{CatalogProposal, is_proposal};
pub use review_decision::ReviewDecision;
pub use verdict::{Flag, Photo, Verdict, Versions};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ParseError;

/// How deeply arrays and objects may be nested in a message; a message of ours needs five levels.
pub const MAX_DEPTH: usize = 64;

/// Reads one JSON object, and says where it is wrong.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ParseError> {
    let text = std::str::from_utf8(bytes).map_err(|e| ParseError::NotUtf8 { at: e.valid_up_to() })?;
    check_shape(text)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let path = e.path().to_string();
        // A question mark stands for a place that the reader did not get to name.
        let known = path.trim_end_matches(['.', '?']);
        ParseError::json(known, e.into_inner())
    })?;
    json.end().map_err(|e| ParseError::json("", e))?;
    Ok(value)
}

/// Writes a wire value as one line of JSON.
pub(crate) fn write<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value)
        .expect("wire types have only string keys, and writing to a string cannot fail")
}

/// Refuses what is no object, and nesting beyond [`MAX_DEPTH`]: without this, serde would take an array for an object by
/// position, and skip an ignored field of any depth.
fn check_shape(text: &str) -> Result<(), ParseError> {
    match text.trim_start().bytes().next() {
        Some(b'{') => {}
        Some(b'[') => return Err(ParseError::NotAnObject { found: "an array" }),
        Some(b'"') => return Err(ParseError::NotAnObject { found: "a string" }),
        Some(b'n' | b't' | b'f' | b'-' | b'0'..=b'9') => {
            return Err(ParseError::NotAnObject { found: "a single value" });
        }
        Some(_) => return Err(ParseError::NotAnObject { found: "something that is not JSON" }),
        None => return Err(ParseError::NotAnObject { found: "nothing" }),
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(ParseError::TooDeep { at });
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_of_bounded_depth_are_read() {
        let check = |text: &str, word: Option<&str>| {
            assert_eq!(check_shape(text).err().map(|e| e.word()), word, "{text:.40}");
        };
        check("{}", None);
        check(&format!("{}{}", "{\"a\":".repeat(64), "1}"), None);
        check(&format!("{}{}", "{\"a\":".repeat(65), "1}"), Some("too_deep"));
        check(&format!("{{\"a\":\"{}\"}}", "[".repeat(1000)), None);
        check("{\"a\":\"\\\"[[\"}", None);
        check("[]", Some("not_an_object"));
        check("", Some("not_an_object"));
        check("null", Some("not_an_object"));
    }
}
