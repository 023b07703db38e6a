//! `touchstone train`: a model from labelled listings, pairs and photos, with its card.

mod card;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::Args;
use touchstone_catalog::Snapshot;
use touchstone_classifier::{Bundle, Dataset, Metrics, ModelKind, TrainSettings, TrainingReport, train};
use touchstone_eval::{
    MarketSettings, Retouch, read_training_pairs, set_name, simulate, training_photos, training_table,
    write_table,
};
use touchstone_image_hash::{DecodeLimits, PhotoScore};
use touchstone_pipeline::{
    Context, PairMatcher, PairTraining, PhotoTraining, Policy, Shows, feature_names, read_photo_score,
    train_photo_score, write_photo_score,
};
use touchstone_text::Lexicon;
use touchstone_types::{ListingImage, ReferenceImage};

use crate::assets;
use crate::fault::{End, OrBadInput as _, Outcome};
use crate::labelled::Labelled;
use crate::pictures::Pictures;
use crate::setup::{MAX_MODEL_BYTES, check_writable, load_catalog, read};
use crate::terminal::{say, table};

/// Listings of the market that is invented where no data is given.
const N_INVENTED: usize = 40_000;

/// Train a model on labelled listings, pairs and photos
///
/// A model is a bundle of parts: those that data is given for are trained, the others kept from --model. A classifier learns from product matches as
/// the bundle's pair matcher weighs them, and from photo matches as its photo score tells them, so train these first, or all at once. Without any data the classifier learns from a market invented
/// around the demo's catalog.
#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// Folders in the `listings` form: catalog.jsonl, listings.jsonl, labels.csv. Where labels.csv has a column `selection_probability`, as
    /// `export labels` writes it, rows weigh its inverse, at most 20
    #[arg(long, value_name = "DIR", num_args = 1..)]
    listings: Vec<PathBuf>,
    /// Folders in the `pairs` form: train.jsonl, valid.jsonl; all together make one pair matcher
    #[arg(long, value_name = "DIR", num_args = 1..)]
    pairs: Vec<PathBuf>,
    /// Folders in the `photos` form: references/*, queries.csv; all together make one photo score
    #[arg(long, value_name = "DIR", num_args = 1..)]
    photos: Vec<PathBuf>,
    /// Leave later weeks out
    #[arg(long, value_name = "N")]
    to_week: Option<u32>,
    /// The seed of the folds, and of the invented market
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write the rows that the classifier learns from as a folder of the `tables` form, for `eval tables` and other programs
    #[arg(long, value_name = "DIR")]
    table: Option<PathBuf>,
    /// A model whose other parts are kept; without it those of the compiled-in one
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The model file; its card is written beside it, with the ending .md
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(args: &TrainArgs) -> Outcome {
    let card = args.out.with_extension("md");
    if card == args.out {
        return Err(anyhow!("--out {} is where the card goes; name the model .json", card.display()))
            .or_bad_input();
    }
    check_writable(&args.out)?;
    check_writable(&card)?;
    let (mut bundle, old_card) = match &args.model {
        // A model without a card is as good as any.
        Some(path) => (
            Bundle::from_bytes(&read(path, MAX_MODEL_BYTES)?).or_bad_input()?,
            fs::read_to_string(path.with_extension("md")).unwrap_or_default(),
        ),
        None => (Bundle::from_bytes(assets::MODEL)?, assets::MODEL_CARD.to_owned()),
    };
    let old_card = card::sections(&bundle, &old_card);
    let mut trained = card::Trained::default();
    let mut rows = table(&["held out", "ROC-AUC", "PR-AUC", "log loss", "calibration error", "F1"], 1);
    // The classifier last: it learns from the product and photo matches that it will be shown.
    if !args.pairs.is_empty() {
        let (report, sources) = train_matcher(args, &mut bundle)?;
        rows.add_row(figures(format!("{} pairs", report.n_pairs), &report.out_of_fold, Some(report.f1)));
        trained.matcher = Some((report, sources));
    }
    if !args.photos.is_empty() {
        let (score, report, sources) = train_score(args)?;
        write_photo_score(&score, &report, &mut bundle);
        rows.add_row(figures(format!("{} photos", report.n_photos), &report.out_of_fold, None));
        trained.photo_score = Some((score, report, sources));
    }
    if !args.listings.is_empty() || (args.pairs.is_empty() && args.photos.is_empty()) {
        let (report, sources) = train_classifier(args, &mut bundle)?;
        rows.add_row(figures(format!("{} listings", report.n_rows), &report.out_of_fold, None));
        trained.classifier = Some((report, sources));
    }
    write(&args.out, &bundle.to_bytes())?;
    write(&card, card::card(&bundle, &trained, &old_card).as_bytes())?;
    say(rows.trim_fmt());
    say(format!("{} ({}), card {}", args.out.display(), bundle.id(), card.display()));
    Ok(End::Done)
}

fn figures(name: String, metrics: &Metrics, f1: Option<f64>) -> Vec<String> {
    let held_out = [metrics.roc_auc, metrics.pr_auc, metrics.log_loss, metrics.calibration_error];
    let f1 = f1.map_or_else(String::new, |f1| format!("{f1:.4}"));
    std::iter::once(name).chain(held_out.map(|f| format!("{f:.4}"))).chain([f1]).collect()
}

/// The parts of a bundle that the classifier's features are computed with.
struct Parts {
    matcher: Option<Arc<PairMatcher>>,
    photo_score: PhotoScore,
}

fn train_classifier(args: &TrainArgs, bundle: &mut Bundle) -> Outcome<(TrainingReport, Vec<String>)> {
    let parts = Parts {
        matcher: PairMatcher::from_bundle(bundle).or_bad_input()?.map(Arc::new),
        photo_score: read_photo_score(bundle).or_bad_input()?.unwrap_or_default(),
    };
    let mut data = Dataset::new(feature_names());
    let mut sources = Vec::new();
    if args.listings.is_empty() {
        data = invented(args, &parts)?;
        sources.push(format!("an invented market of {N_INVENTED} listings, seed {}", args.seed));
    }
    for folder in &args.listings {
        let table = labelled(folder, args.to_week, &parts)?;
        sources.push(format!("{} listings of {}", table.n_rows(), set_name(folder)));
        append(&mut data, &table)?;
    }
    if data.n_positive() == 0 || data.n_positive() == data.n_rows() {
        let error = anyhow!(
            "{} of {} listings are positive: both labels are needed",
            data.n_positive(),
            data.n_rows()
        );
        return Err(error).or_bad_input();
    }
    if let Some(n) = data.effective_rows() {
        say(format!(
            "{} listings, weighed by how probable their rulings were, say as much as {n:.0}",
            data.n_rows()
        ));
    }
    if let Some(folder) = &args.table {
        write_table(&data, folder).or_bad_input()?;
        if data.weights().is_some() {
            say(
                "warning: the form of --table has no place for weights: who trains on it learns from rows that all weigh the same",
            );
        }
    }
    let settings = TrainSettings { seed: args.seed, kinds: ModelKind::ALL, ..TrainSettings::default() };
    let (classifier, report) = train(&data, &settings).or_bad_input()?;
    bundle.set_classifier(&classifier);
    Ok((report, sources))
}

/// Adds the rows of a table, with their weights where it has some.
fn append(data: &mut Dataset, table: &Dataset) -> Outcome<()> {
    for (idx, row) in table.rows().enumerate() {
        let (label, group) = (table.labels()[idx], table.groups()[idx].as_deref());
        match table.weights() {
            None => data.push(row, label, group)?,
            Some(weights) => data.push_weighted(row, label, group, weights[idx])?,
        }
    }
    Ok(())
}

fn train_matcher(args: &TrainArgs, bundle: &mut Bundle) -> Outcome<(PairTraining, Vec<String>)> {
    let mut pairs = Vec::new();
    let mut sources = Vec::new();
    for folder in &args.pairs {
        let own = read_training_pairs(folder).or_bad_input()?;
        sources.push(format!("{} pairs of {}", own.len(), set_name(folder)));
        pairs.extend(own);
    }
    let (matcher, report) = PairMatcher::train(&pairs, args.seed).or_bad_input()?;
    matcher.write(bundle);
    Ok((report, sources))
}

fn train_score(args: &TrainArgs) -> Outcome<(PhotoScore, PhotoTraining, Vec<String>)> {
    let mut photos = Vec::new();
    let mut sources = Vec::new();
    for folder in &args.photos {
        let own = training_photos(folder).or_bad_input()?;
        let n_queries = own.iter().filter(|photo| photo.shows != Shows::Uncounted).count();
        sources.push(format!(
            "{n_queries} photos and {} references of {}",
            own.len() - n_queries,
            set_name(folder)
        ));
        photos.extend(own);
    }
    let (score, report) = train_photo_score(&photos, args.seed).or_bad_input()?;
    Ok((score, report, sources))
}

fn write(path: &Path, bytes: &[u8]) -> Outcome<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display())).or_bad_input()
}

/// The table of a market around the demo's catalog, with its pictures.
fn invented(args: &TrainArgs, parts: &Parts) -> Outcome<Dataset> {
    let mut catalog = load_catalog(&[])?;
    let records: Vec<_> = catalog.records().cloned().collect();
    let settings = MarketSettings { seed: args.seed, n_listings: N_INVENTED, ..MarketSettings::default() };
    let limits = DecodeLimits::default();
    let show = |image: &ReferenceImage, retouch: Retouch| {
        let url = image.url.clone()?;
        if retouch == Retouch::None {
            return Some(ListingImage { url: Some(url), ..ListingImage::default() });
        }
        let bytes = Pictures::Embedded.read(&url, limits.max_bytes).ok()?;
        Some(ListingImage { data: Some(retouch.apply(&bytes)?), ..ListingImage::default() })
    };
    let market = simulate(&records, &settings, Some(&show))?;
    for record in market.catalog {
        catalog.insert(record);
    }
    let lexicon = Arc::new(Lexicon::builtin());
    let labelled = Labelled::invented(market.listings, market.labels);
    features_of(&labelled, catalog.snapshot(&lexicon), &lexicon, args.to_week, parts)
}

fn labelled(folder: &Path, to_week: Option<u32>, parts: &Parts) -> Outcome<Dataset> {
    let lexicon = Arc::new(Lexicon::builtin());
    let (labelled, snapshot) = Labelled::open(folder, &lexicon)?;
    features_of(&labelled, snapshot, &lexicon, to_week, parts)
}

/// The features are computed with all that the verdict will be, but for the classifier.
fn features_of(
    labelled: &Labelled,
    snapshot: Snapshot,
    lexicon: &Lexicon,
    to_week: Option<u32>,
    parts: &Parts,
) -> Outcome<Dataset> {
    let context = Context::new(Arc::new(snapshot), lexicon, None, Arc::new(Policy::builtin()))
        .with_photo_score(parts.photo_score.clone());
    let context = match &parts.matcher {
        Some(matcher) => context.with_pair_matcher(Arc::clone(matcher)),
        None => context,
    };
    let rows = labelled.judge(&context, None, |label| to_week.is_none_or(|last| label.week <= last));
    Ok(training_table(&rows)?)
}
