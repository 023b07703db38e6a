//! The live records: what the compacted catalog topic holds when it has been read to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;
use touchstone_text::Lexicon;
use touchstone_types::{CatalogKey, CatalogRecord, PhotoFeatures, Reference};

use crate::changes::wants_features;
use crate::snapshot::Snapshot;

/// The live records of the catalog, one for each key. Equal sets are equal catalogs, however they came about.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    live: RedBlackTreeMapSync<CatalogKey, Arc<CatalogRecord>>,
    /// Records with a photo that has an address and no features of this build's version.
    incomplete: BTreeSet<CatalogKey>,
    /// Keys touched since [`take_changes`](Self::take_changes) was called last.
    changed: BTreeSet<CatalogKey>,
}

impl Catalog {
    /// No records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `record` in the place of whatever stood under its key.
    pub fn insert(&mut self, record: CatalogRecord) {
        let key = record.key();
        if wants_features(&record) {
            self.incomplete.insert(key.clone());
        } else {
            self.incomplete.remove(&key);
        }
        self.changed.insert(key.clone());
        self.live.insert_mut(key, Arc::new(record));
    }

    /// Deletes the record under `key`; nothing happens if there is none.
    pub fn remove(&mut self, key: &CatalogKey) {
        self.incomplete.remove(key);
        self.changed.insert(key.clone());
        self.live.remove_mut(key);
    }

    /// How many records live.
    pub fn len(&self) -> usize {
        self.live.size()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// The record under `key`.
    pub fn get(&self, key: &CatalogKey) -> Option<&CatalogRecord> {
        self.live.get(key).map(AsRef::as_ref)
    }

    /// The records in the order of their keys.
    pub fn records(&self) -> impl Iterator<Item = &CatalogRecord> {
        self.live.values().map(AsRef::as_ref)
    }

    /// The reference photos that cannot be searched yet, because they have no features of this build's version, with the
    /// address from which the features can be computed.
    pub fn photos_without_features(&self) -> impl Iterator<Item = (Reference, &str)> {
        self.incomplete.iter().filter_map(|key| Some((key, self.get(key)?))).flat_map(|(key, record)| {
            record.images().iter().enumerate().filter_map(|(image_idx, image)| {
                let url = image.url.as_deref().filter(|_| image.wants_features())?;
                Some((Reference { key: key.clone(), image_idx }, url))
            })
        })
    }

    /// Completes a reference photo; nothing happens where it is no longer there.
    pub fn set_features(&mut self, photo: &Reference, features: PhotoFeatures) {
        let Some(mut record) = self.get(&photo.key).cloned() else { return };
        if let Some(image) = record.images_mut().get_mut(photo.image_idx) {
            image.features = Some(features);
            self.insert(record);
        }
    }

    /// The indexes that every stage reads, built from the live records.
    pub fn snapshot(&self, lexicon: &Arc<Lexicon>) -> Snapshot {
        Snapshot::build(self.live.clone(), lexicon)
    }

    /// What [`Snapshot::with_changes`] needs: the state of every key touched since the last call, `None` where it was
    /// deleted.
    pub fn take_changes(&mut self) -> BTreeMap<CatalogKey, Option<Arc<CatalogRecord>>> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|key| (key.clone(), self.live.get(&key).cloned())).collect()
    }
}

impl PartialEq for Catalog {
    fn eq(&self, other: &Self) -> bool {
        self.live == other.live
    }
}

impl FromIterator<CatalogRecord> for Catalog {
    fn from_iter<I: IntoIterator<Item = CatalogRecord>>(records: I) -> Self {
        let mut catalog = Self::new();
        for record in records {
            catalog.insert(record);
        }
        catalog
    }
}
