//! The fixtures of the repository, read for tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use touchstone_catalog::{Catalog, Feed};
use touchstone_image_hash::{DecodeLimits, features, photo};
use touchstone_pipeline::{Context, Model, PhotoInput, Policy};
use touchstone_text::Lexicon;
use touchstone_types::{CatalogRecord, Listing, PhotoFailure};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn catalog() -> Catalog {
    let mut feed = Feed::default();
    feed.read("catalog.jsonl", &fs::read(root().join("fixtures/catalog.jsonl")).unwrap());
    feed.finish();
    assert_eq!(feed.n_errors(), 0, "{:?}", feed.problems);
    let photos: Vec<_> =
        feed.catalog.photos_without_features().map(|(photo, url)| (photo, url.to_owned())).collect();
    for (photo, url) in photos {
        let bytes = fs::read(root().join("fixtures").join(url)).unwrap();
        feed.catalog.set_features(&photo, features(&bytes, &DecodeLimits::default()).unwrap());
    }
    feed.catalog
}

pub(crate) fn model() -> Arc<Model> {
    Arc::new(Model::from_bytes(&fs::read(root().join("models/touchstone.json")).unwrap()).unwrap())
}

/// The catalog under the shipped model and policy.
pub(crate) fn context(records: impl IntoIterator<Item = CatalogRecord>) -> Context {
    let lexicon = Arc::new(Lexicon::builtin());
    let catalog: Catalog = records.into_iter().collect();
    let snapshot = Arc::new(catalog.snapshot(&lexicon));
    Context::new(snapshot, &lexicon, Some(model()), Arc::new(Policy::builtin()))
}

pub(crate) fn listings() -> Vec<(Listing, Vec<PhotoInput>)> {
    let text = fs::read_to_string(root().join("fixtures/listings.jsonl")).unwrap();
    let listings = text.lines().map(|line| Listing::from_json(line.as_bytes()).unwrap());
    listings.map(|listing| (photos(&listing), listing)).map(|(photos, listing)| (listing, photos)).collect()
}

fn photos(listing: &Listing) -> Vec<PhotoInput> {
    let read = |url: &str| fs::read(root().join("fixtures").join(url)).map_err(|_| PhotoFailure::NotFetched);
    let images = listing.images.iter().map(|image| match (&image.data, &image.url) {
        (Some(bytes), _) => Ok(bytes.clone()),
        (None, Some(url)) => read(url),
        (None, None) => Err(PhotoFailure::NotFetched),
    });
    images
        .map(|bytes| bytes.and_then(|b| photo(&b, &DecodeLimits::default()).map_err(|e| e.failure())))
        .collect()
}
