//! The text stage against invented listings, and against real data where it lies beside the checkout.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests; figures and skips are said on stderr"
)]

mod accidents;
mod data;
mod disguises;
mod evasion;
mod golden;
mod hostile;
mod invented;
mod laws;
mod real_brands;
mod search;
