//! Bounded numbers: probability, similarity, rating.

/// Rounds to six decimals, so that a number reads the same on every machine; minus zero becomes zero.
///
/// A number so large that it has no decimals stays as it is.
pub fn round6(value: f64) -> f64 {
    // From 2^52 on every double is a whole number, and scaling it could only spoil it, or overflow.
    if value.abs() < 4_503_599_627_370_496.0 { (value * 1e6).round() / 1e6 + 0.0 } else { value }
}

macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $range:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl $name {
            /// Wraps `value`; `None` outside the range, and for NaN.
            pub fn new(value: f64) -> Option<Self> {
                ($range).contains(&value).then_some(Self(value))
            }

            /// The plain number.
            pub const fn get(self) -> f64 {
                self.0
            }
        }
    };
}

bounded!(
    /// A calibrated probability, 0 to 1.
    Probability,
    0.0..=1.0
);
bounded!(
    /// How alike two things are, 0 to 1; higher is closer.
    Similarity,
    0.0..=1.0
);
bounded!(
    /// A mean rating in stars, 1 to 5.
    Rating,
    1.0..=5.0
);

impl Similarity {
    /// Equal.
    pub const ONE: Self = Self(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive_and_nan_fails() {
        for (value, ok) in [(0.0, true), (1.0, true), (-1e-9, false), (1.000_001, false), (f64::NAN, false)] {
            assert_eq!(Probability::new(value).is_some(), ok, "{value}");
        }
        for (value, ok) in [(1.0, true), (5.0, true), (0.99, false), (5.01, false), (f64::NAN, false)] {
            assert_eq!(Rating::new(value).is_some(), ok, "{value}");
        }
    }

    #[test]
    fn rounding_keeps_six_decimals_and_no_minus_zero() {
        assert_eq!(round6(0.123_456_7), 0.123_457);
        assert!(round6(-1e-9).is_sign_positive());
        for large in [f64::MAX, f64::MIN, 9_007_199_254_740_993.0, 1e300] {
            assert_eq!(round6(large), large);
        }
    }
}
