//! Logs of the long-running commands, on stderr as text or JSON.

use std::io::{self, IsTerminal as _};

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One object a line
    Json,
}

/// What is logged, and how.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Logs as text or JSON
    #[arg(long, value_name = "FORMAT", default_value = "text", value_enum)]
    log_format: Format,
    /// What is logged: error, warn, info, debug, trace, or a filter such as touchstone_kafka=debug
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

impl LogArgs {
    /// Starts logging for the whole process.
    pub(crate) fn start(&self) -> anyhow::Result<()> {
        let filter = EnvFilter::try_new(&self.log)?;
        let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
        match self.log_format {
            Format::Text => base.with_ansi(io::stderr().is_terminal()).with_target(false).init(),
            Format::Json => base.json().flatten_event(true).init(),
        }
        Ok(())
    }
}
