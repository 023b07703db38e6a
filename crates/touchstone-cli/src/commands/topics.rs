//! `touchstone topics`: the topics with the right settings.

use clap::{Args, Subcommand};
use serde_json::json;
use touchstone_kafka::topics::{self, TopicOptions, TopicState};

use crate::brokers::{BrokerArgs, runtime};
use crate::fault::{End, Outcome};
use crate::terminal::{print, say, table};

/// Create the topics, or say where existing ones differ from how they should be
#[derive(Debug, Args)]
pub(crate) struct TopicsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create the topics that do not exist; existing ones are left as they are
    Create {
        #[command(flatten)]
        brokers: BrokerArgs,
        #[command(flatten)]
        options: Options,
    },
    /// Compare the topics with how they should be; exit status 1 if one differs
    Describe {
        #[command(flatten)]
        brokers: BrokerArgs,
        #[command(flatten)]
        options: Options,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Options {
    /// Partitions of the topics of listings and verdicts: at most so many workers share the work
    #[arg(long, value_name = "N")]
    partitions: Option<i32>,
    /// Copies of each partition; by default 3, or as many as there are brokers
    #[arg(long, value_name = "N")]
    replication: Option<i32>,
    /// The largest listing message
    #[arg(long, value_name = "BYTES")]
    max_message_bytes: Option<usize>,
}

impl Options {
    fn plan(&self) -> TopicOptions {
        let default = TopicOptions::default();
        TopicOptions {
            n_partitions: self.partitions.unwrap_or(default.n_partitions),
            replication: self.replication.or(default.replication),
            max_message_bytes: self.max_message_bytes.unwrap_or(default.max_message_bytes),
        }
    }
}

pub(crate) fn run(args: &TopicsArgs) -> Outcome {
    match &args.action {
        Action::Create { brokers, options } => create(brokers, options),
        Action::Describe { brokers, options, json } => describe(brokers, options, *json),
    }
}

fn create(brokers: &BrokerArgs, options: &Options) -> Outcome {
    let settings = brokers.settings()?;
    let mut rows = table(&["topic", "", "partitions", "copies"], 2);
    for topic in runtime()?.block_on(topics::create(&settings, &options.plan()))? {
        let word = if topic.existed { "was there" } else { "created" };
        let (partitions, copies) = match topic.existed {
            true => (String::new(), String::new()),
            false => (topic.plan.n_partitions.to_string(), topic.plan.replication.to_string()),
        };
        rows.add_row([topic.plan.name, word.to_owned(), partitions, copies]);
    }
    print(rows.trim_fmt())?;
    Ok(End::Done)
}

fn describe(brokers: &BrokerArgs, options: &Options, json: bool) -> Outcome {
    let settings = brokers.settings()?;
    let states = runtime()?.block_on(topics::describe(&settings, &options.plan()))?;
    let mut rows = table(&["topic", "partitions", "copies", "differs from the plan"], 1);
    let mut end = End::Done;
    for state in &states {
        if state.n_partitions.is_none() || !state.differences.is_empty() {
            end = End::Failed;
        }
        if json {
            print(as_json(state).to_string())?;
        }
        let number = |n: Option<i32>| n.map_or("-".to_owned(), |n| n.to_string());
        let differences: Vec<String> = state
            .differences
            .iter()
            .map(|d| format!("{} is {}, should be {}", d.what, d.found, d.right))
            .collect();
        let copies = number(state.replication);
        rows.add_row([state.plan.name.clone(), number(state.n_partitions), copies, differences.join("\n")]);
    }
    if !json {
        print(rows.trim_fmt())?;
    }
    if end == End::Failed {
        say(
            "`touchstone topics create` makes what is missing; change settings of existing topics with Kafka's own tools",
        );
    }
    Ok(end)
}

fn as_json(state: &TopicState) -> serde_json::Value {
    let differences: Vec<_> = state
        .differences
        .iter()
        .map(|d| json!({ "what": d.what, "found": d.found, "right": d.right }))
        .collect();
    json!({
        "topic": state.plan.name, "role": state.plan.role, "partitions": state.n_partitions,
        "replication": state.replication, "differences": differences,
    })
}
