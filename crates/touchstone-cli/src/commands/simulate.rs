//! `touchstone simulate`: an invented market in the `listings` form.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use touchstone_eval::{ListingsFolder, MarketSettings, simulate};
use touchstone_image_hash::DecodeLimits;
use touchstone_types::{CatalogRecord, ListingImage, ReferenceImage};

use crate::fault::{End, OrBadInput as _, Outcome};
use crate::pictures::Pictures;
use crate::setup::load_catalog;
use crate::terminal::say;

/// Invent a market around a catalog: honest sellers and counterfeiters, with labels
///
/// The same catalog, settings and seed give the same files.
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
    /// The folder for catalog.jsonl, listings.jsonl, labels.csv and images/
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(args: &SimulateArgs) -> Outcome {
    let records: Vec<CatalogRecord> = load_catalog(&args.catalog)?.records().cloned().collect();
    let settings = MarketSettings {
        seed: args.seed,
        weeks: args.weeks,
        n_listings: args.listings,
        ..MarketSettings::default()
    };
    let sources = match args.catalog.as_slice() {
        [] => vec![Pictures::Embedded],
        files => files.iter().map(|file| Pictures::beside(file)).collect(),
    };
    let album = Album::new(&args.out, sources)?;
    let market = simulate(&records, &settings, Some(&|image| album.copy(image))).or_bad_input()?;
    let (n_listings, n_positive) = (market.listings.len(), market.labels.iter().filter(|l| l.label).count());
    let folder = ListingsFolder { catalog: records, listings: market.listings, labels: market.labels };
    folder.write(&args.out)?;
    say(format!("{n_listings} listings, {n_positive} labelled counterfeit, in {}", args.out.display()));
    Ok(End::Done)
}

/// Copies reference photos beside the listings that show them.
struct Album<'a> {
    out: &'a Path,
    sources: Vec<Pictures>,
    /// What each reference url became; `None` where it cannot be read.
    copies: RefCell<BTreeMap<String, Option<String>>>,
}

impl<'a> Album<'a> {
    fn new(out: &'a Path, sources: Vec<Pictures>) -> Outcome<Self> {
        let folder = out.join("images");
        fs::create_dir_all(&folder).with_context(|| format!("cannot write {}", folder.display()))?;
        Ok(Self { out, sources, copies: RefCell::default() })
    }

    fn copy(&self, image: &ReferenceImage) -> Option<ListingImage> {
        let url = image.url.as_ref()?;
        let mut copies = self.copies.borrow_mut();
        let copy = copies.entry(url.clone()).or_insert_with(|| self.copy_file(url)).clone()?;
        Some(ListingImage { url: Some(copy), ..ListingImage::default() })
    }

    fn copy_file(&self, url: &str) -> Option<String> {
        let max_bytes = DecodeLimits::default().max_bytes;
        // The market does not say which feed a photo came from, so each feed's folder is tried in their order.
        let bytes = self.sources.iter().find_map(|source| source.read(url, max_bytes).ok())?;
        let name = format!("images/{}", Path::new(url).file_name()?.to_str()?);
        fs::write(self.out.join(&name), bytes).ok()?;
        Some(name)
    }
}
