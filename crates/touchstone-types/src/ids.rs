//! Identifiers: wrapped texts that cannot be exchanged for one another by mistake.

use std::fmt;

/// The longest identifier in bytes; longer ones are refused, because they end up in Kafka keys and URLs.
pub const MAX_ID_BYTES: usize = 512;

/// Why a text cannot be an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// The text is empty.
    #[error("must not be empty")]
    Empty,
    /// The text is longer than [`MAX_ID_BYTES`].
    #[error("has {bytes} bytes, at most {MAX_ID_BYTES} are allowed")]
    TooLong {
        /// The length found, in bytes.
        bytes: usize,
    },
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Wraps `text` unchanged.
            ///
            /// # Errors
            /// An empty text, or one of more than [`MAX_ID_BYTES`] bytes.
            pub fn new(text: impl Into<String>) -> Result<Self, BadId> {
                let text = text.into();
                match text.len() {
                    0 => Err(BadId::Empty),
                    1..=MAX_ID_BYTES => Ok(Self(text)),
                    bytes => Err(BadId::TooLong { bytes }),
                }
            }

            /// The identifier as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! plain_debug {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.0)
            }
        }
    )*};
}

identifier!(
    /// Names one offer; the key of the `listings`, `verdicts` and `review` topics.
    ListingId
);
identifier!(
    /// Names the account behind a listing. Its `Debug` form is redacted, so that logs do not collect sellers.
    SellerId
);
identifier!(
    /// Names a brand in the reference catalog.
    BrandId
);
identifier!(
    /// Names a product within one brand of the reference catalog.
    ProductId
);
identifier!(
    /// Names a `fake` or `benign` record of the reference catalog.
    RecordId
);

plain_debug!(ListingId, BrandId, ProductId, RecordId);

impl fmt::Debug for SellerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SellerId(redacted)")
    }
}

/// Percent-encodes `%`, `/` and `#`, which separate the parts of catalog keys and photo references.
pub(crate) fn encode_id(id: &str) -> String {
    id.replace('%', "%25").replace('/', "%2F").replace('#', "%23")
}

/// Undoes [`encode_id`]; `None` where a `%` is not followed by one of its three codes.
pub(crate) fn decode_id(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let code = part.get(..2)?;
        out.push(match code.to_ascii_uppercase().as_str() {
            "25" => '%',
            "2F" => '/',
            "23" => '#',
            _ => return None,
        });
        out.push_str(&part[2..]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_not_empty_and_not_endless() {
        assert_eq!(ListingId::new(""), Err(BadId::Empty));
        assert!(ListingId::new("x".repeat(MAX_ID_BYTES)).is_ok());
        assert_eq!(ListingId::new("x".repeat(513)), Err(BadId::TooLong { bytes: 513 }));
    }

    #[test]
    fn sellers_are_redacted_in_debug_output() {
        let seller = SellerId::new("S-1").unwrap();
        assert_eq!(format!("{seller:?}"), "SellerId(redacted)");
    }

    #[test]
    fn encoding_round_trips_and_foreign_codes_are_refused() {
        for id in ["plain", "a/b#c%d", "%2F", "ünï/côde"] {
            assert_eq!(decode_id(&encode_id(id)).as_deref(), Some(id));
        }
        for bad in ["%", "%4", "%41", "%é"] {
            assert_eq!(decode_id(bad), None, "{bad}");
        }
    }
}
