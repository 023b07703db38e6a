//! The few numeric functions that scoring and training share, the same bit for bit on every machine.

/// The logistic function, 1 / (1 + e^-z), in [0, 1] and never decreasing; NaN stays NaN.
pub(crate) fn sigmoid(z: f64) -> f64 {
    // Where e^-z overflows to infinity, the quotient is the 0 it should be.
    1.0 / (1.0 + libm::exp(-z))
}

/// The natural logarithm of the odds of `p`, for 0 < p < 1.
pub(crate) fn logit(p: f64) -> f64 {
    libm::log(p / (1.0 - p))
}

/// `x` rounded to nine significant decimal digits.
///
/// What is learned is rounded so before it is kept: nine digits are far more than data supports, they keep the file short, and they hide
/// most of the differences in the last bits that another CPU's vector instructions make in an optimiser.
pub(crate) fn round9(x: f64) -> f64 {
    let rounded: f64 = format!("{x:.8e}").parse().expect("a formatted number reads back");
    if rounded == 0.0 { 0.0 } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigmoid_is_bounded_and_symmetric() {
        for z in [0.0, 1e-9, 0.5, 3.0, 40.0, 800.0, f64::INFINITY] {
            let (up, down) = (sigmoid(z), sigmoid(-z));
            assert!((0.5..=1.0).contains(&up) && (0.0..=0.5).contains(&down), "{z}");
            assert!((up + down - 1.0).abs() < 1e-15, "{z}");
        }
        assert!(sigmoid(f64::NAN).is_nan());
    }

    #[test]
    fn logit_undoes_sigmoid() {
        for z in [-12.0, -1.0, 0.0, 0.3, 7.0] {
            assert!((logit(sigmoid(z)) - z).abs() < 1e-9, "{z}");
        }
    }

    #[test]
    fn nine_digits_are_kept() {
        assert_eq!(round9(0.123_456_789_4), 0.123_456_789);
        assert_eq!(round9(-123_456_789_456.0), -123_456_789_000.0);
        assert_eq!(round9(1.5), 1.5);
        assert!(round9(-0.0).is_sign_positive());
        assert_eq!(round9(5e-324), 5e-324);
    }
}
