//! How the commands that talk to Kafka find it.

use std::path::PathBuf;

use clap::Args;
use tokio::runtime::Runtime;
use touchstone_kafka::Settings;

use crate::fault::{OrBadInput as _, Outcome};
use crate::setup::load_settings;

/// Which brokers and topics are meant.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct BrokerArgs {
    /// The worker's settings file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Brokers, with the default topics
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
}

impl BrokerArgs {
    /// The settings, which name brokers.
    pub(crate) fn settings(&self) -> Outcome<Settings> {
        let settings = match &self.bootstrap {
            Some(brokers) => Settings::with_bootstrap(brokers),
            None => load_settings(self.config.as_deref())?,
        };
        settings.kafka().or_bad_input()?;
        Ok(settings)
    }
}

/// A runtime for the commands that need one.
pub(crate) fn runtime() -> Outcome<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
