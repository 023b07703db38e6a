//! Waiting for a condition with a deadline: the only way tests here wait.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long to rest between two looks at a condition.
const STEP: Duration = Duration::from_millis(20);

/// Looks at `condition` every 20 ms until it says `Ok(true)`.
///
/// `what` completes the sentence "timed out waiting for …".
///
/// # Errors
/// The condition's own error at once, or a time-out that names `what` once `limit` has passed.
///
/// ```
/// use std::time::Duration;
/// let mut left = 3;
/// touchstone_testkit::wait_until("three looks", Duration::from_secs(5), || {
///     left -= 1;
///     Ok(left == 0)
/// })
/// .unwrap();
/// ```
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    loop {
        if condition()? {
            return Ok(());
        }
        if started.elapsed() >= limit {
            bail!("timed out after {:.1} s waiting for {what}", started.elapsed().as_secs_f64());
        }
        thread::sleep(STEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_never_holds_names_itself() {
        let error = wait_until("the moon", Duration::from_millis(1), || Ok(false)).unwrap_err();
        assert!(error.to_string().ends_with("waiting for the moon"), "{error}");
    }

    #[test]
    fn an_error_ends_the_wait() {
        let error = wait_until("the moon", Duration::from_secs(60), || bail!("it fell")).unwrap_err();
        assert_eq!(error.to_string(), "it fell");
    }
}
