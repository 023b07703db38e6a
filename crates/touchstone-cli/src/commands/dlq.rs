//! `touchstone dlq`: what was rejected, and why.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::json;
use touchstone_kafka::dlq;

use crate::brokers::BrokerArgs;
use crate::fault::{End, Outcome};
use crate::terminal::{plain, print, say, table};

/// Show what was rejected
#[derive(Debug, Args)]
pub(crate) struct DlqArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the latest dead letters, oldest first, and count them by reason
    List {
        #[command(flatten)]
        brokers: BrokerArgs,
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 100)]
        last: usize,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(args: &DlqArgs) -> Outcome {
    let Action::List { brokers, last, json } = &args.action;
    let letters = dlq::list(&brokers.settings()?, *last)?;
    let mut rows = table(&["input", "bytes", "tries", "what was wrong"], 4);
    let mut by_reason: BTreeMap<&str, usize> = BTreeMap::new();
    for letter in &letters {
        let source = letter.source.as_ref().map(ToString::to_string);
        *by_reason.entry(letter.reason()).or_default() += 1;
        if *json {
            let line = json!({
                "at": letter.at.to_string(), "source": source, "key": letter.key, "error": letter.error,
                "reason": letter.reason(), "attempts": letter.attempts, "bytes": letter.bytes,
                "truncated": letter.is_truncated, "timestamp_ms": letter.timestamp_ms,
            });
            print(line.to_string())?;
        }
        let bytes = letter.bytes.map_or("null".to_owned(), |n| n.to_string());
        rows.add_row([source.unwrap_or_default(), bytes, letter.attempts.to_string(), plain(&letter.error)]);
    }
    if letters.is_empty() {
        say("no dead letters");
    } else if !json {
        print(rows.trim_fmt())?;
        let counts: Vec<String> = by_reason.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
        say(counts.join(", "));
    }
    Ok(End::Done)
}
