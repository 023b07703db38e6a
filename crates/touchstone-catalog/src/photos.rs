//! The reference photos of the active records, searchable.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use touchstone_image_hash::{MatchSettings, Photo, PhotoIndex, surety};
use touchstone_types::{
    Bank, BrandId, CatalogKey, CatalogRecord, PhotoFeatures, PhotoMatch, PhotoSearch, Probability, Reference,
};

/// How many reference photos of one bank are named for one photo of a listing.
pub const MAX_PHOTO_MATCHES: usize = 10;

/// The reference photos, with what is asked of them as a whole.
#[derive(Debug, Default)]
pub(crate) struct Photos {
    /// Each bank is searched by itself. A second look is given to few references at a time, and a picture that many
    /// products share must not keep the harmless one from being seen among them.
    genuine: BankPhotos,
    fake: BankPhotos,
    benign: BankPhotos,
    /// Brands whose active products have photos, whether or not they can be searched yet.
    pub(crate) brands: BTreeSet<BrandId>,
    /// Whether a known fake has a photo, likewise.
    pub(crate) of_fakes: bool,
}

/// The reference photos of one bank.
#[derive(Debug, Default)]
struct BankPhotos {
    index: PhotoIndex,
    /// The reference photo at each position of `index`, ascending.
    references: Vec<Reference>,
    /// Whether one of them can be searched, but by nothing except its hash.
    has_hash_only: bool,
}

impl Photos {
    /// Indexes the photos of `records`, which come in the order of their keys.
    pub(crate) fn build(records: impl IntoIterator<Item = impl AsRef<CatalogRecord>>) -> Self {
        let mut photos = Self::default();
        let (mut genuine, mut fake, mut benign) = (Vec::new(), Vec::new(), Vec::new());
        for record in records {
            let record = record.as_ref();
            if record.images().is_empty() {
                continue;
            }
            let bank = match record {
                CatalogRecord::Brand(_) => continue,
                CatalogRecord::Product(product) => {
                    photos.brands.insert(product.brand_id.clone());
                    &mut genuine
                }
                CatalogRecord::Fake(_) => {
                    photos.of_fakes = true;
                    &mut fake
                }
                CatalogRecord::Benign(_) => &mut benign,
            };
            let key = record.key();
            for (image_idx, image) in record.images().iter().enumerate() {
                if let Some(features) = &image.features {
                    bank.push((Reference { key: key.clone(), image_idx }, features.clone()));
                }
            }
        }
        photos.genuine = BankPhotos::new(genuine);
        photos.fake = BankPhotos::new(fake);
        photos.benign = BankPhotos::new(benign);
        photos
    }

    /// See [`Snapshot::photo_matches`](crate::Snapshot::photo_matches).
    pub(crate) fn matches(
        &self,
        image_idx: usize,
        photo: &Photo,
        settings: &MatchSettings<'_>,
        proposed: &[CatalogKey],
    ) -> Vec<PhotoMatch> {
        let mut found = Vec::new();
        for (bank, photos) in
            [(Bank::Genuine, &self.genuine), (Bank::Fake, &self.fake), (Bank::Benign, &self.benign)]
        {
            photos.add_matches(bank, image_idx, photo, settings, proposed, &mut found);
        }
        // Stable, so that equally sure ones stay as the index ranks them.
        found.sort_by_key(|m| Reverse(surety(m.score.map(Probability::get))));
        found
    }

    /// See [`Snapshot::photo_search`](crate::Snapshot::photo_search).
    pub(crate) fn search(&self) -> PhotoSearch {
        let banks = [&self.genuine, &self.fake, &self.benign];
        if banks.iter().any(|bank| bank.has_hash_only) {
            PhotoSearch::Hash
        } else if banks.iter().any(|bank| !bank.index.searches_all()) {
            PhotoSearch::Proposed
        } else {
            PhotoSearch::All
        }
    }
}

impl BankPhotos {
    /// Indexes photos, which come in the order of their references.
    fn new(photos: Vec<(Reference, PhotoFeatures)>) -> Self {
        let (references, features): (Vec<_>, Vec<_>) = photos.into_iter().unzip();
        let current: Vec<bool> = features.iter().map(|f| f.version == PhotoFeatures::VERSION).collect();
        let index = PhotoIndex::new(features);
        let has_hash_only = current.iter().enumerate().any(|(at, current)| *current && !index.has_detail(at));
        Self { index, references, has_hash_only }
    }

    fn add_matches(
        &self,
        bank: Bank,
        image_idx: usize,
        photo: &Photo,
        settings: &MatchSettings<'_>,
        proposed: &[CatalogKey],
        found: &mut Vec<PhotoMatch>,
    ) {
        let proposed: Vec<usize> = proposed.iter().flat_map(|key| self.positions_of(key)).collect();
        let mut matches = self.index.matches(photo, settings, &proposed);
        matches.truncate(MAX_PHOTO_MATCHES);
        for (place, near) in matches.iter().enumerate() {
            let mut better = matches[..place].iter().map(|better| better.reference);
            let twin = better.find(|better| self.index.are_near_duplicates(*better, near.reference));
            found.push(PhotoMatch {
                image_idx,
                reference: self.references[near.reference].clone(),
                bank,
                distance: near.distance,
                transform: near.alteration,
                quality: photo.features.quality,
                score: near.score.and_then(Probability::new),
                overlay: near.overlay,
                near_duplicate_of: twin.map(|twin| self.references[twin].clone()),
            });
        }
    }

    /// The positions of a record's photos.
    fn positions_of(&self, key: &CatalogKey) -> std::ops::Range<usize> {
        let start = self.references.partition_point(|reference| reference.key < *key);
        let n = self.references[start..].iter().take_while(|reference| reference.key == *key).count();
        start..start + n
    }
}
