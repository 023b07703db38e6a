//! `touchstone simulate`: an invented market in the `listings` form.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use touchstone_eval::{ListingsFolder, MarketSettings, Retouch, simulate};
use touchstone_image_hash::DecodeLimits;
use touchstone_types::{CatalogRecord, ListingImage, ReferenceImage};

use crate::fault::{End, OrBadInput as _, Outcome};
use crate::pictures::Pictures;
use crate::setup::load_catalog;
use crate::terminal::say;

/// Invent a market around a catalog: honest sellers and counterfeiters, with labels
///
/// Products without a list price get one, brands without authorised sellers get some; catalog.jsonl in the folder says so.
/// The same catalog, photos, settings and seed give the same files.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Catalog feeds, JSON Lines; the demo's without it
    #[arg(long, value_name = "FILE", num_args = 1..)]
    catalog: Vec<PathBuf>,
    /// The seed
    #[arg(long)]
    seed: u64,
    /// Over how many weeks the listings appear
    #[arg(long, value_name = "N", default_value_t = MarketSettings::default().weeks)]
    weeks: u32,
    /// How many listings
    #[arg(long, value_name = "N", default_value_t = MarketSettings::default().n_listings)]
    listings: usize,
    /// Which share of the listings is by counterfeiters
    #[arg(long, value_name = "SHARE", default_value_t = MarketSettings::default().counterfeit_share)]
    counterfeits: f64,
    /// Which share of the labels says the opposite of the truth
    #[arg(long, value_name = "SHARE", default_value_t = MarketSettings::default().wrong_label_share)]
    wrong_labels: f64,
    /// Photos of products whose records name none, as `DIR/<product_id>.*`
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,
    /// The folder for catalog.jsonl, listings.jsonl, labels.csv and images/
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(args: &SimulateArgs) -> Outcome {
    let mut records: Vec<CatalogRecord> = load_catalog(&args.catalog)?.records().cloned().collect();
    let settings = MarketSettings {
        seed: args.seed,
        weeks: args.weeks,
        n_listings: args.listings,
        counterfeit_share: args.counterfeits,
        wrong_label_share: args.wrong_labels,
    };
    let mut sources = match args.catalog.as_slice() {
        [] => vec![Pictures::Embedded],
        files => files.iter().map(|file| Pictures::beside(file)).collect(),
    };
    if let Some(folder) = &args.photos {
        add_photos(&mut records, folder)?;
        sources.push(Pictures::Below(folder.clone()));
    }
    let album = Album::new(&args.out, sources)?;
    let market =
        simulate(&records, &settings, Some(&|image, retouch| album.copy(image, retouch))).or_bad_input()?;
    let (n_listings, n_positive) = (market.listings.len(), market.labels.iter().filter(|l| l.label).count());
    let mut catalog = market.catalog;
    album.take_along(&mut catalog);
    let folder = ListingsFolder { catalog, listings: market.listings, labels: market.labels };
    folder.write(&args.out)?;
    say(format!("{n_listings} listings, {n_positive} labelled counterfeit, in {}", args.out.display()));
    Ok(End::Done)
}

/// Gives products that have no photo the one that is named after them.
fn add_photos(records: &mut [CatalogRecord], folder: &Path) -> Outcome<()> {
    let read = || format!("cannot read the folder {}", folder.display());
    let mut names = BTreeMap::new();
    let entries: Result<Vec<_>, _> = fs::read_dir(folder).with_context(read).or_bad_input()?.collect();
    let mut paths: Vec<PathBuf> =
        entries.with_context(read).or_bad_input()?.into_iter().map(|entry| entry.path()).collect();
    // Of several photos of one product the first in the order of their names.
    paths.sort_by(|a, b| b.cmp(a));
    for path in paths {
        if let (Some(stem), Some(name)) = (path.file_stem(), path.file_name()) {
            names.insert(stem.to_string_lossy().into_owned(), name.to_string_lossy().into_owned());
        }
    }
    for record in records {
        let CatalogRecord::Product(product) = record else { continue };
        let photo = names.get(product.product_id.as_str()).filter(|_| product.images.is_empty());
        product.images.extend(photo.map(|name| ReferenceImage { url: Some(name.clone()), features: None }));
    }
    Ok(())
}

/// Copies reference photos beside the listings that show them.
struct Album<'a> {
    out: &'a Path,
    sources: Vec<Pictures>,
    /// What each reference url became; `None` where it cannot be read.
    copies: RefCell<BTreeMap<(String, &'static str), Option<String>>>,
}

impl<'a> Album<'a> {
    fn new(out: &'a Path, sources: Vec<Pictures>) -> Outcome<Self> {
        let folder = out.join("images");
        fs::create_dir_all(&folder).with_context(|| format!("cannot write {}", folder.display()))?;
        Ok(Self { out, sources, copies: RefCell::default() })
    }

    fn copy(&self, image: &ReferenceImage, retouch: Retouch) -> Option<ListingImage> {
        let copy = self.copy_of(image.url.as_ref()?, retouch)?;
        Some(ListingImage { url: Some(copy), ..ListingImage::default() })
    }

    /// The catalog that goes with the market stands beside it, and so do its photos.
    fn take_along(&self, catalog: &mut [CatalogRecord]) {
        for record in catalog {
            let images = match record {
                CatalogRecord::Product(product) => &mut product.images,
                CatalogRecord::Fake(fake) => &mut fake.images,
                CatalogRecord::Benign(benign) => &mut benign.images,
                CatalogRecord::Brand(_) => continue,
            };
            for image in images {
                let copy = image.url.as_ref().and_then(|url| self.copy_of(url, Retouch::None));
                image.url = copy.or_else(|| image.url.take());
            }
        }
    }

    fn copy_of(&self, url: &str, retouch: Retouch) -> Option<String> {
        let mut copies = self.copies.borrow_mut();
        let copy = copies.entry((url.to_owned(), retouch.as_str()));
        copy.or_insert_with(|| self.copy_file(url, retouch)).clone()
    }

    fn copy_file(&self, url: &str, retouch: Retouch) -> Option<String> {
        let max_bytes = DecodeLimits::default().max_bytes;
        // The market does not say which feed a photo came from, so each feed's folder is tried in their order.
        let bytes = self.sources.iter().find_map(|source| source.read(url, max_bytes).ok())?;
        let edited = retouch.apply(&bytes)?;
        // The whole address, so that pictures of one name in several folders stay apart.
        let address = url.strip_prefix("file:").unwrap_or(url).replace('/', "_");
        let name = match retouch {
            Retouch::None => format!("images/{address}"),
            _ => format!("images/{address}-{}.jpg", retouch.as_str()),
        };
        fs::write(self.out.join(&name), edited).ok()?;
        Some(name)
    }
}
