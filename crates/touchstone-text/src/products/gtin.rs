//! Global Trade Item Numbers as index keys.

use touchstone_types::Gtin;

/// The number behind a GTIN of 8, 12, 13 or 14 digits whose check digit is right; leading zeros do not matter, and the
/// number zero, which forms are filled with, is none.
pub(crate) fn parse(text: &str) -> Option<u64> {
    // What is longer cannot be one; saying so first keeps a hostile field cheap.
    if text.len() > 64 {
        return None;
    }
    let number: u64 = Gtin::parse(text).ok()?.to_string().parse().ok()?;
    (number > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_with_a_right_check_digit_pass() {
        for (text, expected) in [
            ("4006381333931", Some(4_006_381_333_931)),
            ("04006381333931", Some(4_006_381_333_931)),
            ("400-6381 333931", Some(4_006_381_333_931)),
            ("4006381333932", None),
            ("96385074", Some(96_385_074)),
            ("0000000000000", None),
            ("12345", None),
            ("400638133393x", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
