//! Stub.
use touchstone_catalog::Snapshot;
use touchstone_pipeline::{Context, Judgement};
use touchstone_types::*;
pub fn foundations(v: &Verdict) -> Vec<CatalogKey> {
    v.brand_id.iter().map(|b| CatalogKey::Brand(b.clone())).collect()
}
pub fn judge_again(f: &Flag, _: &[KeptPhoto], c: &Context) -> Judgement {
    touchstone_pipeline::judge(f.listing(), &[], c)
}
pub fn is_live(s: &Snapshot, k: &CatalogKey) -> bool {
    match k {
        CatalogKey::Brand(b) => s.brand(b).is_some(),
        _ => true,
    }
}
pub fn kept(_: &Judgement) -> Vec<KeptPhoto> {
    Vec::new()
}
