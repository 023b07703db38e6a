//! How much processor time this process has used.

use std::time::Duration;

/// Linux counts in hundredths of a second on every platform, whatever its kernel's own clock.
const TICKS_PER_S: u64 = 100;

/// User and system time of all threads; nothing where the system does not tell it as Linux does.
pub(super) fn process_cpu() -> Option<Duration> {
    parse(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// The program's name stands in brackets and may have blanks and brackets itself; `utime` and `stime` are the 12th and 13th
/// words behind it.
fn parse(stat: &str) -> Option<Duration> {
    let mut words = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let ticks: u64 = words.next()?.parse::<u64>().ok()? + words.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS_PER_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added() {
        let stat = "77 (a) b (c) S 1 77 77 0 -1 4194304 900 0 0 0 250 31 4 5 20 0 9 0 1 2 3";
        assert_eq!(parse(stat), Some(Duration::from_millis(2_810)));
        assert_eq!(parse("77 (a) S 1"), None);
    }
}
