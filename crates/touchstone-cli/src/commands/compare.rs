//! `touchstone compare`: two models or settings on the same listings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;
use touchstone_eval::{Comparison, Flip, JudgedRow, ListingsReport, compare};
use touchstone_kafka::Settings;
use touchstone_types::{Reason, Versions, round6};

use crate::fault::{End, OrBadInput as _, Outcome};
use crate::labelled::Labelled;
use crate::setup::{check_budget, load_context, load_lexicon, load_settings};
use crate::terminal::{plain, print, say, table};

/// The figures that are put beside each other.
const FIGURES: [&str; 8] = [
    "pr_auc",
    "precision_at_budget",
    "recall_at_precision_90",
    "calibration_error",
    "log_loss",
    "recall",
    "false_flag_rate",
    "automatic.recall",
];

/// Judge labelled listings with two models or settings, and show what flips
///
/// OLD and NEW are each a model file (.json) or a worker's settings file (.toml), which names a policy as `[policy] path`; what they do
/// not name is compiled in.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// A model (.json) or a settings file (.toml)
    old: PathBuf,
    /// Another one
    new: PathBuf,
    /// A folder in the `listings` form
    dir: PathBuf,
    /// Only listings of this week or later
    #[arg(long, value_name = "N")]
    from_week: Option<u32>,
    /// How many examples of each kind of flip are shown
    #[arg(long, value_name = "N", default_value_t = 3)]
    examples: usize,
    /// The share of the listings that reviewers can look at
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    budget: f64,
    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &CompareArgs) -> Outcome {
    check_budget(args.budget)?;
    let (old, old_versions) = judged(&args.old, args)?;
    let (new, new_versions) = judged(&args.new, args)?;
    let found = compare(&old, &new);
    let figures = [&old, &new].map(|rows| {
        let metrics = ListingsReport::new("", "", rows, &[], args.budget).form.metrics;
        FIGURES.iter().filter_map(|name| Some((*name, *metrics.get(*name)?))).collect::<BTreeMap<&str, f64>>()
    });
    if args.json {
        print(json_of(&found, &figures, [&old_versions, &new_versions], args.examples).to_string())?;
    } else {
        show(&found, &figures, args.examples)?;
        let model = |versions: &Versions| versions.model.clone().unwrap_or_else(|| "none".to_owned());
        say(format!(
            "old: model {}, policy {}; new: model {}, policy {}",
            model(&old_versions),
            old_versions.policy,
            model(&new_versions),
            new_versions.policy
        ));
    }
    Ok(End::Done)
}

/// The rows of the folder as one side judges them.
fn judged(side: &Path, args: &CompareArgs) -> Outcome<(Vec<JudgedRow>, Versions)> {
    let is_settings = side.extension().is_some_and(|ending| ending == "toml");
    let settings = if is_settings { load_settings(Some(side))? } else { Settings::default() };
    let lexicon = Arc::new(load_lexicon(&settings)?);
    let (labelled, snapshot) = Labelled::open(&args.dir, &lexicon)?;
    let model = (!is_settings).then_some(side);
    let context = load_context(&settings, model, snapshot, &lexicon)?;
    let from = args.from_week.unwrap_or(0);
    let rows = labelled.judge(&context, None, |label| label.week >= from);
    if rows.is_empty() {
        return Err(anyhow!("{} has no labelled listing of these weeks", args.dir.display())).or_bad_input();
    }
    Ok((rows, context.versions().clone()))
}

fn show(found: &Comparison, figures: &[BTreeMap<&str, f64>; 2], n_examples: usize) -> Outcome<()> {
    let mut rows = table(&["figure", "old", "new"], 1);
    let shown = |value: Option<&f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
    for name in FIGURES {
        let values = [0, 1].map(|side| figures[side].get(name));
        if values.iter().any(Option::is_some) {
            rows.add_row([name.to_owned(), shown(values[0]), shown(values[1])]);
        }
    }
    print(rows.trim_fmt())?;
    let n_flips: usize = found.flips.values().map(Vec::len).sum();
    print(format!(
        "\n{n_flips} of {} listings flip; probabilities differ by at most {:.4}",
        found.n, found.max_difference
    ))?;
    if n_flips == 0 {
        return Ok(());
    }
    let mut rows = table(&["old", "new", "labelled", "listings"], 3);
    for ((old, new, label), flips) in &found.flips {
        rows.add_row([old.to_string(), new.to_string(), word(*label).to_owned(), flips.len().to_string()]);
    }
    print(format!("\n{}", rows.trim_fmt()))?;
    for ((old, new, label), flips) in &found.flips {
        print(format!("\n{old} → {new}, labelled {}:", word(*label)))?;
        for flip in flips.iter().take(n_examples) {
            print(format!("  {}", example(flip)))?;
        }
    }
    Ok(())
}

fn word(label: bool) -> &'static str {
    if label { "counterfeit" } else { "otherwise" }
}

fn example(flip: &Flip) -> String {
    let p = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |p| format!("{p:.3}"));
    let names = |reasons: &[Reason]| reasons.iter().map(|r| r.as_str()).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "{} version {} ({}): {} → {}",
        plain(flip.listing_id.as_str()),
        flip.version,
        plain(&flip.behaviour),
        p(flip.probabilities[0]),
        p(flip.probabilities[1])
    );
    for (what, reasons) in [("no longer", &flip.gone), ("now", &flip.new)] {
        if !reasons.is_empty() {
            text.push_str(&format!("; {what} {}", names(reasons)));
        }
    }
    text
}

fn json_of(
    found: &Comparison,
    figures: &[BTreeMap<&str, f64>; 2],
    versions: [&Versions; 2],
    n_examples: usize,
) -> serde_json::Value {
    let flips: Vec<_> = found
        .flips
        .iter()
        .map(|((old, new, label), flips)| {
            let examples: Vec<_> = flips
                .iter()
                .take(n_examples)
                .map(|flip| json!({"listing_id": flip.listing_id.as_str(), "version": flip.version, "behaviour": flip.behaviour}))
                .collect();
            json!({"old": old.to_string(), "new": new.to_string(), "label": u8::from(*label), "n": flips.len(), "examples": examples})
        })
        .collect();
    let side = |idx: usize| {
        let metrics: BTreeMap<&str, f64> = figures[idx].iter().map(|(k, v)| (*k, round6(*v))).collect();
        json!({"metrics": metrics, "model": versions[idx].model, "policy": versions[idx].policy})
    };
    json!({"n": found.n, "max_difference": round6(found.max_difference), "flips": flips, "old": side(0), "new": side(1)})
}
