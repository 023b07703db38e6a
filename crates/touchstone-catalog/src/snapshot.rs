//! One immutable view of the catalog, with the indexes that the stages search.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use touchstone_image_hash::{MatchSettings, Photo};
use touchstone_text::{Change, Lexicon, TextIndex};
use touchstone_types::{
    BrandId, BrandRecord, CatalogKey, CatalogRecord, KeptPhoto, PhotoMatch, PhotoSearch, ProductId,
    ProductRecord, Reference, ReferenceImage,
};

use crate::digest::SetDigest;
use crate::photo_changes::{PhotoChanges, images};
use crate::photos::Photos;
use crate::records::Records;

/// Up to so many changed products a delta is searched beside the base; more at once are cheaper to build in.
const MIN_DELTA: usize = 4_096;

/// More than one in so many of all products are cheaper to build in, too.
const MAX_SHARE: usize = 16;

/// The live records with their indexes: immutable, shared, swapped whole. What it answers depends only on the set of live
/// records, not on how that set came about.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) records: Records,
    pub(crate) brands: Arc<BTreeMap<BrandId, BrandRecord>>,
    /// How many products have a live brand.
    pub(crate) n_products: usize,
    /// Active records that have photos.
    pub(crate) pictured: RedBlackTreeSetSync<CatalogKey>,
    pub(crate) text: TextIndex,
    pub(crate) photos: Arc<Photos>,
    pub(crate) digest: SetDigest,
    pub(crate) digest_text: String,
}

/// A product of a snapshot.
#[derive(Debug, Clone)]
pub struct LiveProduct(Arc<CatalogRecord>);

impl Deref for LiveProduct {
    type Target = ProductRecord;

    fn deref(&self) -> &ProductRecord {
        let CatalogRecord::Product(product) = &*self.0 else { unreachable!("made of products alone") };
        product
    }
}

impl Snapshot {
    /// Builds the indexes; a product without a brand record is inactive.
    pub(crate) fn build(
        live: RedBlackTreeMapSync<CatalogKey, Arc<CatalogRecord>>,
        lexicon: &Arc<Lexicon>,
    ) -> Self {
        let (mut brands, mut products) = (BTreeMap::new(), Vec::new());
        let mut pictured = RedBlackTreeSetSync::new_sync();
        let mut digest = SetDigest::default();
        // Keys are ordered brand, product, fake, benign: every brand is known before its products come.
        for (key, record) in &live {
            digest.add(record);
            match &**record {
                CatalogRecord::Brand(brand) => drop(brands.insert(brand.brand_id.clone(), brand.clone())),
                CatalogRecord::Product(product) if !brands.contains_key(&product.brand_id) => continue,
                CatalogRecord::Product(product) => products.push(product),
                CatalogRecord::Fake(_) | CatalogRecord::Benign(_) => {}
            }
            if !record.images().is_empty() {
                pictured.insert_mut(key.clone());
            }
        }
        let photos = Photos::build(pictured.iter().filter_map(|key| live.get(key)));
        Self {
            text: TextIndex::build(lexicon, brands.values(), products.iter().copied()),
            n_products: products.len(),
            brands: Arc::new(brands),
            pictured,
            photos: Arc::new(photos),
            digest_text: digest.text(),
            digest,
            records: Records::in_memory(live),
        }
    }

    /// The state after some changes: `None` deletes. The two share what did not change, and the cost is that of the
    /// changes and of the earlier ones not yet merged by [`merged`](Self::merged), not that of the catalog; only thousands of
    /// changes at once have all products indexed anew. Of photos only those of changed records are touched; a brand that comes or
    /// goes takes those of all its products with it.
    pub fn with_changes(&self, changes: &BTreeMap<CatalogKey, Option<Arc<CatalogRecord>>>) -> Self {
        let mut next = self.clone();
        let mut edits = Vec::new();
        let mut photos = PhotoChanges::default();
        // Brands come before products, so that a product is active or not by the brands of the new state.
        for (key, new) in changes {
            let old = next.records.get(key);
            if old == *new {
                continue;
            }
            if let Some(old) = &old {
                next.digest.remove(old);
            }
            match new {
                Some(new) => {
                    next.digest.add(new);
                    next.records.insert(key.clone(), Arc::clone(new));
                }
                None => next.records.remove(key),
            }
            match key {
                CatalogKey::Brand(id) => next.change_brand(id, new.as_ref(), &mut edits, &mut photos),
                CatalogKey::Product(id, _) if !next.brands.contains_key(id) => {}
                CatalogKey::Product(..) => {
                    next.change_product(key, old.as_deref(), new.clone(), &mut edits, &mut photos);
                }
                CatalogKey::Fake(..) | CatalogKey::Benign(_) => {
                    next.change_photos(key, old.as_deref(), new.as_deref(), &mut photos);
                }
            }
        }
        next.text = match edits.len() > MIN_DELTA.max(next.n_products / MAX_SHARE) {
            false => next.text.with_changes(edits.iter().map(Edit::as_change)),
            true => next.text_built_anew(),
        };
        if !photos.is_empty() {
            next.photos = Arc::new(next.photos.with_changes(photos));
        }
        next.digest_text = next.digest.text();
        next
    }

    fn text_built_anew(&self) -> TextIndex {
        let records: Vec<Arc<CatalogRecord>> = self.records.iter().collect();
        let active = records.iter().filter_map(|record| match &**record {
            CatalogRecord::Product(product) => self.brands.contains_key(&product.brand_id).then_some(product),
            _ => None,
        });
        TextIndex::build(self.text.lexicon(), self.brands.values(), active)
    }

    /// A brand came, changed or went; its products follow it.
    fn change_brand(
        &mut self,
        id: &BrandId,
        new: Option<&Arc<CatalogRecord>>,
        edits: &mut Vec<Edit>,
        photos: &mut PhotoChanges,
    ) {
        let brands = Arc::make_mut(&mut self.brands);
        let was_live = match new.map(|record| (record, &**record)) {
            Some((record, CatalogRecord::Brand(brand))) => {
                edits.push(Edit::Put(Arc::clone(record)));
                brands.insert(id.clone(), brand.clone()).is_some()
            }
            _ => {
                edits.push(Edit::Delete(CatalogKey::Brand(id.clone())));
                brands.remove(id).is_some()
            }
        };
        if was_live == new.is_some() {
            return;
        }
        for product in self.records.products_of(id) {
            let key = product.key();
            let before = was_live.then(|| Arc::clone(&product));
            let now = new.is_some().then_some(product);
            self.change_product(&key, before.as_deref(), now, edits, photos);
        }
    }

    /// An active product came, changed or went.
    fn change_product(
        &mut self,
        key: &CatalogKey,
        old: Option<&CatalogRecord>,
        new: Option<Arc<CatalogRecord>>,
        edits: &mut Vec<Edit>,
        photos: &mut PhotoChanges,
    ) {
        self.change_photos(key, old, new.as_deref(), photos);
        self.n_products =
            (self.n_products + usize::from(new.is_some())).saturating_sub(usize::from(old.is_some()));
        edits.push(new.map_or_else(|| Edit::Delete(key.clone()), Edit::Put));
    }

    /// An active record came, changed or went, perhaps with photos.
    fn change_photos(
        &mut self,
        key: &CatalogKey,
        old: Option<&CatalogRecord>,
        new: Option<&CatalogRecord>,
        photos: &mut PhotoChanges,
    ) {
        match images(new).is_empty() {
            false => self.pictured.insert_mut(key.clone()),
            true => drop(self.pictured.remove_mut(key)),
        }
        photos.add(key, old, new);
    }

    /// Whether so many products or photos changed since the last merge that it is time for [`merged`](Self::merged).
    pub fn wants_merge(&self) -> bool {
        self.text.delta_len() > MIN_DELTA || self.photos.wants_merge()
    }

    /// The same state with its changes merged into the indexes: the same answers, cheaper. It takes as long as building the
    /// indexes that changed, so call it on a thread that nobody waits for.
    pub fn merged(&self) -> Self {
        Self { text: self.text.compacted(), photos: Arc::new(self.photos.merged()), ..self.clone() }
    }

    /// The brand `id`, if it lives.
    pub fn brand(&self, id: &BrandId) -> Option<&BrandRecord> {
        self.brands.get(id)
    }

    /// The live brands in the order of their ids.
    pub fn brands(&self) -> impl Iterator<Item = &BrandRecord> {
        self.brands.values()
    }

    /// The product, if it lives and its brand does.
    pub fn product(&self, brand: &BrandId, id: &ProductId) -> Option<LiveProduct> {
        self.brands.get(brand)?;
        let record = self.records.get(&CatalogKey::Product(brand.clone(), id.clone()))?;
        matches!(*record, CatalogRecord::Product(_)).then_some(LiveProduct(record))
    }

    /// The live products whose brand lives, in no particular order.
    pub fn products(&self) -> impl Iterator<Item = LiveProduct> + '_ {
        let active = |record: &Arc<CatalogRecord>| match &**record {
            CatalogRecord::Product(product) => self.brands.contains_key(&product.brand_id),
            _ => false,
        };
        self.records.iter().filter(active).map(LiveProduct)
    }

    /// Whether the record under this key takes part: a product only while its brand lives.
    pub fn is_live(&self, key: &CatalogKey) -> bool {
        match key {
            CatalogKey::Brand(id) => self.brands.contains_key(id),
            CatalogKey::Product(brand, _) if !self.brands.contains_key(brand) => false,
            CatalogKey::Product(..) | CatalogKey::Fake(..) | CatalogKey::Benign(_) => {
                self.records.get(key).is_some()
            }
        }
    }

    /// The index that the text stage searches.
    pub fn text(&self) -> &TextIndex {
        &self.text
    }

    /// The reference photos that a listing's photo was made of: the surest first, then the nearest by hash, ties by the order
    /// of catalog keys. Of each bank at most [`MAX_PHOTO_MATCHES`](crate::MAX_PHOTO_MATCHES), because one photo may be that
    /// of thousands of products; one that is nearly the same picture as a better one of its bank names that one.
    ///
    /// `proposed` are records that something else speaks for, such as products that the text is about: they are looked at
    /// whatever else comes near, and they alone where the catalog has too many photos for all of them to be looked at closely;
    /// see [`photo_search`](Self::photo_search).
    pub fn photo_matches(
        &self,
        image_idx: usize,
        photo: &Photo,
        settings: &MatchSettings<'_>,
        proposed: &[CatalogKey],
    ) -> Vec<PhotoMatch> {
        self.photos.matches(image_idx, photo, settings, proposed)
    }

    /// What [`photo_matches`](Self::photo_matches) tells of a photo, from what was kept of it and from `before`, the matches that its
    /// picture had in an earlier state of the catalog (those of other photos are passed over).
    ///
    /// - A match of `before` stays as it was while its reference lives and is the same photo: at the same distance from this one.
    ///   While the features of a reference that lives are still to be computed, it counts as the same; and where this photo's are of
    ///   another version than this build's, all do. Where the better match that it names is gone, it names another, or none.
    /// - Other references match where the photo is a whole copy of theirs by its hash in any of the eight orientations, within the
    ///   radius of `settings`; where the reference has a detail, only in the same colours and forms. They have no score.
    ///
    /// Of each bank at most [`MAX_PHOTO_MATCHES`](crate::MAX_PHOTO_MATCHES), those of `before` first of all; in the order of
    /// [`photo_matches`](Self::photo_matches), but for colours.
    pub fn kept_photo_matches(
        &self,
        photo: &KeptPhoto,
        before: &[PhotoMatch],
        settings: &MatchSettings<'_>,
    ) -> Vec<PhotoMatch> {
        self.photos.kept_matches(photo, before, settings.radius, &|reference| self.is_awaited(reference))
    }

    /// Whether a reference photo lives whose features are still to be computed.
    fn is_awaited(&self, photo: &Reference) -> bool {
        let record = self.records.get(&photo.key).filter(|_| self.is_live(&photo.key));
        let image = record.as_ref().and_then(|record| record.images().get(photo.image_idx));
        image.is_some_and(ReferenceImage::wants_features)
    }

    /// How widely [`photo_matches`](Self::photo_matches) searches, which depends on the reference photos alone: `Hash` if one
    /// of them has nothing but its hash (or a detail that this build cannot read), so that its altered copies are not found;
    /// else `Proposed` if they are too many, so that altered copies are found only of what is proposed or near by hash; else
    /// `All`, which is also the word where there is no photo to search. A photo without features of this build's version is
    /// not searched yet, and does not count.
    pub fn photo_search(&self) -> PhotoSearch {
        self.photos.search()
    }

    /// The live brands whose products have photos, whether or not these can be searched yet.
    pub fn photographed_brands(&self) -> impl Iterator<Item = &BrandRecord> {
        self.photos.brands().filter_map(|id| self.brands.get(id))
    }

    /// Whether a live record of a known fake has a photo.
    pub fn has_fake_photos(&self) -> bool {
        self.photos.of_fakes()
    }

    /// How many records live, inactive products included.
    pub fn n_records(&self) -> usize {
        self.digest.len()
    }

    /// How many products are active.
    pub fn n_products(&self) -> usize {
        self.n_products
    }

    /// The digest of the set of live records: 16 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest_text
    }
}

/// A change of the text index that owns what it puts there.
enum Edit {
    Put(Arc<CatalogRecord>),
    Delete(CatalogKey),
}

impl Edit {
    fn as_change(&self) -> Change<'_> {
        match self {
            Self::Put(record) => match &**record {
                CatalogRecord::Brand(brand) => Change::Brand(brand),
                CatalogRecord::Product(product) => Change::Product(product),
                CatalogRecord::Fake(_) | CatalogRecord::Benign(_) => unreachable!("they have no text index"),
            },
            Self::Delete(CatalogKey::Brand(brand)) => Change::RemoveBrand(brand),
            Self::Delete(CatalogKey::Product(brand, id)) => Change::RemoveProduct(brand, id),
            Self::Delete(_) => unreachable!("they have no text index"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;

    /// Whether a product that became `new` had photos indexed.
    fn indexes_photos(new: &str) -> bool {
        let record = |json: &str| CatalogRecord::from_json(json.as_bytes()).unwrap();
        let brand = r#"{"kind":"brand","brand_id":"lumora","name":"Lumora"}"#;
        let mut catalog = Catalog::from_iter([record(brand), record(&product("Lumora 20", "1"))]);
        let before = catalog.snapshot(&Arc::new(Lexicon::builtin()));
        catalog.take_changes();
        catalog.insert(record(new));
        !Arc::ptr_eq(&before.photos, &before.with_changes(&catalog.take_changes()).photos)
    }

    fn product(title: &str, digit: &str) -> String {
        let image = format!(r#"{{"features":{{"version":1,"pdq":"{}","quality":90}}}}"#, digit.repeat(64));
        format!(
            r#"{{"kind":"product","brand_id":"lumora","product_id":"P","title":"{title}","images":[{image}]}}"#
        )
    }

    #[test]
    fn only_a_change_of_photos_touches_their_index() {
        assert!(!indexes_photos(&product("Lumora 20 Preto", "1")));
        assert!(indexes_photos(&product("Lumora 20", "2")));
        assert!(indexes_photos(&product("Lumora 20", "1").replace("\"P\"", "\"Q\"")));
        assert!(indexes_photos(
            r#"{"kind":"product","brand_id":"lumora","product_id":"P","title":"Lumora 20"}"#
        ));
    }
}
