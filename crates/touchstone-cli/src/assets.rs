//! What is compiled in: the catalog, listings and pictures of the demo, and the model.

use include_dir::{Dir, include_dir};

/// The demo's catalog feed.
pub(crate) const CATALOG: &[u8] = include_bytes!("../../../fixtures/catalog.jsonl");

/// The demo's listings.
pub(crate) const LISTINGS: &[u8] = include_bytes!("../../../fixtures/listings.jsonl");

/// The model that serves where none is named.
pub(crate) const MODEL: &[u8] = include_bytes!("../../../models/touchstone.json");

/// Its card.
pub(crate) const MODEL_CARD: &str = include_str!("../../../models/touchstone.md");

static IMAGES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/images");

/// The bytes of a compiled-in picture, by the url that the demo's catalog and listings give it.
pub(crate) fn picture(url: &str) -> Option<&'static [u8]> {
    IMAGES.get_file(url.strip_prefix("images/")?).map(include_dir::File::contents)
}
