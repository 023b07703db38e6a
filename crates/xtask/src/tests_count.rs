//! Counting tests from what `cargo test` prints.

use std::ops::AddAssign;

/// How many tests passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TestsCount {
    pub(crate) n_passed: u64,
    pub(crate) n_failed: u64,
}

impl TestsCount {
    /// Reads `test result: ok. 12 passed; 0 failed; …`, which each test binary prints once; other lines are `None`.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let (_verdict, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let count =
            |name: &str| counts.split("; ").find_map(|part| part.strip_suffix(name)?.trim_end().parse().ok());
        Some(Self { n_passed: count("passed")?, n_failed: count("failed")? })
    }
}

impl AddAssign for TestsCount {
    fn add_assign(&mut self, other: Self) {
        self.n_passed += other.n_passed;
        self.n_failed += other.n_failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_read_and_others_are_not() {
        for (line, expected) in [
            (
                "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out; finished in 0.1s",
                Some((12, 0)),
            ),
            (
                "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9s",
                Some((3, 2)),
            ),
            ("test result: maybe", None),
            ("test a::b ... ok", None),
            ("", None),
        ] {
            let expected = expected.map(|(n_passed, n_failed)| TestsCount { n_passed, n_failed });
            assert_eq!(TestsCount::from_line(line), expected, "{line}");
        }
    }
}
