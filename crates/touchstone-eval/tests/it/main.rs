//! The fixtures keep what their README promises.
#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod fixtures;
