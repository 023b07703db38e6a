//! The pipeline from wire form to verdict.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may fail, and says what it skips")]

mod again;
mod fixtures;
mod laws;
mod photos;
mod real_listings;
mod support;
