//! What listings are judged with: follows the catalog, and is swapped whole when it changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use touchstone_catalog::{Catalog, Snapshot};
use touchstone_pipeline::{Context, Judgement, PhotoInput};
use touchstone_text::Lexicon;
use touchstone_types::{CatalogKey, CatalogRecord, Listing, PhotoFeatures, Reference};

/// Judges one listing; `photos` has one entry for each image of it. A panic makes that listing a dead letter.
pub type JudgeFn = Arc<dyn Fn(&Listing, &[PhotoInput]) -> Judgement + Send + Sync>;

/// What listings are judged with in one state of the catalog.
#[derive(Clone)]
pub struct Bench {
    /// The judge.
    pub judge: JudgeFn,
    /// How many photos of a listing are looked at; the rest are `not_fetched`.
    pub max_images: usize,
}

/// Follows the catalog and makes a [`Bench`] of its state. Everything here runs on the thread that follows the catalog
/// topic, never on a thread that judges.
pub trait Judging: Send {
    /// A record was added or replaced.
    fn insert(&mut self, record: CatalogRecord);
    /// A record was deleted.
    fn remove(&mut self, key: &CatalogKey);
    /// What to judge with from now on.
    fn bench(&mut self) -> Bench;
    /// Reference photos that have no features yet, each with its address.
    fn photos_without_features(&self) -> Vec<(Reference, String)> {
        Vec::new()
    }
    /// Completes a reference photo.
    fn set_features(&mut self, _photo: &Reference, _features: PhotoFeatures) {}
}

/// The pipeline over the catalog of the topic: what `touchstone run` judges with.
#[derive(Debug)]
pub struct PipelineJudging {
    catalog: Catalog,
    lexicon: Arc<Lexicon>,
    context: Context,
    /// The snapshot of the last bench; none before the first.
    snapshot: Option<Arc<Snapshot>>,
    merge: Option<Merge>,
}

/// A merge of the snapshot's delta into its base, under way on a thread of its own.
#[derive(Debug)]
struct Merge {
    merged: JoinHandle<Snapshot>,
    /// What changed since it began.
    since: Changes,
}

type Changes = BTreeMap<CatalogKey, Option<Arc<CatalogRecord>>>;

impl PipelineJudging {
    /// Judges with the model and the policy of `context`; its catalog is replaced by what the topic holds. `lexicon` is
    /// the one that `context` was made with.
    pub fn new(lexicon: Arc<Lexicon>, context: Context) -> Self {
        Self { catalog: Catalog::new(), lexicon, context, snapshot: None, merge: None }
    }

    /// The snapshot of the catalog as it is now: the first is built, later ones take the changes in.
    fn refresh(&mut self) -> Arc<Snapshot> {
        let changes = self.catalog.take_changes();
        let next = match self.snapshot.take() {
            None => self.catalog.snapshot(&self.lexicon),
            Some(last) => self.after_merge(&changes).unwrap_or_else(|| last.with_changes(&changes)),
        };
        let next = Arc::new(next);
        if self.merge.is_none() && next.wants_merge() {
            self.merge = start_merge(Arc::clone(&next));
        }
        self.snapshot = Some(Arc::clone(&next));
        next
    }

    /// Notes the changes for a merge that is under way; its result with all of them, if it is ready.
    fn after_merge(&mut self, changes: &Changes) -> Option<Snapshot> {
        self.merge.as_mut()?.since.extend(changes.clone());
        let ready = self.merge.take_if(|merge| merge.merged.is_finished())?;
        match ready.merged.join() {
            Ok(merged) => Some(merged.with_changes(&ready.since)),
            Err(_) => {
                tracing::error!("merging the catalog's changes panicked; going on without");
                None
            }
        }
    }
}

/// Merges on another thread, so that later changes need not wait.
fn start_merge(snapshot: Arc<Snapshot>) -> Option<Merge> {
    let work = move || snapshot.merged();
    match thread::Builder::new().name("merge".into()).spawn(work) {
        Ok(merged) => Some(Merge { merged, since: Changes::new() }),
        Err(error) => {
            tracing::warn!(%error, "no thread to merge the catalog's changes on; going on without");
            None
        }
    }
}

impl Judging for PipelineJudging {
    fn insert(&mut self, record: CatalogRecord) {
        self.catalog.insert(record);
    }

    fn remove(&mut self, key: &CatalogKey) {
        self.catalog.remove(key);
    }

    fn bench(&mut self) -> Bench {
        let snapshot = self.refresh();
        let context = self.context.with_snapshot(snapshot);
        let max_images = context.policy().max_images();
        Bench {
            judge: Arc::new(move |listing, photos| touchstone_pipeline::judge(listing, photos, &context)),
            max_images,
        }
    }

    fn photos_without_features(&self) -> Vec<(Reference, String)> {
        self.catalog.photos_without_features().map(|(photo, url)| (photo, url.to_owned())).collect()
    }

    fn set_features(&mut self, photo: &Reference, features: PhotoFeatures) {
        self.catalog.set_features(photo, features);
    }
}
