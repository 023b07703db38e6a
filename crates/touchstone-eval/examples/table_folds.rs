//! Prints the five folds in which `touchstone eval tables DIR --seed N` holds rows out, so that other programs can be measured on the very same.
//!
//! `cargo run --release -p touchstone-eval --example table_folds -- DIR N_SEEDS`: a line for each seed from 1, the fold of each row of
//! `train.csv` in order, as a JSON list.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example says what it found")]

use std::path::PathBuf;
use std::process::ExitCode;

use touchstone_classifier::folds;
use touchstone_eval::read_table;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(n_seeds)) = (args.next().map(PathBuf::from), args.next()) else {
        eprintln!("usage: table_folds DIR N_SEEDS");
        return ExitCode::from(2);
    };
    let Ok(n_seeds) = n_seeds.parse::<u64>() else {
        eprintln!("N_SEEDS must be a whole number");
        return ExitCode::from(2);
    };
    let data = match read_table(&folder.join("train.csv")) {
        Ok(data) => data,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    for seed in 1..=n_seeds {
        match folds(&data, 5, seed) {
            Ok(fold_of) => println!("{fold_of:?}"),
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::SUCCESS
}
