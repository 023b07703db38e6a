//! `touchstone eval listings`: verdicts held against labels, for a person, a program or a manager.

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use touchstone_eval::{ListingsReport, Stage, html, set_name};
use touchstone_kafka::Settings;
use touchstone_text::Lexicon;
use touchstone_types::Versions;

use super::{EvalArgs, Without};
use crate::fault::{OrBadInput as _, Outcome};
use crate::labelled::{Labelled, n_threads};
use crate::setup::{check_budget, check_writable, load_context};
use crate::terminal::say;

/// Judges the folder; with `--html` writes the page.
pub(super) fn eval_listings(
    args: &EvalArgs,
    settings: &Settings,
    lexicon: &Arc<Lexicon>,
) -> Outcome<(ListingsReport, Versions)> {
    check_budget(args.budget)?;
    args.html.as_deref().map(check_writable).transpose()?;
    let (labelled, snapshot) = Labelled::open(&args.dir, lexicon)?;
    let context = load_context(settings, args.model.as_deref(), snapshot, lexicon)?;
    let (context, without) = match args.without {
        None => (context, None),
        Some(Without::Text) => (context, Some(Stage::Text)),
        Some(Without::Image) => (context, Some(Stage::Image)),
        Some(Without::Classifier) => (context.without_classifier(), None),
    };
    let from = args.from_week.unwrap_or(0);
    let earlier = labelled.judge(&context, without, |label| label.week < from);
    let started = Instant::now();
    let rows = labelled.judge(&context, without, |label| label.week >= from);
    let seconds = started.elapsed().as_secs_f64();
    if rows.is_empty() {
        let week = args.from_week.map_or_else(String::new, |week| format!(" of week {week} or later"));
        return Err(anyhow!("{} has no listing{week} with a label", args.dir.display())).or_bad_input();
    }
    let on = args.from_week.map_or_else(|| "all weeks".to_owned(), |week| format!("weeks from {week}"));
    let mut report = ListingsReport::new(&set_name(&args.dir), &on, &rows, &earlier, args.budget);
    report.form.metrics.insert("listings_per_s".to_owned(), rows.len() as f64 / seconds.max(1e-9));
    let n_judged = earlier.len() + rows.len();
    for (n, what) in [
        (labelled.listings.len() - n_judged, "listings have no label"),
        (labelled.labels.len() - n_judged, "labels name no listing"),
    ] {
        if n > 0 {
            report.form.warnings.push(format!("{n} {what} and are left out"));
        }
    }
    say(format!("{} listings judged on {} threads in {seconds:.1} s", rows.len(), n_threads()));
    let versions = context.versions().clone();
    if let Some(path) = &args.html {
        let page = html(&report, &shown(&versions, args.without));
        fs::write(path, page).with_context(|| format!("cannot write {}", path.display())).or_bad_input()?;
        say(format!("the page is {}", path.display()));
    }
    Ok((report, versions))
}

fn shown(versions: &Versions, without: Option<Without>) -> String {
    let model = versions.model.as_deref().unwrap_or("none");
    let without = without.map_or_else(String::new, |stage| format!(", without {stage}"));
    format!("engine {}, model {model}, policy {}{without}", versions.engine, versions.policy)
}
