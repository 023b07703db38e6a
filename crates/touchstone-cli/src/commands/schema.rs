//! `touchstone schema`: the JSON Schema of a wire form.

use clap::Args;
use clap::builder::PossibleValuesParser;
use touchstone_types::{SCHEMA_NAMES, schema};

use crate::fault::{End, Outcome};
use crate::terminal::print;

/// Print the JSON Schema of a wire form
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// The form
    #[arg(value_parser = PossibleValuesParser::new(SCHEMA_NAMES))]
    name: String,
}

pub(crate) fn run(args: &SchemaArgs) -> Outcome {
    if let Some(schema) = schema(&args.name) {
        print(serde_json::to_string_pretty(&schema)?)?;
    }
    Ok(End::Done)
}
