//! When the next messages may go.

use std::time::Duration;

/// The most that goes at once, as a span of the pace.
const BURST: Duration = Duration::from_millis(10);
/// How long to rest between two looks, where the pace leaves time for it.
const TICK: Duration = Duration::from_millis(1);
/// The longest rest: whoever waits may have something else to do.
const MAX_REST: Duration = Duration::from_millis(250);

/// An even pace that does not drift: message `n` is due `n / rate` after the start, however long earlier ones took. After a
/// stall, what was missed is made up for at no more than twice the rate, and never more than 10 ms worth of messages go at
/// once.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// Messages a second; `None` is as fast as possible.
    rate: Option<f64>,
    n_granted: u64,
    last_grant: Duration,
}

/// What a look at the clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many messages may go now, at least one.
    Go(u64),
    /// Look again after this time.
    Rest(Duration),
}

impl Pace {
    /// `rate` messages a second; zero is as fast as possible.
    pub fn new(rate: f64) -> Self {
        Self { rate: (rate > 0.0).then_some(rate), n_granted: 0, last_grant: Duration::ZERO }
    }

    /// What may go at this time after the start. What [`Step::Go`] grants counts as gone.
    pub fn step(&mut self, elapsed: Duration) -> Step {
        let Some(rate) = self.rate else { return Step::Go(u64::MAX) };
        let n_due = (rate * elapsed.as_secs_f64()).floor() as u64 + 1;
        let n_late = n_due.saturating_sub(self.n_granted);
        if n_late == 0 {
            let next = Duration::try_from_secs_f64(self.n_granted as f64 / rate).unwrap_or(Duration::MAX);
            return Step::Rest(next.saturating_sub(elapsed).clamp(TICK, MAX_REST));
        }
        let room = 2.0 * rate * elapsed.saturating_sub(self.last_grant).as_secs_f64();
        if room < 1.0 && self.n_granted > 0 {
            return Step::Rest(TICK);
        }
        let n = n_late.min(room as u64).min((rate * BURST.as_secs_f64()) as u64).max(1);
        self.n_granted += n;
        self.last_grant = elapsed;
        Step::Go(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that stands still but for the rests, each of which takes `oversleep` longer than asked for. Returns when how
    /// many went.
    fn play(rate: f64, seconds: f64, oversleep: Duration, stall: Option<(f64, f64)>) -> Vec<(f64, u64)> {
        let (mut pace, mut now, mut gone) = (Pace::new(rate), Duration::ZERO, Vec::new());
        let mut stall = stall;
        while now.as_secs_f64() < seconds {
            match pace.step(now) {
                // Handing a message over takes some time too.
                Step::Go(n) => {
                    gone.push((now.as_secs_f64(), n));
                    now += Duration::from_nanos(500 * n);
                }
                Step::Rest(rest) => now += rest + oversleep,
            }
            if let Some((at, length)) = stall.filter(|(at, _)| now.as_secs_f64() >= *at) {
                now = Duration::from_secs_f64(at + length);
                stall = None;
            }
        }
        gone
    }

    fn total(gone: &[(f64, u64)]) -> u64 {
        gone.iter().map(|(_, n)| n).sum()
    }

    #[test]
    fn the_pace_is_kept_without_drift_however_long_a_rest_takes() {
        for (rate, oversleep_us) in
            [(0.5, 0), (7.0, 300), (1_000.0, 4_000), (30_000.0, 100), (30_000.0, 4_000)]
        {
            let gone = play(rate, 100.0, Duration::from_micros(oversleep_us), None);
            let (n, due) = (total(&gone) as f64, rate * 100.0);
            assert!((n - due).abs() <= 1.0 + rate * 0.006, "{n} of {due} at {rate}/s");
        }
    }

    #[test]
    fn no_burst_is_longer_than_ten_milliseconds_and_low_rates_go_one_by_one() {
        for rate in [0.5, 90.0, 30_000.0] {
            let gone = play(rate, 20.0, Duration::from_millis(1), Some((3.0, 2.0)));
            let most = gone.iter().map(|(_, n)| *n).max().unwrap();
            assert!(most as f64 <= (rate * 0.01).ceil(), "{most} at once at {rate}/s");
        }
    }

    #[test]
    fn a_stall_is_made_up_for_at_twice_the_rate_and_no_faster() {
        let gone = play(10_000.0, 10.0, Duration::ZERO, Some((3.0, 2.0)));
        assert!((total(&gone) as f64 - 100_000.0).abs() < 100.0, "{}", total(&gone));
        let between = |from: f64, to: f64| -> f64 {
            gone.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, n)| *n as f64).sum()
        };
        for start in [5.0, 5.5, 6.0, 6.5] {
            let n = between(start, start + 0.5);
            assert!((9_000.0..=10_200.0).contains(&n), "{n} in the half second from {start} s");
        }
        assert!((between(8.0, 9.0) - 10_000.0).abs() < 50.0, "after that the rate is as it was");
    }

    #[test]
    fn without_a_rate_everything_may_go() {
        assert_eq!(Pace::new(0.0).step(Duration::ZERO), Step::Go(u64::MAX));
    }
}
