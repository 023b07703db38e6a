//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds of Unix time; 0 where the clock stands before 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
