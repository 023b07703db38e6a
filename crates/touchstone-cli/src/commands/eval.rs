//! `touchstone eval`: how good it is on a folder of labelled data.

mod listings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use serde_json::json;
use touchstone_classifier::Bundle;
use touchstone_eval::{
    FormReport, eval_brands, eval_pairs, eval_pairs_with, eval_photos, eval_search, eval_search_in,
    eval_tables,
};
use touchstone_pipeline::{PairMatcher, read_photo_score};
use touchstone_text::Lexicon;
use touchstone_types::round6;

use crate::assets;
use crate::compiled;
use crate::fault::{End, OrBadInput as _, Outcome};
use crate::setup::{MAX_MODEL_BYTES, load_lexicon, load_settings, read};
use crate::terminal::{plain, print, say, table};

/// Measure how good and how fast it is on a folder of labelled data
#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// What the folder holds
    form: Form,
    /// The folder
    dir: PathBuf,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// The seed of what is drawn: folds, and the learning within them
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The model file; its pair matcher then judges pairs as it is, in place of one that learns from the folder, and its photo score photos
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The worker's settings file: the lexicon is taken from it, for listings the policy too
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Listings: write a page with plots
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Listings: judge those of this week or later; the earlier ones are what drift is measured against
    #[arg(long, value_name = "N")]
    from_week: Option<u32>,
    /// Listings: the share of them that reviewers can look at
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    budget: f64,
    /// Listings: do without a stage, to see what it is worth
    #[arg(long, value_name = "STAGE")]
    without: Option<Without>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Without {
    /// As if listings had no text
    Text,
    /// As if they had no pictures
    Image,
    /// By the decision table alone
    Classifier,
}

impl std::fmt::Display for Without {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Classifier => "classifier",
        })
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// catalog.jsonl, cases.jsonl: titles that name a brand, openly or in disguise, or none
    Brands,
    /// catalog.jsonl, queries.jsonl: titles and the product that each is about; the catalog may be a compiled one, catalog.tsc
    Search,
    /// train.jsonl, valid.jsonl, test.jsonl: pairs of records that are about one product, or not
    Pairs,
    /// references/*, queries.csv: photos and the reference that each was made of, if any
    Photos,
    /// train.csv, test.csv: rows of numbers with a label, on which the classifier is trained and judged
    Tables,
    /// catalog.jsonl, listings.jsonl, labels.csv: listings that are judged as the stream would judge them
    Listings,
}

pub(crate) fn run(args: &EvalArgs) -> Outcome {
    let settings = load_settings(args.config.as_deref())?;
    let lexicon = Arc::new(load_lexicon(&settings)?);
    if !args.dir.is_dir() {
        return Err(anyhow!("{} is not a folder", args.dir.display())).or_bad_input();
    }
    if !matches!(args.form, Form::Listings) {
        let given = [
            ("--html", args.html.is_some()),
            ("--from-week", args.from_week.is_some()),
            ("--without", args.without.is_some()),
        ];
        if let Some((name, _)) = given.iter().find(|(_, is_given)| *is_given) {
            return Err(anyhow!("{name} is for `eval listings` alone")).or_bad_input();
        }
    }
    // A model is read even where the form needs none, so that a wrong file is told; it is named only where it took part.
    // The model of a settings file is that of the worker: it would quietly replace the learning that `pairs` measures.
    let model = args.model.as_deref().map(load_model).transpose()?;
    let mut policy = None;
    let (report, model) = match args.form {
        Form::Listings => {
            let (report, versions) = listings::eval_listings(args, &settings, &lexicon)?;
            policy = Some(versions.policy);
            (report.form, versions.model)
        }
        Form::Brands => (eval_brands(&args.dir, &lexicon).or_bad_input()?, None),
        Form::Search => (search(&args.dir, &lexicon)?, None),
        Form::Pairs => match model {
            Some((path, bundle)) => (with_matcher(&args.dir, path, &bundle)?, Some(bundle.id())),
            None => (eval_pairs(&args.dir, args.seed).or_bad_input()?, None),
        },
        Form::Tables => (eval_tables(&args.dir, args.seed).or_bad_input()?, None),
        Form::Photos => {
            let bundle = match model {
                Some((_, bundle)) => bundle,
                None => Bundle::from_bytes(assets::MODEL)?,
            };
            // Without the part photos are scored as they are in a verdict made with such a model.
            let score = read_photo_score(&bundle).or_bad_input()?.unwrap_or_default();
            (eval_photos(&args.dir, &score).or_bad_input()?, Some(bundle.id()))
        }
    };
    for warning in &report.warnings {
        say(plain(&format!("warning: {warning}")));
    }
    if args.json {
        let mut versions = json!({"engine": env!("CARGO_PKG_VERSION"), "lexicon": lexicon.id()});
        if let Some(model) = model {
            versions["model"] = model.into();
        }
        if let Some(policy) = policy {
            versions["policy"] = policy.into();
        }
        let metrics: BTreeMap<&str, f64> =
            report.metrics.iter().map(|(name, &value)| (name.as_str(), round6(value))).collect();
        let (form, set, on) = (report.form, &report.set, &report.on);
        let mut line = json!({"form": form, "set": set, "on": on, "metrics": metrics, "versions": versions});
        if !report.words.is_empty() {
            line["words"] = json!(report.words);
        }
        print(line.to_string())?;
    } else {
        print(shown(&report))?;
        let lexicon: String = lexicon.id().chars().take(12).collect();
        let model = model.map_or_else(String::new, |id| format!(", model {id}"));
        say(format!("engine {}, lexicon {lexicon}{model}", env!("CARGO_PKG_VERSION")));
    }
    Ok(End::Done)
}

/// A compiled catalog is mapped and stays on disk; a feed is read and built.
fn search(dir: &Path, lexicon: &Arc<Lexicon>) -> Outcome<FormReport> {
    let compiled = dir.join("catalog.tsc");
    if !compiled.exists() {
        return eval_search(dir, lexicon).or_bad_input();
    }
    if dir.join("catalog.jsonl").exists() {
        say("catalog.tsc is searched, catalog.jsonl beside it is not read");
    }
    eval_search_in(dir, &compiled::open(&compiled, lexicon)?).or_bad_input()
}

fn load_model(path: &Path) -> Outcome<(&Path, Bundle)> {
    let bundle = Bundle::from_bytes(&read(path, MAX_MODEL_BYTES)?);
    Ok((path, bundle.with_context(|| format!("cannot use the model {}", path.display())).or_bad_input()?))
}

/// Judges with the matcher of a model file, which learns nothing here.
fn with_matcher(folder: &Path, path: &Path, bundle: &Bundle) -> Outcome<FormReport> {
    let matcher = PairMatcher::from_bundle(bundle).or_bad_input()?;
    let matcher = matcher
        .with_context(|| {
            format!("{} has no pair matcher; `touchstone train --pairs` makes one", path.display())
        })
        .or_bad_input()?;
    eval_pairs_with(folder, &matcher).or_bad_input()
}

fn shown(report: &FormReport) -> String {
    let head = format!("{} {} ({})", report.form, plain(&report.set), report.on);
    let mut rows = table(&[&head, "value"], 1);
    for (name, &value) in &report.metrics {
        rows.add_row([plain(name), figure(name, value)]);
    }
    for (name, word) in &report.words {
        rows.add_row([plain(name), plain(word)]);
    }
    rows.trim_fmt()
}

/// A share with four decimals, a count or speed with none, a time with three.
fn figure(name: &str, value: f64) -> String {
    match name {
        "listings" | "automatic.n" => format!("{value:.0}"),
        _ if name.ends_with("_per_s") || name.starts_with("bytes_") => format!("{value:.0}"),
        _ if name.starts_with("ms_") => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}
