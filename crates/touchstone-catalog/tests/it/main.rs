//! The laws of snapshots: grown, merged, compiled or built fresh, the same set of records gives the same answers. And what the
//! photos of a catalog answer.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod file;
mod grown;
mod kept;
mod market;
mod photos;
mod pictures;
