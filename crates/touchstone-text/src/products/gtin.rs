//! Global Trade Item Numbers (GS1 General Specifications, section 7.9: check digit).

/// The number behind a GTIN of 8, 12, 13 or 14 digits whose check digit is right; leading zeros do not matter.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let digits: Vec<u64> = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '-'))
        .map(|c| c.to_digit(10).map(u64::from))
        .collect::<Option<_>>()?;
    if !matches!(digits.len(), 8 | 12 | 13 | 14) {
        return None;
    }
    let (check, body) = digits.split_last()?;
    let sum: u64 = body.iter().rev().enumerate().map(|(i, d)| if i % 2 == 0 { d * 3 } else { *d }).sum();
    let number = digits.iter().fold(0, |n, d| n * 10 + d);
    ((10 - sum % 10) % 10 == *check && number > 0).then_some(number)
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
