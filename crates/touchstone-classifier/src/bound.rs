//! What a count proves about a rate.

/// The rate that is exceeded with a probability of at most 1 − `confidence` when `n_events` of `n` independent trials came true: the
/// upper bound of C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
/// Biometrika 26, 1934, one-sided. Without trials nothing is proven, and the answer is 1.
///
/// ```
/// // No event in 1,771 trials: the rule of three says 3 / n.
/// let bound = touchstone_classifier::upper_bound(0, 1771, 0.95);
/// assert!((bound - 3.0 / 1771.0).abs() < 1e-5);
/// ```
pub fn upper_bound(n_events: usize, n: usize, confidence: f64) -> f64 {
    if n_events >= n {
        return 1.0;
    }
    let (mut low, mut high) = (n_events as f64 / n as f64, 1.0);
    // Halving 60 times leaves less than the last bit of a rate.
    for _ in 0..60 {
        let rate = f64::midpoint(low, high);
        if at_most(n_events, n, rate) > 1.0 - confidence { low = rate } else { high = rate }
    }
    high
}

/// The probability of at most `n_events` in `n` trials of this rate, which is above 0 and at most 1.
fn at_most(n_events: usize, n: usize, rate: f64) -> f64 {
    let (stay, odds) = (libm::log1p(-rate), libm::log(rate) - libm::log1p(-rate));
    let mut ways = 0.0;
    let mut sum = 0.0;
    for k in 0..=n_events {
        sum += libm::exp(ways + n as f64 * stay + k as f64 * odds);
        ways += libm::log((n - k) as f64 / (k + 1) as f64);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_tables() {
        // scipy.stats.beta.ppf(0.95, k + 1, n - k).
        for (k, n, expected) in
            [(0, 10, 0.258_866), (1, 10, 0.394_163), (3, 20, 0.343_664), (9, 10, 0.994_884)]
        {
            let bound = upper_bound(k, n, 0.95);
            assert!((bound - expected).abs() < 1e-5, "{k} of {n}: {bound}");
        }
        assert_eq!((upper_bound(0, 0, 0.95), upper_bound(7, 7, 0.95)), (1.0, 1.0));
    }

    #[test]
    fn more_trials_prove_more_and_more_events_less() {
        assert!(upper_bound(0, 997, 0.95) > 0.003 && upper_bound(0, 998, 0.95) <= 0.003);
        assert!((0..50).all(|k| upper_bound(k, 1771, 0.95) < upper_bound(k + 1, 1771, 0.95)));
    }
}
