//! The reference photos of the active records, searchable.

use std::collections::{BTreeMap, BTreeSet};

use touchstone_image_hash::{Photo, PhotoIndex};
use touchstone_types::{Bank, BrandId, CatalogKey, CatalogRecord, HammingDistance, PhotoMatch, Reference};

/// How many reference photos of one bank are named for one photo of a listing.
pub const MAX_PHOTO_MATCHES: usize = 10;

/// The reference photos, with what is asked of them as a whole.
#[derive(Debug, Default)]
pub(crate) struct Photos {
    index: PhotoIndex,
    /// The reference photo at each position of `index`.
    references: Vec<(Reference, Bank)>,
    /// Brands whose active products have photos, whether or not they can be searched yet.
    pub(crate) brands: BTreeSet<BrandId>,
    /// Whether a known fake has a photo, likewise.
    pub(crate) of_fakes: bool,
}

impl Photos {
    /// Indexes the photos of `records`, which come in the order of their keys.
    pub(crate) fn build(records: impl IntoIterator<Item = impl AsRef<CatalogRecord>>) -> Self {
        let mut photos = Self::default();
        let mut features = Vec::new();
        for record in records {
            let record = record.as_ref();
            let Some(bank) = bank(record).filter(|_| !record.images().is_empty()) else { continue };
            match record {
                CatalogRecord::Product(product) => drop(photos.brands.insert(product.brand_id.clone())),
                CatalogRecord::Fake(_) => photos.of_fakes = true,
                CatalogRecord::Brand(_) | CatalogRecord::Benign(_) => {}
            }
            let key: CatalogKey = record.key();
            for (image_idx, image) in record.images().iter().enumerate() {
                if let Some(found) = image.features {
                    features.push(found);
                    photos.references.push((Reference { key: key.clone(), image_idx }, bank));
                }
            }
        }
        photos.index = PhotoIndex::new(features);
        photos
    }

    /// The references within `radius`, nearest first, ties by the order of catalog keys.
    pub(crate) fn matches(
        &self,
        image_idx: usize,
        photo: &Photo,
        radius: HammingDistance,
    ) -> Vec<PhotoMatch> {
        let mut room =
            BTreeMap::from([Bank::Genuine, Bank::Fake, Bank::Benign].map(|bank| (bank, MAX_PHOTO_MATCHES)));
        let mut found = Vec::new();
        for near in self.index.matches(photo, radius) {
            let (reference, bank) = &self.references[near.reference];
            let Some(left) = room.get_mut(bank).filter(|left| **left > 0) else { continue };
            *left -= 1;
            found.push(PhotoMatch {
                image_idx,
                reference: reference.clone(),
                bank: *bank,
                distance: near.distance,
                transform: near.transform,
                quality: photo.features.quality,
            });
        }
        found
    }
}

/// The bank that a record's photos belong to; a brand has none.
fn bank(record: &CatalogRecord) -> Option<Bank> {
    match record {
        CatalogRecord::Brand(_) => None,
        CatalogRecord::Product(_) => Some(Bank::Genuine),
        CatalogRecord::Fake(_) => Some(Bank::Fake),
        CatalogRecord::Benign(_) => Some(Bank::Benign),
    }
}
