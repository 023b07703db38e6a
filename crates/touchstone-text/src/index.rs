//! Brands, products and the lexicon, compiled together for search.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use touchstone_types::{BrandId, BrandRecord, ProductId, ProductRecord};

use crate::SegmentError;
use crate::brands::{BrandIndex, KnownWords};
use crate::lexicon::Lexicon;
use crate::products::{ProductChange, ProductIndex};

/// Brands, products and the lexicon, compiled for search; immutable, and the same whatever the order of the records.
///
/// Products lie in a large base segment that all versions share, and in a small delta that each change copies
/// ([`TextIndex::with_changes`]), so a reader keeps what it holds and never waits. A change of products does not touch the
/// brands, nor the other way round. Cloning costs a few counters.
#[derive(Debug, Clone)]
pub struct TextIndex {
    pub(crate) lexicon: Arc<Lexicon>,
    pub(crate) brands: Arc<BrandIndex>,
    pub(crate) products: ProductIndex,
    brand_records: Arc<BTreeMap<BrandId, BrandRecord>>,
}

/// One change to a [`TextIndex`].
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// A new or changed brand.
    Brand(&'a BrandRecord),
    /// A brand's names are gone. Its products stay until they are removed one by one.
    RemoveBrand(&'a BrandId),
    /// A new or changed product.
    Product(&'a ProductRecord),
    /// A product is gone.
    RemoveProduct(&'a BrandId, &'a ProductId),
}

impl TextIndex {
    /// Compiles brands and products. Neither order matters; of two records with the same key the last counts. A product
    /// whose brand is not among `brands` is found all the same: the caller hands in live products only.
    pub fn build<'a>(
        lexicon: &Arc<Lexicon>,
        brands: impl IntoIterator<Item = &'a BrandRecord>,
        products: impl IntoIterator<Item = &'a ProductRecord>,
    ) -> Self {
        Self::with_products(lexicon, brands, ProductIndex::build(lexicon, products))
    }

    /// Compiles brands and opens a segment of products written by [`TextIndex::products_to_bytes`], which may be a mapped
    /// file ([`Bytes::from_owner`]): nothing of it is copied, and it is read where a search leads.
    ///
    /// Checked are header, version, lexicon and the bounds of all sections. Damage further inside makes answers wrong, but
    /// never panics; [`check_segment`] reads the whole and finds it.
    ///
    /// # Errors
    /// Bytes that are no segment, are cut off, have another layout, or were built with another lexicon.
    pub fn from_segment<'a>(
        lexicon: &Arc<Lexicon>,
        brands: impl IntoIterator<Item = &'a BrandRecord>,
        segment: Bytes,
    ) -> Result<Self, SegmentError> {
        Ok(Self::with_products(lexicon, brands, ProductIndex::open(lexicon, segment)?))
    }

    fn with_products<'a>(
        lexicon: &Arc<Lexicon>,
        brands: impl IntoIterator<Item = &'a BrandRecord>,
        products: ProductIndex,
    ) -> Self {
        let records: BTreeMap<BrandId, BrandRecord> =
            brands.into_iter().map(|b| (b.brand_id.clone(), b.clone())).collect();
        let brands = BrandIndex::build(lexicon, records.values());
        Self {
            lexicon: Arc::clone(lexicon),
            brands: Arc::new(brands),
            products,
            brand_records: Arc::new(records),
        }
    }

    /// The index after changes, in their order: it answers exactly as one built anew from the records that are left.
    ///
    /// The cost of product changes grows with [`TextIndex::delta_len`] and not with the catalog; a change of brands compiles
    /// all brand names anew.
    pub fn with_changes<'a>(&self, changes: impl IntoIterator<Item = Change<'a>>) -> Self {
        let mut products = Vec::new();
        let mut brands: Option<BTreeMap<BrandId, BrandRecord>> = None;
        for change in changes {
            let mut records = || brands.take().unwrap_or_else(|| (*self.brand_records).clone());
            match change {
                Change::Brand(record) => {
                    let mut records = records();
                    records.insert(record.brand_id.clone(), record.clone());
                    brands = Some(records);
                }
                Change::RemoveBrand(id) => {
                    let mut records = records();
                    records.remove(id);
                    brands = Some(records);
                }
                Change::Product(record) => products.push(ProductChange::Put(record)),
                Change::RemoveProduct(brand, product) => products.push(ProductChange::Remove(brand, product)),
            }
        }
        let mut changed = self.clone();
        changed.products = self.products.with_changes(&self.lexicon, &products);
        if let Some(records) = brands {
            changed.brands = Arc::new(BrandIndex::build(&self.lexicon, records.values()));
            changed.brand_records = Arc::new(records);
        }
        changed
    }

    /// How many products were put or removed since the base segment was built: what a change copies and a search looks at
    /// besides. Some ten thousand are no burden; beyond that [`TextIndex::compacted`] pays.
    pub fn delta_len(&self) -> usize {
        self.products.delta_len()
    }

    /// The same index with all products in one new base segment. It takes as long as the catalog is large, and may be done
    /// beside readers.
    #[must_use]
    pub fn compacted(&self) -> Self {
        Self { products: self.products.compacted(self.lexicon.id()), ..self.clone() }
    }

    /// How many products there are.
    pub fn n_products(&self) -> usize {
        self.products.len() as usize
    }

    /// The products as one segment, to be written to disk and opened by [`TextIndex::from_segment`]. The same products give
    /// the same bytes.
    pub fn products_to_bytes(&self) -> Vec<u8> {
        self.products.compacted(self.lexicon.id()).bytes().to_vec()
    }

    /// The lexicon that it was compiled with.
    pub fn lexicon(&self) -> &Arc<Lexicon> {
        &self.lexicon
    }

    pub(crate) fn known_words(&self) -> KnownWords<'_> {
        KnownWords { lexicon: &self.lexicon, products: &self.products }
    }
}

/// Reads a whole segment of products and compares its checksum, at the speed of memory.
///
/// # Errors
/// Bytes that are too short, or are not those that were written.
pub fn check_segment(bytes: &[u8]) -> Result<(), SegmentError> {
    crate::products::check(bytes)
}
