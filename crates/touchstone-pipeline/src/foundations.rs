//! The catalog records that a verdict stands on.

use std::collections::BTreeSet;

use touchstone_types::{CatalogKey, Evidence, Verdict};

/// Every catalog record that a verdict names: the brands that are claimed and the one that it is about, the products that are matched,
/// and the records whose photos are shown, harmless ones among them. In the order of the keys, each once.
pub fn foundations(verdict: &Verdict) -> Vec<CatalogKey> {
    let mut keys: BTreeSet<CatalogKey> = verdict.brand_id.iter().cloned().map(CatalogKey::Brand).collect();
    for evidence in &verdict.evidence {
        let key = match evidence {
            Evidence::BrandClaim(claim) => CatalogKey::Brand(claim.brand_id.clone()),
            Evidence::ProductMatch(found) => {
                CatalogKey::Product(found.brand_id.clone(), found.product_id.clone())
            }
            Evidence::PhotoMatch(found) => found.reference.key.clone(),
            _ => continue,
        };
        keys.insert(key);
    }
    keys.into_iter().collect()
}
