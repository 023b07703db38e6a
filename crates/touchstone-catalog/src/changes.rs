//! What has changed since a snapshot, on its way into the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use touchstone_types::{CatalogKey, CatalogRecord, PhotoFeatures, Reference};

use crate::snapshot::Snapshot;

/// The new state of each changed key: `None` where it was deleted.
pub type ChangeSet = BTreeMap<CatalogKey, Option<Arc<CatalogRecord>>>;

/// Records that came and went since a snapshot was made, the last word on each key.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pending: ChangeSet,
    /// Records, changed or not, with a photo that has an address and no features of this build's version.
    incomplete: BTreeSet<CatalogKey>,
}

impl Changes {
    /// No changes since `snapshot`.
    pub fn since(snapshot: &Snapshot) -> Self {
        let lacks_features =
            |key: &&CatalogKey| snapshot.records.get(key).is_some_and(|r| wants_features(&r));
        let incomplete = snapshot.pictured.iter().filter(lacks_features).cloned().collect();
        Self { pending: ChangeSet::new(), incomplete }
    }

    /// `record` stands under its key from now on.
    pub fn insert(&mut self, record: CatalogRecord) {
        let key = record.key();
        if wants_features(&record) {
            self.incomplete.insert(key.clone());
        } else {
            self.incomplete.remove(&key);
        }
        self.pending.insert(key, Some(Arc::new(record)));
    }

    /// Nothing stands under `key` from now on.
    pub fn remove(&mut self, key: &CatalogKey) {
        self.incomplete.remove(key);
        self.pending.insert(key.clone(), None);
    }

    /// How many keys have changed.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Hands the changes over to [`Snapshot::with_changes`] and forgets them.
    pub fn take(&mut self) -> ChangeSet {
        std::mem::take(&mut self.pending)
    }

    /// The reference photos that cannot be searched yet, because they have no features of this build's version, with the
    /// address from which the features can be computed. `snapshot` is the one that the changes came after.
    pub fn photos_without_features(&self, snapshot: &Snapshot) -> Vec<(Reference, String)> {
        let mut photos = Vec::new();
        for key in &self.incomplete {
            let Some(record) = self.get(key, snapshot) else { continue };
            for (image_idx, image) in record.images().iter().enumerate() {
                if let Some(url) = image.url.as_ref().filter(|_| image.wants_features()) {
                    photos.push((Reference { key: key.clone(), image_idx }, url.clone()));
                }
            }
        }
        photos
    }

    /// Completes a reference photo; nothing happens where it is no longer there.
    pub fn set_features(&mut self, photo: &Reference, features: PhotoFeatures, snapshot: &Snapshot) {
        let Some(record) = self.get(&photo.key, snapshot) else { return };
        let mut record = CatalogRecord::clone(&record);
        if let Some(image) = record.images_mut().get_mut(photo.image_idx) {
            image.features = Some(features);
            self.insert(record);
        }
    }

    fn get(&self, key: &CatalogKey, snapshot: &Snapshot) -> Option<Arc<CatalogRecord>> {
        self.pending.get(key).map_or_else(|| snapshot.records.get(key), Clone::clone)
    }
}

/// Whether a photo of the record has an address and no features of this build's version.
pub(crate) fn wants_features(record: &CatalogRecord) -> bool {
    record.images().iter().any(|image| image.wants_features())
}

#[cfg(test)]
mod tests {
    use touchstone_text::Lexicon;

    use super::*;
    use crate::Catalog;

    fn record(json: &str) -> CatalogRecord {
        CatalogRecord::from_json(json.as_bytes()).unwrap()
    }

    fn product(id: &str, url: &str) -> CatalogRecord {
        record(&format!(
            r#"{{"kind":"product","brand_id":"lumora","product_id":"{id}","title":"Lumora 20","images":[{{"url":"{url}"}}]}}"#
        ))
    }

    fn features() -> PhotoFeatures {
        let image = r#"{"kind":"benign","id":"B-1","note":"placeholder","images":[{"features":{"version":1,"pdq":"HASH","quality":90}}]}"#;
        let known = record(&image.replace("HASH", &"0f".repeat(32))).images()[0].features.clone().unwrap();
        PhotoFeatures { version: PhotoFeatures::VERSION, ..known }
    }

    #[test]
    fn photos_are_completed_whether_they_came_with_the_snapshot_or_after_it() {
        let brand = record(r#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#);
        let catalog: Catalog = [brand, product("LM-20", "https://a.example/1")].into_iter().collect();
        let snapshot = catalog.snapshot(&Arc::new(Lexicon::builtin()));
        let mut changes = Changes::since(&snapshot);
        changes.insert(product("LM-30", "https://a.example/2"));
        changes.insert(product("LM-40", "https://a.example/3"));
        changes.remove(&product("LM-40", "https://a.example/3").key());
        let wanted = changes.photos_without_features(&snapshot);
        let urls: Vec<&str> = wanted.iter().map(|(_, url)| url.as_str()).collect();
        assert_eq!(urls, ["https://a.example/1", "https://a.example/2"]);
        for (photo, _) in &wanted {
            changes.set_features(photo, features(), &snapshot);
        }
        assert_eq!((changes.len(), changes.photos_without_features(&snapshot)), (3, vec![]));
        let next = snapshot.with_changes(&changes.take());
        assert!(changes.is_empty() && Changes::since(&next).photos_without_features(&next).is_empty());
        // What has gone is not completed.
        changes.remove(&wanted[0].0.key);
        changes.set_features(&wanted[0].0, features(), &next);
        assert_eq!(changes.take(), ChangeSet::from([(wanted[0].0.key.clone(), None)]));
    }
}
