//! What the commands that judge share: catalog, model, policy, lexicon and limits, from files or compiled in.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::Args;
use touchstone_catalog::{Catalog, Feed, Problem, Snapshot};
use touchstone_image_hash::{DecodeLimits, features};
use touchstone_kafka::Settings;
use touchstone_pipeline::{Context, Model, Policy};
use touchstone_text::Lexicon;
use touchstone_types::{CatalogKey, PhotoFailure};

use crate::assets;
use crate::compiled;
use crate::fault::{OrBadInput as _, Outcome};
use crate::pictures::Pictures;
use crate::terminal::{plain, say};

/// The most that is read of a catalog feed: 4 GiB.
const MAX_FEED_BYTES: u64 = 4 << 30;

/// The most that is read of a model file: 64 MiB.
pub(crate) const MAX_MODEL_BYTES: u64 = 64 << 20;

/// The most that is read of a policy, of a lexicon file or of a file with one listing: 16 MiB.
pub(crate) const MAX_TEXT_BYTES: u64 = 16 << 20;

/// Where the parts of the pipeline come from; without a word the demo's compiled-in ones serve.
#[derive(Debug, Args)]
pub(crate) struct SetupArgs {
    /// Catalog feeds, JSON Lines; pictures are read relative to each file. Or one file made by `catalog compile`
    #[arg(long, value_name = "FILE", num_args = 1.., value_delimiter = None)]
    pub(crate) catalog: Vec<PathBuf>,
    /// The model file
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// The worker's settings file: policy, lexicon, model and limits are taken from it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Everything that judging needs.
pub(crate) struct Setup {
    pub(crate) settings: Settings,
    pub(crate) context: Context,
}

impl SetupArgs {
    /// Reads all files and builds the indexes.
    pub(crate) fn load(&self) -> Outcome<Setup> {
        let settings = load_settings(self.config.as_deref())?;
        let lexicon = Arc::new(load_lexicon(&settings)?);
        let snapshot = self.snapshot(&lexicon)?;
        let context = load_context(&settings, self.model.as_deref(), snapshot, &lexicon)?;
        if context.snapshot().brands().next().is_none() {
            say("warning: the catalog has no live brand: nothing can be found");
        }
        Ok(Setup { settings, context })
    }

    fn snapshot(&self, lexicon: &Arc<Lexicon>) -> Outcome<Snapshot> {
        match self.catalog.as_slice() {
            [path] if compiled::is_compiled(path)? => compiled::open(path, lexicon),
            feeds => Ok(load_catalog(feeds)?.snapshot(lexicon)),
        }
    }
}

/// The settings file, or the defaults.
pub(crate) fn load_settings(path: Option<&Path>) -> Outcome<Settings> {
    let Some(path) = path else { return Ok(Settings::default()) };
    Settings::load(path)
        .with_context(|| format!("cannot use the settings file {}", path.display()))
        .or_bad_input()
}

/// The lexicon that the settings name, or the compiled-in one.
pub(crate) fn load_lexicon(settings: &Settings) -> Outcome<Lexicon> {
    let Some(folder) = &settings.lexicon.path else { return Ok(Lexicon::builtin()) };
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()));
    let mut files = Vec::new();
    for entry in entries.or_bad_input()? {
        let path = entry.or_bad_input()?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push((
                name,
                String::from_utf8(read(&path, MAX_TEXT_BYTES)?)
                    .with_context(|| path.display().to_string())
                    .or_bad_input()?,
            ));
        }
    }
    files.sort();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Lexicon::parse_folder(&folder.display().to_string(), &files).or_bad_input()
}

/// Model and policy over a state of the catalog.
pub(crate) fn load_context(
    settings: &Settings,
    model: Option<&Path>,
    snapshot: Snapshot,
    lexicon: &Lexicon,
) -> Outcome<Context> {
    let policy = match &settings.policy.path {
        Some(path) => {
            let text = String::from_utf8(read(path, MAX_TEXT_BYTES)?)
                .with_context(|| path.display().to_string())
                .or_bad_input()?;
            Policy::parse(&path.display().to_string(), &text).or_bad_input()?
        }
        None => Policy::builtin(),
    };
    let model = match model.or(settings.models.path.as_deref()) {
        Some(path) => Model::from_bytes(&read(path, MAX_MODEL_BYTES)?)
            .with_context(|| format!("cannot use the model {}", path.display()))
            .or_bad_input()?,
        None => Model::from_bytes(assets::MODEL).context("the compiled-in model is broken")?,
    };
    Ok(Context::new(Arc::new(snapshot), lexicon, Some(Arc::new(model)), Arc::new(policy)))
}

/// The records of these feeds with the features of their photos, or the demo's catalog. A feed with errors is refused:
/// judging with half a catalog would clear what the other half would have found.
pub(crate) fn load_catalog(files: &[PathBuf]) -> Outcome<Catalog> {
    if files.is_empty() {
        return Ok(embedded_catalog());
    }
    let checked = check_feeds(files)?;
    checked.report();
    if checked.feed.n_errors() > 0 {
        let n = checked.feed.n_errors();
        return Err(anyhow!("{n} bad catalog lines; `touchstone catalog check` lists them alone"))
            .or_bad_input();
    }
    Ok(checked.feed.catalog)
}

/// What was read from feeds.
pub(crate) struct CheckedFeeds {
    pub(crate) feed: Feed,
    /// Pictures that could not be read.
    pub(crate) picture_problems: Vec<String>,
}

impl CheckedFeeds {
    /// Says what is wrong, line by line, and which records were only proposed.
    pub(crate) fn report(&self) {
        let problems = self.feed.problems.iter().map(Problem::to_string);
        problems.chain(self.picture_problems.iter().cloned()).for_each(|line| say(plain(&line)));
        let Feed { n_proposals, n_approved, .. } = self.feed;
        if n_proposals > 0 {
            let hint = match n_approved == n_proposals {
                true => "",
                false => "; set approved_by to a name in the lines you approve",
            };
            say(format!("{n_approved} of {n_proposals} proposals are approved{hint}"));
        }
    }
}

/// Reads feeds and computes the features of their photos.
pub(crate) fn check_feeds(files: &[PathBuf]) -> Outcome<CheckedFeeds> {
    let mut feed = Feed::default();
    let mut picture_problems = Vec::new();
    for path in files {
        let (name, bytes) = (path.display().to_string(), read(path, MAX_FEED_BYTES)?);
        if Snapshot::is_compiled(&bytes) {
            let error = anyhow!("{name} is a compiled catalog, which stands alone; feeds are needed here");
            return Err(error).or_bad_input();
        }
        feed.read(&name, &bytes);
        // Only photos of this file's own records may be looked for beside it.
        let incomplete = feed.catalog.photos_without_features().map(|(photo, _)| photo.key);
        let keys = incomplete.filter(|key| feed.file_of(key) == Some(&name)).collect();
        picture_problems.extend(complete(&mut feed.catalog, Some(&keys), &Pictures::beside(path)));
    }
    feed.finish();
    Ok(CheckedFeeds { feed, picture_problems })
}

fn embedded_catalog() -> Catalog {
    let mut feed = Feed::default();
    feed.read("catalog.jsonl", assets::CATALOG);
    complete(&mut feed.catalog, None, &Pictures::Embedded);
    feed.catalog
}

/// Computes the features of the photos that can be read here, of these records or of all, and says which could not.
fn complete(catalog: &mut Catalog, only: Option<&BTreeSet<CatalogKey>>, pictures: &Pictures) -> Vec<String> {
    let limits = DecodeLimits::default();
    let photos: Vec<_> = catalog
        .photos_without_features()
        .filter(|(photo, _)| only.is_none_or(|keys| keys.contains(&photo.key)))
        .map(|(photo, url)| (photo, url.to_owned()))
        .collect();
    let mut problems = Vec::new();
    for (photo, url) in photos {
        let found = match pictures.read(&url, limits.max_bytes) {
            Ok(bytes) => features(&bytes, &limits).map_err(|error| error.to_string()),
            Err(PhotoFailure::NotFetched) => Err(format!("no such picture below {}", pictures.place())),
            Err(failure) => Err(failure.describe().trim_end_matches('.').to_owned()),
        };
        match found {
            Ok(features) => catalog.set_features(&photo, features),
            Err(problem) => problems.push(format!("{photo}: {url}: {problem}: the photo cannot be searched")),
        }
    }
    problems
}

/// Reads a file that the user named, of at most `max_bytes` bytes: it may be a device that never ends. A named pipe would be waited for
/// as long as nobody writes, so it is refused; what a shell hands over below `/dev` has a writer.
pub(crate) fn read(path: &Path, max_bytes: u64) -> Outcome<Vec<u8>> {
    let name = || format!("cannot read {}", path.display());
    let is_handed_over = path.starts_with("/dev") || path.starts_with("/proc");
    if !is_handed_over && path.metadata().is_ok_and(|file| file.file_type().is_fifo()) {
        return Err(anyhow!("{} is a pipe; copy it to a file", path.display())).or_bad_input();
    }
    let file = File::open(path).with_context(name).or_bad_input()?;
    let mut bytes = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut bytes).with_context(name).or_bad_input()?;
    if bytes.len() as u64 > max_bytes {
        return Err(anyhow!("{} is longer than the {max_bytes} bytes allowed", path.display()))
            .or_bad_input();
    }
    Ok(bytes)
}

/// Refuses a review budget that is no share of the listings.
pub(crate) fn check_budget(budget: f64) -> Outcome<()> {
    if (0.0..=1.0).contains(&budget) {
        return Ok(());
    }
    Err(anyhow!("--budget {budget} must be a share, 0 to 1")).or_bad_input()
}

/// Finds out before the long work whether its result can be written; what is there stays as it is.
pub(crate) fn check_writable(path: &Path) -> Outcome<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What `catalog submit` sends, and what the form allows for the features of one photo.
    #[test]
    fn computed_features_find_altered_copies_and_take_two_kib_at_most() {
        let catalog = embedded_catalog();
        let mut n = 0;
        for record in catalog.records() {
            let json: serde_json::Value = serde_json::from_str(&record.to_json()).unwrap();
            for image in json["images"].as_array().into_iter().flatten() {
                let features = &image["features"];
                assert!(features["detail"].is_string(), "{}: {features}", record.key());
                assert!(features.to_string().len() <= 2 << 10, "{}: {features}", record.key());
                n += 1;
            }
        }
        assert_eq!(n, 21);
    }
}
