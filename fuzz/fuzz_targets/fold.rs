//! Any title, read with a few invented brands: folding, words, claims, terms.

#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|title: &str| common::check(&common::INDEX, title));
