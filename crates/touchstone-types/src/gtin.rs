//! Global Trade Item Numbers (GS1 General Specifications, section 7.9: check digit).

use std::fmt;

/// A GTIN of 8, 12, 13 or 14 digits with a right check digit, padded to 14 digits: the same item number in any of its
/// lengths is the same value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gtin(u64);

/// Why a text is not a GTIN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadGtin {
    /// Not 8, 12, 13 or 14 digits, spaces and hyphens aside.
    #[error("a GTIN has 8, 12, 13 or 14 digits, \"{found}\" does not")]
    Form {
        /// The start of the text.
        found: String,
    },
    /// The last digit does not fit the others.
    #[error("the check digit of {found} should be {expected}")]
    CheckDigit {
        /// The digits.
        found: String,
        /// The right last digit.
        expected: u8,
    },
}

impl Gtin {
    /// Reads a GTIN; spaces and hyphens are passed over.
    ///
    /// # Errors
    /// A wrong number of digits, any other character, a wrong check digit.
    pub fn parse(text: &str) -> Result<Self, BadGtin> {
        let digits: Vec<u8> = text.bytes().filter(|b| !matches!(b, b' ' | b'-')).collect();
        if !matches!(digits.len(), 8 | 12 | 13 | 14) || !digits.iter().all(u8::is_ascii_digit) {
            return Err(BadGtin::Form { found: text.chars().take(40).collect() });
        }
        let value = |digits: &[u8]| digits.iter().fold(0, |n, d| n * 10 + u64::from(d - b'0'));
        let (body, last) = digits.split_at(digits.len() - 1);
        let sum: u64 = body
            .iter()
            .rev()
            .zip([3, 1].into_iter().cycle())
            .map(|(d, weight)| u64::from(d - b'0') * weight)
            .sum();
        let expected = (10 - sum % 10) % 10;
        if value(last) != expected {
            let found = String::from_utf8_lossy(&digits).into_owned();
            return Err(BadGtin::CheckDigit { found, expected: expected as u8 });
        }
        Ok(Self(value(&digits)))
    }
}

impl fmt::Display for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014}", self.0)
    }
}

impl fmt::Debug for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gtin({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_one_number_and_wrong_check_digits_are_named() {
        // The examples of the GS1 General Specifications' check digit tables.
        let twelve = Gtin::parse("614141000036").unwrap();
        assert_eq!(Gtin::parse("0614141000036"), Ok(twelve));
        assert_eq!(Gtin::parse("00614141-000036"), Ok(twelve));
        assert_eq!(
            Gtin::parse("614141000037"),
            Err(BadGtin::CheckDigit { found: "614141000037".into(), expected: 6 })
        );
        for bad in ["", "123", "12345678901", "abcdefgh", "6141410000361234"] {
            assert!(matches!(Gtin::parse(bad), Err(BadGtin::Form { .. })), "{bad}");
        }
    }
}
