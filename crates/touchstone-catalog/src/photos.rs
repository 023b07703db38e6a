//! The reference photos of the active records, searchable.

use std::cmp::Reverse;

use rpds::RedBlackTreeMapSync;
use touchstone_image_hash::{MatchSettings, Photo, PhotoIndex, surety};
use touchstone_types::{
    Bank, BrandId, CatalogKey, CatalogRecord, HammingDistance, KeptPhoto, PhotoMatch, PhotoSearch,
    Probability, Reference, round6,
};

use crate::kept_matches::KeptSearch;
use crate::photo_changes::PhotoChanges;

/// How many reference photos of one bank are named for one photo of a listing.
pub const MAX_PHOTO_MATCHES: usize = 10;

/// The reference photos, with what is asked of them as a whole. Clones share everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Photos {
    /// Each bank is searched by itself. A second look is given to few references at a time, and a picture that many
    /// products share must not keep the harmless one from being seen among them.
    genuine: PhotoIndex<Reference>,
    fake: PhotoIndex<Reference>,
    benign: PhotoIndex<Reference>,
    /// How many active products with photos each brand has, whether or not these can be searched yet. Brands with none are left out.
    n_products: RedBlackTreeMapSync<BrandId, usize>,
    /// How many known fakes have photos, likewise.
    n_fakes: usize,
}

impl Photos {
    /// Indexes the photos of `records`.
    pub(crate) fn build(records: impl IntoIterator<Item = impl AsRef<CatalogRecord>>) -> Self {
        let mut changes = PhotoChanges::default();
        for record in records {
            let record = record.as_ref();
            changes.add(&record.key(), None, Some(record));
        }
        Self::default().with_changes(changes)
    }

    /// The photos after some changes; what did not change is shared with these.
    pub(crate) fn with_changes(&self, changes: PhotoChanges) -> Self {
        let PhotoChanges { genuine, fake, benign, records } = changes;
        let mut next = self.clone();
        for (index, changes) in
            [(&mut next.genuine, genuine), (&mut next.fake, fake), (&mut next.benign, benign)]
        {
            if !changes.is_empty() {
                *index = index.with_changes(changes);
            }
        }
        for (key, has_photos) in records {
            next.count(&key, has_photos);
        }
        next
    }

    /// The record under `key` has photos now, and had none; or the other way round.
    fn count(&mut self, key: &CatalogKey, has_photos: bool) {
        let counted = |n: usize| if has_photos { n + 1 } else { n.saturating_sub(1) };
        match key {
            CatalogKey::Product(brand, _) => {
                match counted(self.n_products.get(brand).copied().unwrap_or(0)) {
                    0 => drop(self.n_products.remove_mut(brand)),
                    n => self.n_products.insert_mut(brand.clone(), n),
                }
            }
            CatalogKey::Fake(..) => self.n_fakes = counted(self.n_fakes),
            CatalogKey::Brand(_) | CatalogKey::Benign(_) => {}
        }
    }

    /// See [`Snapshot::wants_merge`](crate::Snapshot::wants_merge).
    pub(crate) fn wants_merge(&self) -> bool {
        [&self.genuine, &self.fake, &self.benign].iter().any(|index| index.wants_merge())
    }

    /// See [`Snapshot::merged`](crate::Snapshot::merged).
    pub(crate) fn merged(&self) -> Self {
        let [genuine, fake, benign] = [&self.genuine, &self.fake, &self.benign].map(PhotoIndex::merged);
        Self { genuine, fake, benign, ..self.clone() }
    }

    /// The brands whose active products have photos, whether or not these can be searched yet.
    pub(crate) fn brands(&self) -> impl Iterator<Item = &BrandId> {
        self.n_products.keys()
    }

    /// Whether a known fake has a photo, likewise.
    pub(crate) fn of_fakes(&self) -> bool {
        self.n_fakes > 0
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
        for (bank, index) in self.banks() {
            add_matches(index, bank, image_idx, photo, settings, proposed, &mut found);
        }
        sort_by_surety(&mut found);
        found
    }

    /// See [`Snapshot::kept_photo_matches`](crate::Snapshot::kept_photo_matches). `is_awaited` says whether a reference lives whose
    /// features are still to be computed.
    pub(crate) fn kept_matches(
        &self,
        photo: &KeptPhoto,
        before: &[PhotoMatch],
        radius: HammingDistance,
        is_awaited: &dyn Fn(&Reference) -> bool,
    ) -> Vec<PhotoMatch> {
        let searches = self.banks().map(|(bank, index)| KeptSearch { bank, index, photo, is_awaited });
        let mut found: Vec<PhotoMatch> =
            searches.iter().flat_map(|search| search.matches(before, radius)).collect();
        sort_by_surety(&mut found);
        found
    }

    fn banks(&self) -> [(Bank, &PhotoIndex<Reference>); 3] {
        [(Bank::Genuine, &self.genuine), (Bank::Fake, &self.fake), (Bank::Benign, &self.benign)]
    }

    /// See [`Snapshot::photo_search`](crate::Snapshot::photo_search).
    pub(crate) fn search(&self) -> PhotoSearch {
        let banks = [&self.genuine, &self.fake, &self.benign];
        if banks.iter().any(|index| index.n_hash_only() > 0) {
            PhotoSearch::Hash
        } else if banks.iter().any(|index| !index.searches_all()) {
            PhotoSearch::Proposed
        } else {
            PhotoSearch::All
        }
    }
}

/// Stable, so that equally sure ones stay as they were ranked.
fn sort_by_surety(found: &mut [PhotoMatch]) {
    found.sort_by_key(|m| Reverse(surety(m.score.map(Probability::get))));
}

fn add_matches(
    index: &PhotoIndex<Reference>,
    bank: Bank,
    image_idx: usize,
    photo: &Photo,
    settings: &MatchSettings<'_>,
    proposed: &[CatalogKey],
    found: &mut Vec<PhotoMatch>,
) {
    let slots = |key: &CatalogKey| index.slots(|reference| reference.key.cmp(key));
    let proposed: Vec<usize> = proposed.iter().flat_map(slots).collect();
    let mut matches = index.matches(photo, settings, &proposed);
    matches.truncate(MAX_PHOTO_MATCHES);
    for (place, near) in matches.iter().enumerate() {
        let mut better = matches[..place].iter().map(|better| better.reference);
        let twin = better.find(|better| index.are_near_duplicates(*better, near.reference));
        found.push(PhotoMatch {
            image_idx,
            reference: index.name(near.reference).clone(),
            bank,
            distance: near.distance,
            transform: near.alteration,
            quality: photo.features.quality,
            // As it is written, so that a match that was read again ranks as it did.
            score: near.score.map(round6).and_then(Probability::new),
            overlay: near.overlay,
            near_duplicate_of: twin.map(|twin| index.name(twin).clone()),
        });
    }
}
