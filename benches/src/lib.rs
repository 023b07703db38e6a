//! Measures the other crates; everything is in `benches/`.
