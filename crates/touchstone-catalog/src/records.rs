//! The live records by key: cheap to clone, so that every snapshot holds its own state of them.

use std::sync::Arc;

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use touchstone_types::{BrandId, CatalogKey, CatalogRecord, ProductId};

use crate::file::CatalogFile;

/// Records in memory, over the rows of a compiled file if there is one. Clones share what did not change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records {
    file: Option<Arc<CatalogFile>>,
    /// Rows of the file that were replaced or deleted.
    hidden: RedBlackTreeSetSync<CatalogKey>,
    live: RedBlackTreeMapSync<CatalogKey, Arc<CatalogRecord>>,
}

impl Records {
    /// Records that lie in memory.
    pub(crate) fn in_memory(live: RedBlackTreeMapSync<CatalogKey, Arc<CatalogRecord>>) -> Self {
        Self { live, ..Self::default() }
    }

    /// The rows of a compiled file.
    pub(crate) fn of_file(file: CatalogFile) -> Self {
        Self { file: Some(Arc::new(file)), ..Self::default() }
    }

    /// The record under a key. A row of a file is read anew each time.
    pub(crate) fn get(&self, key: &CatalogKey) -> Option<Arc<CatalogRecord>> {
        if let Some(record) = self.live.get(key) {
            return Some(Arc::clone(record));
        }
        let file = self.file.as_ref()?;
        if self.hidden.contains(key) { None } else { file.get(key).map(Arc::new) }
    }

    /// Puts a record in the place of whatever stood under its key.
    pub(crate) fn insert(&mut self, key: CatalogKey, record: Arc<CatalogRecord>) {
        self.hide(&key);
        self.live.insert_mut(key, record);
    }

    /// Deletes the record under a key.
    pub(crate) fn remove(&mut self, key: &CatalogKey) {
        self.hide(key);
        self.live.remove_mut(key);
    }

    fn hide(&mut self, key: &CatalogKey) {
        if self.file.is_some() {
            self.hidden.insert_mut(key.clone());
        }
    }

    /// The products of a brand.
    pub(crate) fn products_of(&self, brand: &BrandId) -> Vec<Arc<CatalogRecord>> {
        let rows = self.file.iter().flat_map(|file| file.products_of(brand));
        let unchanged = rows.filter(|row| !self.hidden.contains(&row.key())).map(Arc::new);
        // No product id sorts before this one.
        let first = CatalogKey::Product(brand.clone(), ProductId::new("\0").expect("not empty"));
        let of_brand = |(key, _): &(&CatalogKey, _)| matches!(key, CatalogKey::Product(of, _) if of == brand);
        unchanged.chain(self.live.range(first..).take_while(of_brand).map(|(_, r)| Arc::clone(r))).collect()
    }

    /// All records, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Arc<CatalogRecord>> + '_ {
        let rows = self.file.iter().flat_map(|file| file.iter());
        let unchanged = rows.filter(|row| !self.hidden.contains(&row.key())).map(Arc::new);
        unchanged.chain(self.live.values().map(Arc::clone))
    }
}
