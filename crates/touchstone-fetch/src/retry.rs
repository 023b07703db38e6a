//! When a request is repeated, and after which pause.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::HeaderValue;

use crate::error::Problem;
use crate::settings::FetchSettings;

/// A host that asks for a longer pause is not asked again for this photo.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(2);

/// No pause is longer than this and half as much again, whatever the settings say.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// Decides on repetitions. It holds its own source of chance, so that a seed makes the pauses known.
pub(crate) struct Retries {
    n: u32,
    mean: Duration,
    state: AtomicU64,
}

impl Retries {
    pub(crate) fn new(settings: &FetchSettings) -> Self {
        // A hasher that the standard library seeds anew each time is all the chance that is needed here.
        let seed = settings.jitter_seed.unwrap_or_else(|| RandomState::new().hash_one(0));
        Self { n: settings.retries, mean: settings.retry_pause, state: AtomicU64::new(seed) }
    }

    /// The pause before the request is repeated that failed this way, `attempt` repetitions after the first; none if it is
    /// not repeated.
    pub(crate) fn pause(&self, attempt: u32, problem: &Problem) -> Option<Duration> {
        if attempt >= self.n || !problem.may_pass() {
            return None;
        }
        let asked = match problem {
            Problem::Status { retry_after, .. } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        if asked > MAX_RETRY_AFTER {
            return None;
        }
        let mean = self.mean.saturating_mul(1 << attempt.min(16)).min(MAX_PAUSE);
        // Half to one and a half times the mean, so that many workers do not come back at once.
        Some(asked.saturating_add(mean.mul_f64(0.5 + self.chance())))
    }

    /// A number from 0 to 1, by SplitMix64.
    fn chance(&self) -> f64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from((z >> 32) as u32) / f64::from(u32::MAX)
    }
}

/// The pause that a host asks for. A date, which would need a clock that agrees with the host's, and anything else that is
/// no number of seconds is taken for a pause that is too long.
pub(crate) fn retry_after(value: &HeaderValue) -> Duration {
    let seconds = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    seconds.map_or(Duration::MAX, Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retries(seed: u64) -> Retries {
        Retries::new(&FetchSettings { retries: 3, jitter_seed: Some(seed), ..FetchSettings::default() })
    }

    fn status(status: u16, retry_after: Option<Duration>) -> Problem {
        Problem::Status { status, retry_after }
    }

    #[test]
    fn pauses_double_and_lie_around_their_mean() {
        let retries = retries(7);
        let mut pauses = Vec::new();
        for _ in 0..100 {
            for (attempt, mean) in [(0, 100), (1, 200), (2, 400)] {
                let pause = retries.pause(attempt, &status(503, None)).unwrap().as_millis();
                assert!((mean / 2..=mean * 3 / 2).contains(&pause), "{pause}");
                pauses.push(pause);
            }
        }
        assert!(pauses.iter().step_by(3).any(|pause| *pause < 75), "not all alike");
        assert!(pauses.iter().step_by(3).any(|pause| *pause > 125), "not all alike");
        assert_eq!(retries.pause(3, &status(503, None)), None, "not more often than allowed");
    }

    #[test]
    fn a_seed_makes_the_pauses_known() {
        let pauses = |seed| {
            let retries = retries(seed);
            [0, 0, 0].map(|attempt| retries.pause(attempt, &status(503, None)))
        };
        assert_eq!(pauses(7), pauses(7));
        assert_ne!(pauses(7), pauses(8));
    }

    #[test]
    fn a_pause_that_the_host_asks_for_is_kept_or_there_is_no_repetition() {
        for (header, least) in [
            ("0", Some(0)),
            ("1", Some(1)),
            (" 2 ", Some(2)),
            ("3", None),
            ("18446744073709551616", None),
            ("-1", None),
            ("1.5", None),
            ("Wed, 21 Oct 2015 07:28:00 GMT", None),
            ("", None),
        ] {
            let asked = retry_after(&HeaderValue::from_static(header));
            let pause = retries(7).pause(0, &status(429, Some(asked)));
            assert_eq!(pause.map(|pause| pause.as_secs()), least, "{header}");
        }
    }

    #[test]
    fn what_will_not_pass_is_not_repeated() {
        for code in [301, 400, 403, 404, 410, 501] {
            assert_eq!(retries(7).pause(0, &status(code, None)), None, "{code}");
        }
    }
}
