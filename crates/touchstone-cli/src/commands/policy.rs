//! `touchstone policy tune`: thresholds from what a platform can promise.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use serde_json::json;
use touchstone_eval::{ListingsReport, tune};
use touchstone_pipeline::Policy;
use touchstone_types::round6;

use crate::fault::{End, OrBadInput as _, Outcome};
use crate::labelled::Labelled;
use crate::setup::{check_writable, load_context, load_lexicon, load_settings};
use crate::terminal::{plain, print, say, table};

/// Find the thresholds of the decision table
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    Tune(TuneArgs),
}

/// Choose both thresholds on labelled listings
///
/// The review threshold keeps the share of flagged listings within the budget, the takedown threshold the precision of
/// takedowns above the promise, each by a confidence bound. Use rows that the model was not trained on. Takedowns are
/// switched neither on nor off, but off where nothing keeps the promise: whoever has read the figures may set `automation = true`.
#[derive(Debug, Args)]
struct TuneArgs {
    /// A folder in the `listings` form
    dir: PathBuf,
    /// Which share of the listings people can look at, for example 0.02
    #[arg(long, value_name = "SHARE")]
    review_budget: f64,
    /// Which share of takedowns must be right, for example 0.99
    #[arg(long, value_name = "SHARE")]
    precision: f64,
    /// Only listings of this week or later
    #[arg(long, value_name = "N")]
    from_week: Option<u32>,
    /// Only listings up to this week
    #[arg(long, value_name = "N")]
    to_week: Option<u32>,
    /// The model file
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The worker's settings file; what its policy says otherwise is kept
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The policy file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &PolicyArgs) -> Outcome {
    let PolicyCommand::Tune(args) = &args.command;
    for (name, share) in [("--review-budget", args.review_budget), ("--precision", args.precision)] {
        if !(share > 0.0 && share < 1.0) {
            return Err(anyhow!("{name} {share} must be a share above 0 and below 1")).or_bad_input();
        }
    }
    check_writable(&args.out)?;
    let settings = load_settings(args.config.as_deref())?;
    let lexicon = Arc::new(load_lexicon(&settings)?);
    let (labelled, snapshot) = Labelled::open(&args.dir, &lexicon)?;
    let context = load_context(&settings, args.model.as_deref(), snapshot, &lexicon)?;
    let weeks = args.from_week.unwrap_or(0)..=args.to_week.unwrap_or(u32::MAX);
    let policy = context.policy().clone();
    let judge = |policy: Policy| {
        let context = context.clone().with_policy(Arc::new(policy), &lexicon);
        labelled.judge(&context, None, |label| weeks.contains(&label.week))
    };
    let rows = judge(policy.with_every_decision_open());
    if rows.is_empty() {
        return Err(anyhow!("{} has no labelled listing of these weeks", args.dir.display())).or_bad_input();
    }
    let tuned = tune(&rows, args.review_budget, args.precision);
    let (review, takedown) = (tuned.review, tuned.takedown.unwrap_or(1.0));
    let mut new = policy.with_thresholds(review, takedown);
    if tuned.takedown.is_none() {
        new = new.without_automation();
    }
    // What the table really does with them, takedowns on: brands may have thresholds of their own.
    let judged = judge(if tuned.takedown.is_some() { new.with_automation(true) } else { new.clone() });
    let flagged =
        judged.iter().filter(|row| row.verdict.decision.is_flag()).count() as f64 / judged.len() as f64;
    let report = ListingsReport::new("", "", &judged, &[], args.review_budget).form.metrics;
    let figure = |name: &str| report.get(name).copied();
    let text = format!("{}\n{}", head(args, flagged, &report, rows.len()), new.canonical());
    fs::write(&args.out, text)
        .with_context(|| format!("cannot write {}", args.out.display()))
        .or_bad_input()?;
    if args.json {
        let metrics: serde_json::Map<String, serde_json::Value> = ["recall", "false_flag_rate"]
            .into_iter()
            .chain(report.keys().map(String::as_str).filter(|key| key.starts_with("automatic.")))
            .filter_map(|key| Some((key.to_owned(), round6(figure(key)?).into())))
            .collect();
        print(
            json!({"review_threshold": review, "takedown_threshold": tuned.takedown, "flagged": round6(flagged),
                   "budget_is_kept": tuned.budget_is_kept, "metrics": metrics})
            .to_string(),
        )?;
    } else {
        let mut rows = table(&["", "value"], 1);
        rows.add_row(["review threshold".to_owned(), review.to_string()]);
        rows.add_row(["flagged".to_owned(), format!("{:.3} %", 100.0 * flagged)]);
        let threshold = tuned.takedown.map_or_else(|| "none keeps the promise".to_owned(), |t| t.to_string());
        rows.add_row(["takedown threshold".to_owned(), threshold]);
        for (name, key) in [
            ("recall, people and takedowns", "recall"),
            ("false flags", "false_flag_rate"),
            ("takedowns, once switched on", "automatic.n"),
            ("their precision", "automatic.precision"),
            ("with 95 % confidence at least", "automatic.precision_low"),
            ("their recall", "automatic.recall"),
        ] {
            let decimals = if key == "automatic.n" { 0 } else { 4 };
            if let Some(value) = figure(key) {
                rows.add_row([name.to_owned(), format!("{value:.decimals$}")]);
            }
        }
        print(rows.trim_fmt())?;
    }
    let own: Vec<&str> = new.brands_with_thresholds().collect();
    if !own.is_empty() {
        say(format!("warning: thresholds of their own keep: {}", plain(&own.join(", "))));
    }
    if figure("automatic.precision_low").is_some_and(|low| tuned.takedown.is_some() && low < args.precision) {
        say("warning: with the thresholds that brands have of their own the promise is not kept");
    }
    if tuned.budget_is_kept && flagged > args.review_budget {
        say("warning: with the thresholds that brands have of their own the budget is not kept");
    }
    if !tuned.budget_is_kept {
        say("warning: rows of the decision table that ask no model already flag more than the budget");
    }
    if tuned.takedown.is_none() {
        say(
            "warning: no threshold keeps the promise with confidence: takedowns stay off. More labels, surer labels or a lower --precision may help",
        );
    }
    let automation = if tuned.takedown.is_some() { "as it was" } else { "off" };
    say(format!("{}; automation is {automation}", args.out.display()));
    Ok(End::Done)
}

/// What the file says of itself.
fn head(args: &TuneArgs, flagged: f64, report: &BTreeMap<String, f64>, n: usize) -> String {
    let figure = |name: &str| report.get(name).copied();
    let takedown = match (figure("automatic.n"), figure("automatic.precision")) {
        (Some(n_taken), Some(precision)) => {
            format!(
                "{n_taken:.0} would be taken down, {:.2} % of them rightly by their labels.",
                100.0 * precision
            )
        }
        _ => "no takedown keeps the promise.".to_owned(),
    };
    format!(
        "# Thresholds chosen by `touchstone policy tune` for a review budget of {} and a precision of {}.\n\
         # On the {n} labelled listings that they were chosen on, {:.3} % would be flagged; {takedown}\n\
         # Takedowns are proposed only with `automation = true`.",
        args.review_budget,
        args.precision,
        100.0 * flagged,
    )
}
