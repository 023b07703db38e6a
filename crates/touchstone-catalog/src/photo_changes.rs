//! What changes of records change about reference photos.

use touchstone_types::{CatalogKey, CatalogRecord, PhotoFeatures, Reference, ReferenceImage};

/// A reference photo that came or changed, or went: `None`.
type Change = (Reference, Option<PhotoFeatures>);

/// The photos that active records gained, changed and lost, gathered before they are indexed. Of one reference the last change counts.
#[derive(Debug, Default)]
pub(crate) struct PhotoChanges {
    pub(crate) genuine: Vec<Change>,
    pub(crate) fake: Vec<Change>,
    pub(crate) benign: Vec<Change>,
    /// Records that have photos now and had none (`true`), or the other way round, in the order in which they changed.
    pub(crate) records: Vec<(CatalogKey, bool)>,
}

impl PhotoChanges {
    /// Notes that the record under `key` changed; it counts as `None` where it is not active.
    pub(crate) fn add(
        &mut self,
        key: &CatalogKey,
        before: Option<&CatalogRecord>,
        after: Option<&CatalogRecord>,
    ) {
        let bank = match key {
            CatalogKey::Brand(_) => return,
            CatalogKey::Product(..) => &mut self.genuine,
            CatalogKey::Fake(..) => &mut self.fake,
            CatalogKey::Benign(_) => &mut self.benign,
        };
        let (before, after) = (images(before), images(after));
        for image_idx in 0..before.len().max(after.len()) {
            let features =
                |images: &[ReferenceImage]| images.get(image_idx).and_then(|image| image.features.clone());
            let new = features(after);
            if features(before) != new {
                bank.push((Reference { key: key.clone(), image_idx }, new));
            }
        }
        if before.is_empty() != after.is_empty() {
            self.records.push((key.clone(), !after.is_empty()));
        }
    }

    /// Whether no photo came, changed or went, nor a record that has some.
    pub(crate) fn is_empty(&self) -> bool {
        [&self.genuine, &self.fake, &self.benign].iter().all(|changes| changes.is_empty())
            && self.records.is_empty()
    }
}

/// The photos of a record.
pub(crate) fn images(record: Option<&CatalogRecord>) -> &[ReferenceImage] {
    record.map_or(&[], CatalogRecord::images)
}
