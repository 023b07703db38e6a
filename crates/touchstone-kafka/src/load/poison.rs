//! Messages that no worker can judge.

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Poison {
    /// JSON without its end.
    BrokenJson,
    /// A listing without title and seller.
    MissingField,
    /// No value at all.
    NullValue,
    /// Brackets within brackets within brackets.
    TooDeep,
    /// A number where the title should be.
    WrongType,
    /// A byte that no UTF-8 text has.
    NotUtf8,
}

/// Deeper than any reader goes.
const DEPTH: usize = 1_000;

impl Poison {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::BrokenJson,
        Self::MissingField,
        Self::NullValue,
        Self::TooDeep,
        Self::WrongType,
        Self::NotUtf8,
    ];

    /// The reason that the dead letter gives, a word.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::BrokenJson | Self::MissingField | Self::WrongType => "json",
            Self::NullValue => "null_value",
            Self::TooDeep => "too_deep",
            Self::NotUtf8 => "not_utf8",
        }
    }

    /// The value of such a message, made from a good one and its listing id.
    pub(super) fn value(self, id: &str, mut good: Vec<u8>) -> Option<Vec<u8>> {
        let id = serde_json::Value::from(id);
        match self {
            Self::NullValue => return None,
            Self::BrokenJson => good.truncate(good.len().saturating_sub(1)),
            Self::MissingField => good = format!(r#"{{"listing_id":{id},"version":1}}"#).into_bytes(),
            Self::WrongType => {
                good = format!(r#"{{"listing_id":{id},"title":7,"seller":{{"seller_id":"S-1"}}}}"#).into();
            }
            Self::TooDeep => {
                let (open, close) = ("[".repeat(DEPTH), "]".repeat(DEPTH));
                good = format!(r#"{{"listing_id":{id},"attributes":{open}{close}}}"#).into_bytes();
            }
            Self::NotUtf8 => {
                let last = good.len().saturating_sub(1);
                good.insert(last, 0xff);
            }
        }
        Some(good)
    }
}

#[cfg(test)]
mod tests {
    use touchstone_types::Listing;

    use super::*;

    #[test]
    fn every_kind_is_refused_for_the_reason_that_it_names() {
        let good = br#"{"listing_id":"EX-1","title":"Lumora 20","seller":{"seller_id":"S-1"}}"#;
        Listing::from_json(good).unwrap();
        for poison in Poison::ALL {
            let value = poison.value("EX-1", good.to_vec());
            let reason = value.map_or("null_value", |value| Listing::from_json(&value).unwrap_err().word());
            assert_eq!(reason, poison.reason(), "{poison:?}");
        }
    }
}
