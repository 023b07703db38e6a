//! The laws of snapshots: grown, merged, compiled or built fresh, the same set of records gives the same answers.

mod file;
mod grown;
mod market;
