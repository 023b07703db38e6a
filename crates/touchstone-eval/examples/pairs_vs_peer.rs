//! The pair matcher beside its peer, on the folds that `tools/peers/pairs_same_folds.py` made and wrote down.
//!
//! ```text
//! python tools/peers/pairs_same_folds.py PEER.py FOLDS.jsonl 5 PAIRS/*/
//! cargo run --release -p touchstone-eval --example pairs_vs_peer -- FOLDS.jsonl PAIRS
//! ```
#![expect(clippy::print_stdout, reason = "an example says what it found")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use touchstone_eval::{cross_validated, read_training_pairs};

#[derive(Deserialize)]
struct Folds {
    set: String,
    seed: u64,
    peer_f1: f64,
    fold: Vec<usize>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folds, pairs] = arguments.as_slice() else {
        return Err("usage: pairs_vs_peer FOLDS.jsonl PAIRS".into());
    };
    let mut found: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for line in fs::read_to_string(folds)?.lines() {
        let folds: Folds = serde_json::from_str(line)?;
        let rows = read_training_pairs(&Path::new(pairs).join(&folds.set))?;
        let own = cross_validated(&rows, &folds.fold, folds.seed)?;
        let f1 = 100.0 * own.counts.f1().unwrap_or(0.0);
        found.entry(folds.set).or_default().push((f1, folds.peer_f1));
    }
    println!("| set | here | LightGBM + RapidFuzz | ahead |\n|---|---|---|---|");
    for (set, runs) in found {
        let (own, peer): (Vec<f64>, Vec<f64>) = runs.iter().copied().unzip();
        let ahead = runs.iter().filter(|(own, peer)| own > peer).count();
        println!("| {set} | {} | {} | {ahead} of {} |", spread(&own), spread(&peer), runs.len());
    }
    Ok(())
}

/// Mean and standard deviation.
fn spread(values: &[f64]) -> String {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0).max(1.0);
    format!("{mean:.1} ± {:.1}", variance.sqrt())
}
