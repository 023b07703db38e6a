//! One immutable view of the catalog, with the indexes that the stages search.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use touchstone_image_hash::{Photo, PhotoIndex};
use touchstone_text::{Lexicon, TextIndex};
use touchstone_types::{
    Bank, BrandId, BrandRecord, CatalogKey, CatalogRecord, HammingDistance, PhotoMatch, ProductId,
    ProductRecord, Reference,
};

/// How many reference photos of one bank are named for one photo of a listing.
pub const MAX_PHOTO_MATCHES: usize = 10;

/// The live records with their indexes: immutable, shared, swapped whole. What it answers depends only on the set of live
/// records.
#[derive(Debug)]
pub struct Snapshot {
    brands: BTreeMap<BrandId, BrandRecord>,
    products: BTreeMap<BrandId, BTreeMap<ProductId, ProductRecord>>,
    text: TextIndex,
    photos: PhotoIndex,
    /// The reference photo at each position of `photos`.
    references: Vec<(Reference, Bank)>,
    /// Brands whose live products have photos, whether or not they can be searched yet.
    photographed: BTreeSet<BrandId>,
    /// Whether a live record of a known fake has a photo, likewise.
    has_fake_photos: bool,
    digest: String,
    n_records: usize,
}

impl Snapshot {
    /// Builds the indexes. Of records with one key the last counts; a product without a brand record is inactive.
    pub fn build<'a>(records: impl IntoIterator<Item = &'a CatalogRecord>, lexicon: &Arc<Lexicon>) -> Self {
        let live: BTreeMap<CatalogKey, &CatalogRecord> = records.into_iter().map(|r| (r.key(), r)).collect();
        let (mut brands, mut products) = (BTreeMap::new(), BTreeMap::<_, BTreeMap<_, _>>::new());
        let (mut references, mut features) = (Vec::new(), Vec::new());
        let (mut photographed, mut has_fake_photos) = (BTreeSet::new(), false);
        // Keys are ordered brand, product, fake, benign: every brand is known before its products come.
        for (key, record) in &live {
            let bank = match record {
                CatalogRecord::Brand(brand) => {
                    brands.insert(brand.brand_id.clone(), brand.clone());
                    continue;
                }
                CatalogRecord::Product(product) if !brands.contains_key(&product.brand_id) => continue,
                CatalogRecord::Product(product) => {
                    let of_brand = products.entry(product.brand_id.clone()).or_default();
                    of_brand.insert(product.product_id.clone(), product.clone());
                    if !product.images.is_empty() {
                        photographed.insert(product.brand_id.clone());
                    }
                    Bank::Genuine
                }
                CatalogRecord::Fake(fake) => {
                    has_fake_photos |= !fake.images.is_empty();
                    Bank::Fake
                }
                CatalogRecord::Benign(_) => Bank::Benign,
            };
            for (image_idx, image) in record.images().iter().enumerate() {
                if let Some(found) = image.features {
                    features.push(found);
                    references.push((Reference { key: key.clone(), image_idx }, bank));
                }
            }
        }
        Self {
            text: TextIndex::build(lexicon, brands.values(), products.values().flat_map(BTreeMap::values)),
            brands,
            products,
            photos: PhotoIndex::new(features),
            references,
            photographed,
            has_fake_photos,
            digest: digest(&live),
            n_records: live.len(),
        }
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
    pub fn product(&self, brand: &BrandId, id: &ProductId) -> Option<&ProductRecord> {
        self.products.get(brand)?.get(id)
    }

    /// The index that the text stage searches.
    pub fn text(&self) -> &TextIndex {
        &self.text
    }

    /// The reference photos within `radius` of a listing's photo, nearest first, ties by the order of catalog keys; of each
    /// bank at most [`MAX_PHOTO_MATCHES`], because one photo may be that of thousands of products.
    pub fn photo_matches(&self, image_idx: usize, photo: &Photo, radius: HammingDistance) -> Vec<PhotoMatch> {
        let mut room =
            BTreeMap::from([Bank::Genuine, Bank::Fake, Bank::Benign].map(|bank| (bank, MAX_PHOTO_MATCHES)));
        let mut found = Vec::new();
        for near in self.photos.matches(photo, radius) {
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

    /// The live brands whose products have photos, whether or not these can be searched yet.
    pub fn photographed_brands(&self) -> impl Iterator<Item = &BrandRecord> {
        self.photographed.iter().filter_map(|id| self.brands.get(id))
    }

    /// Whether a live record of a known fake has a photo.
    pub fn has_fake_photos(&self) -> bool {
        self.has_fake_photos
    }

    /// How many records live, inactive products included.
    pub fn n_records(&self) -> usize {
        self.n_records
    }

    /// How many products are active.
    pub fn n_products(&self) -> usize {
        self.products.values().map(BTreeMap::len).sum()
    }

    /// The digest of the set of live records: 16 hexadecimal digits of SHA-256.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// Every record contributes its length and its canonical JSON, in the order of the keys.
fn digest(live: &BTreeMap<CatalogKey, &CatalogRecord>) -> String {
    let mut hash = Sha256::new();
    for record in live.values() {
        let json = record.to_json();
        hash.update((json.len() as u64).to_be_bytes());
        hash.update(json);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
