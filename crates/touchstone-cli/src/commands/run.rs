//! `touchstone run`: the worker, Kafka in, Kafka out.

use std::path::PathBuf;
use std::process;
use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use touchstone_catalog::Catalog;
use touchstone_kafka::{PipelineJudging, Settings};

use crate::brokers::runtime;
use crate::fault::{End, OrBadInput as _, Outcome};
use crate::logging::LogArgs;
use crate::setup::{load_context, load_lexicon, load_settings};

/// Run the worker: read listings from Kafka, write verdicts, flags and dead letters, exactly once
///
/// Ends with exit status 0 after SIGTERM or SIGINT, when everything in hand is committed.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The worker's settings file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    log: LogArgs,
}

pub(crate) fn run(args: &RunArgs) -> Outcome {
    args.log.start().or_bad_input()?;
    let settings = load_settings(Some(&args.config))?;
    settings.kafka().or_bad_input()?;
    let judging = judging(&settings)?;
    let result = runtime()?.block_on(async {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let shutdown = async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            tracing::info!("told to stop: finishing what is in hand");
        };
        Ok::<_, std::io::Error>(touchstone_kafka::run(&settings, Box::new(judging), shutdown).await)
    })?;
    let Err(error) = result else { return Ok(End::Done) };
    let error_code = error.exit_code();
    tracing::error!(exit_code = error_code, error = %format!("{:#}", anyhow::Error::from(error)), "the worker stopped");
    // A thread may still be stuck in a call to Kafka, so nothing is waited for.
    process::exit(i32::from(error_code));
}

/// The pipeline over the catalog of the topic, which the worker reads itself.
pub(crate) fn judging(settings: &Settings) -> Outcome<PipelineJudging> {
    let lexicon = Arc::new(load_lexicon(settings)?);
    let context = load_context(settings, None, Catalog::new().snapshot(&lexicon), &lexicon)?;
    Ok(PipelineJudging::new(lexicon, context))
}
