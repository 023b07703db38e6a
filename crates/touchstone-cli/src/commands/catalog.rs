//! `touchstone catalog`: checking feeds, compiling them, and sending them to the topic.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde_json::json;
use touchstone_kafka::{Sender, read_topic};
use touchstone_types::{CatalogKey, CatalogRecord, PhotoFeatures};

use crate::brokers::BrokerArgs;
use crate::compiled;
use crate::fault::{End, OrBadInput as _, Outcome};
use crate::setup::{CheckedFeeds, check_feeds, load_catalog, load_lexicon, load_settings};
use crate::terminal::{print, say, table};

/// Check catalog feeds, compile them, send them to the catalog topic, or take records back
#[derive(Debug, Args)]
pub(crate) struct CatalogArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say what is wrong, line by line; exit status 2 if a line cannot be used
    Check {
        /// Feeds, JSON Lines; pictures are read relative to each file
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The counts as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Put feeds and their indexes into one file, which then opens at once however large the catalog is
    Compile {
        /// Feeds, JSON Lines; pictures are read relative to each file
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The compiled catalog, for --catalog
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The worker's settings file: the lexicon is taken from it
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Hash the photos and send every record to the topic; nothing is sent if a line cannot be used
    ///
    /// Of the proposals that `export fakes` writes, those are sent in which `approved_by` is a name; the others are counted and left out.
    Submit {
        /// Feeds, JSON Lines; pictures are read relative to each file
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        brokers: BrokerArgs,
    },
    /// Take records back by their keys; open flags that stand on them are judged again
    Withdraw {
        /// `brand/BRAND`, `product/BRAND/PRODUCT`, `fake/BRAND/ID` or `benign/ID`; a brand takes its products along
        #[arg(required = true, value_name = "KEY", value_parser = key)]
        keys: Vec<CatalogKey>,
        #[command(flatten)]
        brokers: BrokerArgs,
    },
}

fn key(text: &str) -> Result<CatalogKey, String> {
    let forms = "a key is brand/BRAND, product/BRAND/PRODUCT, fake/BRAND/ID or benign/ID";
    CatalogKey::parse(text).ok_or_else(|| forms.to_owned())
}

pub(crate) fn run(args: &CatalogArgs) -> Outcome {
    match &args.action {
        Action::Check { files, json } => check(files, *json),
        Action::Compile { files, out, config } => compile(files, out, config.as_deref()),
        Action::Submit { files, brokers } => submit(files, brokers),
        Action::Withdraw { keys, brokers } => withdraw(keys, brokers),
    }
}

fn compile(files: &[PathBuf], out: &Path, config: Option<&Path>) -> Outcome {
    compiled::check_target(out, files)?;
    let lexicon = Arc::new(load_lexicon(&load_settings(config)?)?);
    let snapshot = load_catalog(files)?.snapshot(&lexicon);
    let bytes = snapshot.to_bytes();
    compiled::write(out, &bytes)?;
    let (n, bytes) = (snapshot.n_records(), bytes.len());
    say(format!("{}: {n} records, {bytes} bytes, catalog {}", out.display(), snapshot.digest()));
    Ok(End::Done)
}

fn check(files: &[PathBuf], json: bool) -> Outcome {
    let mut checked = check_feeds(files)?;
    checked.feed.check_photos();
    checked.report();
    let counts = Counts::of(&checked);
    if json {
        print(counts.json(&checked).to_string())?;
    } else {
        print(counts.table())?;
    }
    Ok(if checked.feed.n_errors() == 0 { End::Done } else { End::BadInput })
}

fn submit(files: &[PathBuf], brokers: &BrokerArgs) -> Outcome {
    let settings = brokers.settings()?;
    let mut checked = check_feeds(files)?;
    checked.feed.check_photos();
    checked.report();
    let n_errors = checked.feed.n_errors();
    if n_errors > 0 {
        return Err(anyhow!("{n_errors} bad lines: nothing was sent")).or_bad_input();
    }
    let n = touchstone_kafka::submit_catalog(&settings, checked.feed.catalog.records())?;
    say(format!("{n} records sent to {}", settings.topics.catalog));
    Ok(End::Done)
}

fn withdraw(keys: &[CatalogKey], brokers: &BrokerArgs) -> Outcome {
    let settings = brokers.settings()?;
    let topic = &settings.topics.catalog;
    let mut unknown: BTreeSet<String> = keys.iter().map(CatalogKey::to_string).collect();
    let wanted = unknown.clone();
    read_topic(&settings, topic, |record| {
        let key = record.key.and_then(|key| String::from_utf8(key).ok());
        let Some(key) = key.filter(|key| wanted.contains(key)) else { return };
        match record.value {
            Some(_) => unknown.remove(&key),
            None => unknown.insert(key),
        };
    })?;
    if !unknown.is_empty() {
        let unknown: Vec<String> = unknown.into_iter().collect();
        return Err(anyhow!("{topic} has no {}: nothing was withdrawn", unknown.join(", no ")))
            .or_bad_input();
    }
    let mut sender = Sender::new(&settings)?;
    for key in keys {
        sender.catalog(key, None)?;
    }
    sender.finish()?;
    for key in keys {
        say(format!("{key} withdrawn from {topic}"));
    }
    Ok(End::Done)
}

/// What a feed holds.
#[derive(Default)]
struct Counts {
    brands: usize,
    products: usize,
    fakes: usize,
    benign: usize,
    photos: usize,
    searchable: usize,
    /// Of these, the ones without what finds altered copies.
    hash_only: usize,
}

impl Counts {
    fn of(checked: &CheckedFeeds) -> Self {
        let mut counts = Self::default();
        for record in checked.feed.catalog.records() {
            match record {
                CatalogRecord::Brand(_) => counts.brands += 1,
                CatalogRecord::Product(_) => counts.products += 1,
                CatalogRecord::Fake(_) => counts.fakes += 1,
                CatalogRecord::Benign(_) => counts.benign += 1,
            }
            counts.photos += record.images().len();
            let features = || record.images().iter().filter_map(|image| image.features.as_ref());
            let known = || features().filter(|features| features.version == PhotoFeatures::VERSION);
            counts.searchable += known().count();
            counts.hash_only += known().filter(|features| features.detail.is_none()).count();
        }
        counts
    }

    fn json(&self, checked: &CheckedFeeds) -> serde_json::Value {
        let n_errors = checked.feed.n_errors();
        json!({
            "brands": self.brands, "products": self.products, "fakes": self.fakes, "benign": self.benign,
            "photos": self.photos, "searchable_photos": self.searchable, "hash_only_photos": self.hash_only,
            "proposals": checked.feed.n_proposals, "approved": checked.feed.n_approved, "errors": n_errors,
            "warnings": checked.feed.problems.len() - n_errors + checked.picture_problems.len(),
        })
    }

    fn table(&self) -> String {
        let head = ["brands", "products", "known fakes", "benign", "photos", "searchable", "by hash alone"];
        let mut rows = table(&head, 0);
        let photos = [self.photos, self.searchable, self.hash_only];
        let counts = [self.brands, self.products, self.fakes, self.benign].into_iter().chain(photos);
        rows.add_row(counts.map(|n: usize| n.to_string()));
        rows.trim_fmt()
    }
}
