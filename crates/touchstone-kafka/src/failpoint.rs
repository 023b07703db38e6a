//! Places where a test can hold a worker still, to kill it there or to let the world go on without it.
//!
//! Compiled in only with the feature `failpoints`, which the crate's own tests switch on. The variable `TOUCHSTONE_HOLD_AT` names a
//! place and the passing at which to hold, `transaction.sent@3`: then the thread writes `held at transaction.sent` to stdout and
//! waits for a line on stdin. `TOUCHSTONE_WITHOUT_TRANSACTIONS` lets a worker write and commit without transactions, so that what
//! exactly-once costs can be measured.

/// Called where a test may want to hold.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn reach(_place: &str) {}

/// Whether to do without transactions.
pub(crate) fn without_transactions() -> bool {
    cfg!(feature = "failpoints") && std::env::var_os("TOUCHSTONE_WITHOUT_TRANSACTIONS").is_some()
}

#[cfg(feature = "failpoints")]
pub(crate) fn reach(place: &str) {
    use std::io::Write as _;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static HOLD_AT: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static N_PASSED: AtomicU32 = AtomicU32::new(0);
    let hold_at = HOLD_AT.get_or_init(|| {
        let text = std::env::var("TOUCHSTONE_HOLD_AT").ok()?;
        let (place, nth) = text.split_once('@')?;
        Some((place.to_owned(), nth.parse().ok()?))
    });
    if let Some((wanted, nth)) = hold_at
        && wanted == place
        && N_PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *nth
    {
        let mut stdout = std::io::stdout().lock();
        // A test that has gone away reads neither; then there is nothing to hold for.
        let _ = writeln!(stdout, "held at {place}").and_then(|()| stdout.flush());
        drop(stdout);
        let _ = std::io::stdin().read_line(&mut String::new());
    }
}
