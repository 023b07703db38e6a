//! The live records: what the compacted catalog topic holds when it has been read to its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use touchstone_text::Lexicon;
use touchstone_types::{CatalogKey, CatalogRecord, PhotoFeatures, Reference};

use crate::snapshot::Snapshot;

/// The live records of the catalog, one for each key. Equal sets are equal catalogs, however they came about.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    live: BTreeMap<CatalogKey, CatalogRecord>,
}

impl Catalog {
    /// No records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `record` in the place of whatever stood under its key, which is returned.
    pub fn insert(&mut self, record: CatalogRecord) -> Option<CatalogRecord> {
        self.live.insert(record.key(), record)
    }

    /// Deletes the record under `key`, which is returned.
    pub fn remove(&mut self, key: &CatalogKey) -> Option<CatalogRecord> {
        self.live.remove(key)
    }

    /// How many records live.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// The record under `key`.
    pub fn get(&self, key: &CatalogKey) -> Option<&CatalogRecord> {
        self.live.get(key)
    }

    /// The records in the order of their keys.
    pub fn records(&self) -> impl Iterator<Item = &CatalogRecord> {
        self.live.values()
    }

    /// The reference photos that cannot be searched yet, because they have no features of this build's version, with the
    /// address from which the features can be computed.
    pub fn photos_without_features(&self) -> impl Iterator<Item = (Reference, &str)> {
        self.live.iter().flat_map(|(key, record)| {
            record.images().iter().enumerate().filter_map(|(image_idx, image)| {
                let current = image.features.is_some_and(|f| f.version == PhotoFeatures::VERSION);
                let url = image.url.as_deref().filter(|_| !current)?;
                Some((Reference { key: key.clone(), image_idx }, url))
            })
        })
    }

    /// Completes a reference photo; nothing happens where it is no longer there.
    pub fn set_features(&mut self, photo: &Reference, features: PhotoFeatures) {
        let record = self.live.get_mut(&photo.key);
        if let Some(image) = record.and_then(|r| r.images_mut().get_mut(photo.image_idx)) {
            image.features = Some(features);
        }
    }

    /// The indexes that every stage reads, built from the live records.
    pub fn snapshot(&self, lexicon: &Arc<Lexicon>) -> Snapshot {
        Snapshot::build(self.records(), lexicon)
    }
}

impl FromIterator<CatalogRecord> for Catalog {
    fn from_iter<I: IntoIterator<Item = CatalogRecord>>(records: I) -> Self {
        Self { live: records.into_iter().map(|record| (record.key(), record)).collect() }
    }
}
