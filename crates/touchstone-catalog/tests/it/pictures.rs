//! The invented pictures of the repository, each read once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use touchstone_catalog::Snapshot;
use touchstone_image_hash::{DEFAULT_RADIUS, DecodeLimits, MatchSettings, Photo, PhotoScore};
use touchstone_types::{PhotoFeatures, PhotoMatch};

static PHOTOS: LazyLock<Mutex<BTreeMap<String, Photo>>> = LazyLock::new(Mutex::default);

pub(crate) fn photo(name: &str) -> Photo {
    let load = || {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/images").join(name);
        touchstone_image_hash::photo(&std::fs::read(path).unwrap(), &DecodeLimits::default()).unwrap()
    };
    PHOTOS.lock().unwrap().entry(name.to_owned()).or_insert_with(load).clone()
}

pub(crate) fn features(name: &str) -> PhotoFeatures {
    photo(name).features
}

/// What a picture matches at the default settings.
pub(crate) fn matches(snapshot: &Snapshot, name: &str) -> Vec<PhotoMatch> {
    let settings =
        MatchSettings { radius: DEFAULT_RADIUS, score: &PhotoScore::default(), only_proposed: false };
    snapshot.photo_matches(0, &photo(name), &settings, &[])
}
