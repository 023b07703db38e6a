//! Photos of the catalog that were submitted without features: fetched once each, in the background.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tokio::runtime::Handle;
use touchstone_pipeline::PhotoInput;
use touchstone_types::PhotoFeatures;

use crate::judging::Judging;
use crate::photos::Photographer;

/// How long one reference photo may take. Nothing waits for it.
const DEADLINE: Duration = Duration::from_secs(30);

/// How many reference photos are fetched at the same time, so that listings' photos keep their turn.
const MAX_AT_ONCE: usize = 4;

/// Fetches what is missing and hands it in when it is there. What fails is not tried again until the worker restarts: the
/// right place for features is the catalog record itself.
pub(crate) struct ReferencePhotos {
    photographer: Arc<Photographer>,
    runtime: Handle,
    /// Addresses that were asked for; features of those that came.
    known: BTreeMap<String, Option<PhotoFeatures>>,
    waiting: BTreeSet<String>,
    n_running: usize,
    sender: Sender<(String, PhotoInput)>,
    receiver: Receiver<(String, PhotoInput)>,
}

impl ReferencePhotos {
    pub(crate) fn new(photographer: Arc<Photographer>) -> Self {
        let (sender, receiver) = channel();
        let runtime = Handle::current();
        let (known, waiting) = (BTreeMap::new(), BTreeSet::new());
        Self { photographer, runtime, known, waiting, n_running: 0, sender, receiver }
    }

    /// Takes in what has arrived. True if something did, so that it is time to [`complete`](Self::complete).
    pub(crate) fn take_in(&mut self) -> bool {
        let mut arrived = false;
        while let Ok((url, result)) = self.receiver.try_recv() {
            self.n_running -= 1;
            match result {
                Ok(photo) => {
                    self.known.insert(url, Some(photo.features));
                    arrived = true;
                }
                Err(failure) => tracing::warn!(url, failure = failure.as_str(), "reference photo"),
            }
        }
        self.start_some();
        arrived
    }

    /// Completes the photos whose features are known and asks for the others; true if the catalog changed by it.
    pub(crate) fn complete(&mut self, judging: &mut dyn Judging) -> bool {
        let mut changed = false;
        for (photo, url) in judging.photos_without_features() {
            match self.known.get(&url) {
                Some(Some(features)) => {
                    judging.set_features(&photo, features.clone());
                    changed = true;
                }
                Some(None) => {}
                None => {
                    self.known.insert(url.clone(), None);
                    self.waiting.insert(url);
                }
            }
        }
        self.start_some();
        changed
    }

    fn start_some(&mut self) {
        while self.n_running < MAX_AT_ONCE
            && let Some(url) = self.waiting.pop_first()
        {
            self.n_running += 1;
            let (photographer, sender) = (Arc::clone(&self.photographer), self.sender.clone());
            self.runtime.spawn(async move {
                let deadline = tokio::time::Instant::now() + DEADLINE;
                let result = photographer.fetch_one(&url, deadline).await;
                // Nobody waits any more once the worker has ended.
                let _ = sender.send((url, result));
            });
        }
    }
}
