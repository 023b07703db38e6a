//! `touchstone dlq`: what was rejected, and why; sending it again.

use std::collections::BTreeMap;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use touchstone_kafka::dlq::{self, DeadLetter, Fate, REASONS, ReplayOptions, Replayed};
use touchstone_kafka::{Settings, Source};

use crate::brokers::BrokerArgs;
use crate::fault::{End, OrBadInput as _, Outcome};
use crate::terminal::{plain, print, say, table};

/// Show what was rejected, or send it again
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
    /// Send dead letters again to the topic of listings, for example after a release that can read them
    ///
    /// Each goes to the partition that it came from, with the input's own key, bytes and headers, and with two more headers:
    /// `touchstone-attempts` says how often it was tried, so that a second failure says 2, and `touchstone-replayed-from: TOPIC/PARTITION@OFFSET`
    /// names the dead letter.
    ///
    /// The second keeps a letter from being sent twice by accident: before anything is sent, the partitions are read from the
    /// letters' inputs on, and a letter that is named there is left alone, also when an earlier replay was killed half way. Where the
    /// input has left the topic (7 days by default), nobody can tell, and the letter is left alone too. --again sends both
    /// kinds nonetheless. Two replays running at the same time do not see each other.
    ///
    /// A letter that holds only the beginning of its input cannot be sent again, nor one from another topic; they are named, and
    /// the rest goes. Exit status 1 if there was one, or one whose input is gone, or if --from names something that is no letter.
    Replay {
        #[command(flatten)]
        brokers: BrokerArgs,
        #[command(flatten)]
        replay: ReplayArgs,
    },
}

#[derive(Debug, Args)]
struct ReplayArgs {
    /// Only letters with this reason
    #[arg(long, value_name = "WORD", value_parser = clap::builder::PossibleValuesParser::new(REASONS))]
    reason: Option<String>,
    /// Only these letters, named by their own place or by that of their input, both as `dlq list --json` shows them
    #[arg(long, value_name = "TOPIC/PARTITION@OFFSET", num_args = 1.., value_parser = place)]
    from: Vec<Source>,
    /// Of those only the latest N
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// Also letters that were sent again before, or of which nobody can tell
    #[arg(long)]
    again: bool,
    /// Only say what would be sent
    #[arg(long)]
    dry_run: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

fn place(text: &str) -> Result<Source, String> {
    Source::parse(text)
        .ok_or_else(|| "must be TOPIC/PARTITION@OFFSET, for example listings/3@1041".to_owned())
}

pub(crate) fn run(args: &DlqArgs) -> Outcome {
    match &args.action {
        Action::List { brokers, last, json } => list(&brokers.settings()?, *last, *json),
        Action::Replay { brokers, replay: args } => replay(&brokers.settings()?, args),
    }
}

fn list(settings: &Settings, last: usize, as_lines: bool) -> Outcome {
    let letters = dlq::list(settings, last)?;
    let mut rows = table(&["input", "bytes", "tries", "what was wrong"], 4);
    let mut by_reason: BTreeMap<&str, usize> = BTreeMap::new();
    for letter in &letters {
        *by_reason.entry(letter.reason()).or_default() += 1;
        if as_lines {
            print(as_json(letter).to_string())?;
        }
        rows.add_row([source(letter), bytes(letter), letter.attempts.to_string(), plain(&letter.error)]);
    }
    if letters.is_empty() {
        say("no dead letters");
    } else if !as_lines {
        print(rows.trim_fmt())?;
        let counts: Vec<String> = by_reason.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
        say(counts.join(", "));
    }
    Ok(End::Done)
}

fn replay(settings: &Settings, args: &ReplayArgs) -> Outcome {
    check_places(settings, &args.from)?;
    let options = ReplayOptions {
        reason: args.reason.clone(),
        from: args.from.clone(),
        last: args.last,
        again: args.again,
        dry_run: args.dry_run,
    };
    let replay = dlq::replay(settings, &options)?;
    let mut rows = table(&["input", "bytes", "tries", "what was wrong", "what becomes of it"], 5);
    let mut by_fate: BTreeMap<&str, usize> = BTreeMap::new();
    for Replayed { letter, fate } in &replay.letters {
        *by_fate.entry(words(*fate, args.dry_run)).or_default() += 1;
        if args.json {
            let mut line = as_json(letter);
            line["outcome"] = fate.as_str().into();
            print(line.to_string())?;
        }
        let (tries, outcome) = (letter.attempts.to_string(), words(*fate, args.dry_run).to_owned());
        rows.add_row([source(letter), bytes(letter), tries, plain(letter.reason()), outcome]);
    }
    if replay.letters.is_empty() {
        say("no such dead letters");
    } else {
        if !args.json {
            print(rows.trim_fmt())?;
        }
        let counts: Vec<String> = by_fate.iter().map(|(words, n)| format!("{n} {words}")).collect();
        say(counts.join(", "));
    }
    for place in &replay.not_found {
        say(format!("{place}: no dead letter of those asked for"));
    }
    let is_done = |replayed: &Replayed| match replayed.fate {
        Fate::Sent | Fate::ReplayedBefore => true,
        Fate::Ready => args.dry_run,
        Fate::InputGone | Fate::Truncated | Fate::OtherTopic => false,
    };
    let all_done = replay.not_found.is_empty() && replay.letters.iter().all(is_done);
    Ok(if all_done { End::Done } else { End::Failed })
}

/// A place in a topic that holds neither dead letters nor their inputs is a mistake.
fn check_places(settings: &Settings, places: &[Source]) -> Outcome<()> {
    let topics = &settings.topics;
    for place in places {
        if ![&*topics.listings, &*topics.dead_letters].contains(&&*place.topic) {
            let topics = format!("{} or {}", topics.listings, topics.dead_letters);
            return Err(anyhow!("--from {place}: must be a place in {topics}")).or_bad_input();
        }
    }
    Ok(())
}

const fn words(fate: Fate, dry_run: bool) -> &'static str {
    match fate {
        Fate::Ready if dry_run => "would be sent again",
        Fate::Ready => "gone in the meantime",
        Fate::Sent => "sent again",
        Fate::ReplayedBefore => "left alone: sent again before",
        Fate::InputGone => "left alone: its input is gone, so nobody can tell whether it was sent again",
        Fate::Truncated => "cannot be sent: only its beginning was kept",
        Fate::OtherTopic => "cannot be sent: it comes from another topic",
    }
}

fn as_json(letter: &DeadLetter) -> Value {
    json!({
        "at": letter.at.to_string(), "source": letter.source.as_ref().map(ToString::to_string), "key": letter.key,
        "error": letter.error, "reason": letter.reason(), "attempts": letter.attempts, "bytes": letter.bytes,
        "truncated": letter.is_truncated, "timestamp_ms": letter.timestamp_ms,
    })
}

fn source(letter: &DeadLetter) -> String {
    letter.source.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn bytes(letter: &DeadLetter) -> String {
    letter.bytes.map_or("null".to_owned(), |n| n.to_string())
}
