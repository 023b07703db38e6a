//! `touchstone train`: a model from labelled listings, with its card.

mod card;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::Args;
use touchstone_catalog::Catalog;
use touchstone_classifier::{Bundle, Dataset, TrainSettings, train};
use touchstone_eval::{Label, ListingsFolder, MarketSettings, simulate, training_table};
use touchstone_image_hash::{DecodeLimits, photo};
use touchstone_pipeline::{Context, PhotoInput, Policy, feature_names};
use touchstone_text::Lexicon;
use touchstone_types::{Listing, ListingImage, PhotoFailure};

use crate::fault::{End, OrBadInput as _, Outcome};
use crate::pictures::Pictures;
use crate::setup::{MAX_MODEL_BYTES, load_catalog, read};
use crate::terminal::{say, table};

/// Listings of the market that is invented where no data is given.
const N_INVENTED: usize = 40_000;

/// Train a model on labelled listings
///
/// Without --listings it learns from a market invented around the demo's catalog, which is how the model that comes with
/// touchstone was made.
#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// Folders in the `listings` form: catalog.jsonl, listings.jsonl, labels.csv
    #[arg(long, value_name = "DIR", num_args = 1..)]
    listings: Vec<PathBuf>,
    /// Leave later weeks out
    #[arg(long, value_name = "N")]
    to_week: Option<u32>,
    /// The seed of the folds, and of the invented market
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// A model whose other parts are kept
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The model file; its card is written beside it, with the ending .md
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(args: &TrainArgs) -> Outcome {
    let card = args.out.with_extension("md");
    check_writable(&args.out)?;
    check_writable(&card)?;
    let mut bundle = match &args.model {
        Some(path) => Bundle::from_bytes(&read(path, MAX_MODEL_BYTES)?).or_bad_input()?,
        None => Bundle::new(),
    };
    let mut data = Dataset::new(feature_names());
    let mut sources = Vec::new();
    if args.listings.is_empty() {
        data = invented(args)?;
        sources.push(format!("an invented market of {N_INVENTED} listings, seed {}", args.seed));
    }
    for folder in &args.listings {
        let table = labelled(folder, args.to_week)?;
        sources.push(format!("{} listings of {}", table.n_rows(), folder.display()));
        for (idx, row) in table.rows().enumerate() {
            data.push(row, table.labels()[idx], table.groups()[idx].as_deref())?;
        }
    }
    if data.n_positive() == 0 || data.n_positive() == data.n_rows() {
        let error = anyhow!(
            "{} of {} listings are positive: both labels are needed",
            data.n_positive(),
            data.n_rows()
        );
        return Err(error).or_bad_input();
    }
    let settings = TrainSettings { seed: args.seed, ..TrainSettings::default() };
    let (classifier, report) = train(&data, &settings).or_bad_input()?;
    bundle.set_classifier(&classifier);
    write(&args.out, &bundle.to_bytes())?;
    write(&card, card::card(&bundle, &report, &sources).as_bytes())?;

    let mut rows = table(&["held out", "ROC-AUC", "PR-AUC", "log loss", "calibration error"], 1);
    let metrics = &report.out_of_fold;
    let figures = [metrics.roc_auc, metrics.pr_auc, metrics.log_loss, metrics.calibration_error];
    rows.add_row(
        std::iter::once(format!("{} listings", report.n_rows)).chain(figures.map(|f| format!("{f:.4}"))),
    );
    say(rows.trim_fmt());
    say(format!("{} ({}), card {}", args.out.display(), bundle.id(), card.display()));
    Ok(End::Done)
}

/// Finds out before the long work whether its result can be written; what is there stays as it is.
fn check_writable(path: &Path) -> Outcome<()> {
    let existed = path.exists();
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))
        .or_bad_input()?;
    if !existed {
        fs::remove_file(path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Outcome<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display())).or_bad_input()
}

/// The table of a market around the demo's catalog, with its pictures.
fn invented(args: &TrainArgs) -> Outcome<Dataset> {
    let catalog = load_catalog(&[])?;
    let records: Vec<_> = catalog.records().cloned().collect();
    let settings = MarketSettings { seed: args.seed, n_listings: N_INVENTED, ..MarketSettings::default() };
    let show = |image: &touchstone_types::ReferenceImage| {
        image.url.clone().map(|url| ListingImage { url: Some(url), ..ListingImage::default() })
    };
    let market = simulate(&records, &settings, Some(&show))?;
    features_of(&catalog, &market.listings, &market.labels, args.to_week, Pictures::Embedded)
}

fn labelled(folder: &Path, to_week: Option<u32>) -> Outcome<Dataset> {
    let files = ListingsFolder::read(folder).or_bad_input()?;
    // Read again as a feed, so that photos get their features.
    let catalog = load_catalog(&[folder.join("catalog.jsonl")])?;
    features_of(&catalog, &files.listings, &files.labels, to_week, Pictures::Below(folder.to_owned()))
}

fn features_of(
    catalog: &Catalog,
    listings: &[Listing],
    labels: &[Label],
    to_week: Option<u32>,
    pictures: Pictures,
) -> Outcome<Dataset> {
    let lexicon = Arc::new(Lexicon::builtin());
    let snapshot = Arc::new(catalog.snapshot(&lexicon));
    let context = Context::new(snapshot, &lexicon, None, Arc::new(Policy::builtin()));
    let album = Album { pictures, seen: RefCell::default() };
    Ok(training_table(listings, labels, to_week, &|listing| album.photos(listing), &context)?)
}

/// The photos of listings, each file decoded once.
struct Album {
    pictures: Pictures,
    seen: RefCell<BTreeMap<String, PhotoInput>>,
}

impl Album {
    fn photos(&self, listing: &Listing) -> Vec<PhotoInput> {
        listing.images.iter().map(|image| self.photo(image)).collect()
    }

    fn photo(&self, image: &ListingImage) -> PhotoInput {
        let limits = DecodeLimits::default();
        let decode = |bytes: &[u8]| photo(bytes, &limits).map_err(|error| error.failure());
        if let Some(bytes) = &image.data {
            return decode(bytes);
        }
        let url = image.url.as_ref().ok_or(PhotoFailure::NotFetched)?;
        let mut seen = self.seen.borrow_mut();
        let load = || self.pictures.read(url, limits.max_bytes).and_then(|bytes| decode(&bytes));
        *seen.entry(url.clone()).or_insert_with(load)
    }
}
