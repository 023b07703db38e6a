//! The command as a user runs it: files in, exit status and output out, and the worker on a real Apache Kafka.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may fail, and says what it skips")]

mod commands;
mod compiled;
mod eval;
mod export;
mod listings;
mod load;
mod pairs;
mod photos;
mod stream;
mod support;
