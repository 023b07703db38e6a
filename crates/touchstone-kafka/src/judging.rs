//! What listings are judged with: follows the catalog, and is swapped whole when it changes.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use touchstone_catalog::{Catalog, ChangeSet, Changes, Snapshot};
use touchstone_pipeline::{Context, Judgement, PhotoInput};
use touchstone_text::Lexicon;
use touchstone_types::{CatalogKey, CatalogRecord, Flag, KeptPhoto, Listing, PhotoFeatures, Reference};

/// Judges one listing; `photos` has one entry for each image of it. A panic makes that listing a dead letter.
pub type JudgeFn = Arc<dyn Fn(&Listing, &[PhotoInput]) -> Judgement + Send + Sync>;

/// Judges a flagged listing again from what is remembered of it.
pub type JudgeAgainFn = Arc<dyn Fn(&Flag, &[KeptPhoto]) -> Judgement + Send + Sync>;

/// What listings are judged with in one state of the catalog.
#[derive(Clone)]
pub struct Bench {
    /// The judge.
    pub judge: JudgeFn,
    /// The judge of open flags, where the catalog has changed since they were judged.
    pub again: JudgeAgainFn,
    /// Whether the catalog has a record under this key.
    pub is_live: Arc<dyn Fn(&CatalogKey) -> bool + Send + Sync>,
    /// The catalog's digest, as verdicts name it in `versions.catalog`. Open flags that were judged with another one are judged
    /// again; empty: never.
    pub catalog: String,
    /// How many photos of a listing are looked at; the rest are `not_fetched`.
    pub max_images: usize,
}

impl Bench {
    /// A bench whose flags are never judged again because of the catalog.
    pub fn new(judge: JudgeFn, max_images: usize) -> Self {
        let again = {
            let judge = Arc::clone(&judge);
            move |flag: &Flag, _: &[KeptPhoto]| judge(flag.listing(), &[])
        };
        Self {
            judge,
            again: Arc::new(again),
            is_live: Arc::new(|_| true),
            catalog: String::new(),
            max_images,
        }
    }
}

impl std::fmt::Debug for Bench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bench").field("catalog", &self.catalog).finish_non_exhaustive()
    }
}

/// Makes the bytes of a state of the catalog.
pub type Save = Box<dyn FnOnce() -> Vec<u8> + Send>;

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
    /// Work for another thread: the bytes of the present state, as [`restore`](Self::restore) takes them. `None` if the state is not
    /// worth keeping.
    fn save(&self) -> Option<Save> {
        None
    }
    /// Takes up a state that was saved, in place of the present one.
    ///
    /// # Errors
    /// Why it cannot be used; nothing has changed then.
    fn restore(&mut self, _saved: &Bytes) -> Result<(), String> {
        Err("this judging keeps no state".into())
    }
    /// Completes a reference photo.
    fn set_features(&mut self, _photo: &Reference, _features: PhotoFeatures) {}
}

/// The pipeline over the catalog of the topic: what `touchstone run` judges with.
#[derive(Debug)]
pub struct PipelineJudging {
    lexicon: Arc<Lexicon>,
    context: Context,
    /// The snapshot of the last bench; empty before the first.
    snapshot: Arc<Snapshot>,
    changes: Changes,
    merge: Option<Merge>,
}

/// A merge of the snapshot's delta into its base, under way on a thread of its own.
#[derive(Debug)]
struct Merge {
    merged: JoinHandle<Snapshot>,
    /// What changed since it began.
    since: ChangeSet,
}

impl PipelineJudging {
    /// Judges with the model and the policy of `context`; its catalog is replaced by what the topic holds. `lexicon` is
    /// the one that `context` was made with.
    pub fn new(lexicon: Arc<Lexicon>, context: Context) -> Self {
        let snapshot = Arc::new(Catalog::new().snapshot(&lexicon));
        let changes = Changes::since(&snapshot);
        Self { lexicon, context, snapshot, changes, merge: None }
    }

    /// The snapshot of the catalog as it is now.
    fn refresh(&mut self) -> Arc<Snapshot> {
        let changes = self.changes.take();
        let next = self.after_merge(&changes).unwrap_or_else(|| self.snapshot.with_changes(&changes));
        self.snapshot = Arc::new(next);
        if self.merge.is_none() && self.snapshot.wants_merge() {
            self.merge = start_merge(Arc::clone(&self.snapshot));
        }
        Arc::clone(&self.snapshot)
    }

    /// Notes the changes for a merge that is under way; its result with all of them, if it is ready.
    fn after_merge(&mut self, changes: &ChangeSet) -> Option<Snapshot> {
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
        Ok(merged) => Some(Merge { merged, since: ChangeSet::new() }),
        Err(error) => {
            tracing::warn!(%error, "no thread to merge the catalog's changes on; going on without");
            None
        }
    }
}

impl Judging for PipelineJudging {
    fn insert(&mut self, record: CatalogRecord) {
        self.changes.insert(record);
    }

    fn remove(&mut self, key: &CatalogKey) {
        self.changes.remove(key);
    }

    fn bench(&mut self) -> Bench {
        let snapshot = self.refresh();
        let context = self.context.with_snapshot(snapshot);
        let max_images = context.policy().max_images();
        let catalog = context.versions().catalog.clone();
        let context = Arc::new(context);
        let (again, live) = (Arc::clone(&context), Arc::clone(&context));
        Bench {
            judge: Arc::new(move |listing, photos| touchstone_pipeline::judge(listing, photos, &context)),
            again: Arc::new(move |flag, kept| touchstone_pipeline::judge_again(flag, kept, &again)),
            is_live: Arc::new(move |key| live.snapshot().is_live(key)),
            catalog,
            max_images,
        }
    }

    fn photos_without_features(&self) -> Vec<(Reference, String)> {
        self.changes.photos_without_features(&self.snapshot)
    }

    fn set_features(&mut self, photo: &Reference, features: PhotoFeatures) {
        self.changes.set_features(photo, features, &self.snapshot);
    }
    fn save(&self) -> Option<Save> {
        let snapshot = Arc::clone(&self.snapshot);
        Some(Box::new(move || snapshot.to_bytes()))
    }

    fn restore(&mut self, saved: &Bytes) -> Result<(), String> {
        let snapshot = Snapshot::from_bytes(saved, &self.lexicon).map_err(|error| error.to_string())?;
        self.changes = Changes::since(&snapshot);
        (self.snapshot, self.merge) = (Arc::new(snapshot), None);
        Ok(())
    }
}
