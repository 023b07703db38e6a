//! Folders in the `listings` form, judged with their own catalog: what evaluation, training, tuning and comparing share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::anyhow;
use touchstone_catalog::Snapshot;
use touchstone_eval::{JudgedRow, Label, Stage, judge_listings, read_labels, read_listings};
use touchstone_image_hash::{DecodeLimits, photo};
use touchstone_pipeline::{Context, PhotoInput};
use touchstone_text::Lexicon;
use touchstone_types::{Listing, ListingImage, PhotoFailure};

use crate::fault::{OrBadInput as _, Outcome};
use crate::pictures::{Pictures, read_indexed};
use crate::setup::load_catalog;
use crate::terminal::say;

/// Listings with labels, and where their pictures lie.
pub(crate) struct Labelled {
    pub(crate) listings: Vec<Listing>,
    pub(crate) labels: Vec<Label>,
    pictures: Pictures,
    /// Pictures as `images/<listing_id>/<index>.*`, where the folder has them.
    images: Option<PathBuf>,
}

impl Labelled {
    /// Invented ones, whose pictures are compiled in or come with them.
    pub(crate) fn invented(listings: Vec<Listing>, labels: Vec<Label>) -> Self {
        Self { listings, labels, pictures: Pictures::Embedded, images: None }
    }

    /// Reads a folder, and builds its catalog.
    pub(crate) fn open(folder: &Path, lexicon: &Arc<Lexicon>) -> Outcome<(Self, Snapshot)> {
        if !folder.is_dir() {
            return Err(anyhow!("{} is not a folder", folder.display())).or_bad_input();
        }
        // The labels first: they are soon read, and most often wrong.
        let labels = read_labels(&folder.join("labels.csv")).or_bad_input()?;
        let listings = read_listings(&folder.join("listings.jsonl")).or_bad_input()?;
        let snapshot = load_catalog(&[folder.join("catalog.jsonl")])?.snapshot(lexicon);
        if snapshot.brands().next().is_none() {
            say("warning: the catalog has no live brand: nothing can be found");
        }
        let images = Some(folder.join("images")).filter(|images| images.is_dir());
        let own = Self { listings, labels, pictures: Pictures::Below(folder.to_owned()), images };
        Ok((own, snapshot))
    }

    /// Judges the listings whose labels `wanted` takes.
    pub(crate) fn judge(
        &self,
        context: &Context,
        without: Option<Stage>,
        wanted: impl Fn(&Label) -> bool,
    ) -> Vec<JudgedRow> {
        let n_unseen = AtomicUsize::new(0);
        let photos = |listing: &Listing| {
            let photos = self.photos(listing);
            n_unseen.fetch_add(photos.iter().filter(|photo| photo.is_err()).count(), Ordering::Relaxed);
            photos
        };
        let rows =
            judge_listings(&self.listings, &self.labels, wanted, without, &photos, context, n_threads());
        let n_unseen = n_unseen.into_inner();
        if n_unseen > 0 {
            say(format!("warning: {n_unseen} pictures could not be read, and the verdicts say so"));
        }
        rows
    }

    fn photos(&self, listing: &Listing) -> Vec<PhotoInput> {
        listing.images.iter().enumerate().map(|(idx, image)| self.photo(listing, idx, image)).collect()
    }

    fn photo(&self, listing: &Listing, idx: usize, image: &ListingImage) -> PhotoInput {
        let limits = DecodeLimits::default();
        let decode = |bytes: &[u8]| photo(bytes, &limits).map_err(|error| error.failure());
        if let Some(bytes) = &image.data {
            return decode(bytes);
        }
        let by_url = image.url.as_ref().map(|url| self.pictures.read(url, limits.max_bytes));
        let found = match by_url {
            Some(Ok(bytes)) => Ok(bytes),
            _ => match &self.images {
                Some(images) => read_indexed(images, listing, idx, limits.max_bytes),
                None => Err(PhotoFailure::NotFetched),
            },
        };
        decode(&found?)
    }
}

/// One thread for each core.
pub(crate) fn n_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
