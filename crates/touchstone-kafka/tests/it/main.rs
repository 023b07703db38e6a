//! The worker on a real Apache Kafka: every claim about exactly-once is tested there and nowhere else.

#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not the helpers of tests")]

mod chaos;
mod injected;
mod load;
mod one_node;
mod photos;
mod poison;
mod process;
mod rebalance;
mod replay;
mod simulated;
mod stopping;
mod support;
mod topics;
