//! The worker on a real Apache Kafka: every claim about exactly-once is tested there and nowhere else.

#![allow(clippy::print_stderr, reason = "a run of the chaos tells its schedule")]
#![allow(clippy::unwrap_used, reason = "the lint knows test functions, not the helpers of tests")]

mod chaos;
mod injected;
mod load;
mod local_snapshot;
mod one_node;
mod photos;
mod poison;
mod process;
mod progress;
mod rebalance;
mod replay;
mod seeded;
mod seeded_faults;
mod simulated;
mod slow_photos;
mod steps;
mod stopping;
mod support;
mod takedown_job;
mod topics;
