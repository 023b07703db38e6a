//! From the URL of a photo to the photo, within a deadline.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use touchstone_image_hash::{DecodeLimits, Photo};
use touchstone_types::PhotoFailure;

use crate::cache::{Outcome, PhotoCache};
use crate::client::{Answer, Download, PhotoClient};
use crate::dns::{Resolver, SystemResolver};
use crate::error::{FetchError, Problem};
use crate::settings::FetchSettings;

/// Fetches photos and hashes them. Clones share their limits, connections and memory of photos.
///
/// It needs a Tokio runtime with its network and time drivers enabled.
#[derive(Clone)]
pub struct Fetcher {
    client: Arc<PhotoClient>,
    cache: Arc<PhotoCache>,
    decoders: Arc<Semaphore>,
    limits: DecodeLimits,
}

impl Fetcher {
    /// A fetcher with these settings that asks the operating system for addresses.
    ///
    /// # Errors
    /// A setting that is not what it should be, or a machine without root certificates.
    pub fn new(settings: &FetchSettings) -> Result<Self, FetchError> {
        Self::with_resolver(settings, Arc::new(SystemResolver))
    }

    /// A fetcher with these settings that asks `resolver` for addresses, and trusts it as little.
    ///
    /// # Errors
    /// As [`Fetcher::new`].
    pub fn with_resolver(settings: &FetchSettings, resolver: Arc<dyn Resolver>) -> Result<Self, FetchError> {
        let n_decoders = settings.max_decoding.get().min(Semaphore::MAX_PERMITS);
        Ok(Self {
            client: Arc::new(PhotoClient::new(settings, resolver)?),
            cache: Arc::new(PhotoCache::new(settings)),
            decoders: Arc::new(Semaphore::new(n_decoders)),
            limits: settings.decode,
        })
    }

    /// The photo that stands under `url` now.
    ///
    /// The host is asked each time; only where it says that the bytes are the ones it gave before, or gives the same bytes,
    /// are remembered features used. Decoding runs on Tokio's pool for blocking work; one that is not done at the deadline
    /// is finished in the background, so that the next question finds its result.
    ///
    /// # Errors
    /// Why there is no photo, as a verdict's `missing` says it: `Timeout` at `deadline` (nothing is sent when it has
    /// passed already), `Refused` for an address that is never fetched and for a host that cannot be reached, cannot prove
    /// its name or breaks off, `Status` for any answer but the picture, also too many redirects, `TooLarge` beyond the
    /// limits on bytes and pixels, `Undecodable` for what is no picture. A host that rests after failures (see
    /// [`FetchSettings::host_failures`]) fails at once, as it did the last time. The reason in detail is logged at level `debug`.
    pub async fn photo(&self, url: &str, deadline: Instant) -> Result<Photo, PhotoFailure> {
        if deadline <= Instant::now() {
            return Err(PhotoFailure::Timeout);
        }
        match timeout_at(deadline, self.look(url, deadline)).await {
            Ok(Ok(photo)) => Ok(Arc::unwrap_or_clone(photo)),
            Ok(Err(problem)) => {
                let cause = std::error::Error::source(&problem).map(ToString::to_string);
                tracing::debug!(%problem, cause, "a photo was not fetched");
                Err(problem.failure())
            }
            Err(_elapsed) => Err(PhotoFailure::Timeout),
        }
    }

    async fn look(&self, url: &str, deadline: Instant) -> Result<Arc<Photo>, Problem> {
        let (answer, turn) = self.client.get(url, &self.cache, deadline).await?;
        match answer {
            Answer::Unchanged(outcome) => Ok(outcome?),
            Answer::Bytes(download) => self.read(download, turn).await,
        }
    }

    async fn read(&self, download: Download, turn: OwnedSemaphorePermit) -> Result<Arc<Photo>, Problem> {
        let decoders = Arc::clone(&self.decoders);
        let decoder = decoders.acquire_owned().await.expect("the semaphore is never closed");
        let (cache, limits) = (Arc::clone(&self.cache), self.limits);
        // The turns go with the work: they are free when it is done, not when the caller stops waiting for it.
        let work = move || {
            let outcome = remembered(&cache, download, &limits);
            drop((decoder, turn));
            outcome
        };
        Ok(tokio::task::spawn_blocking(work).await.map_err(|_| Problem::Panicked)??)
    }
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Reads the bytes as a photo, or remembers what became of the same bytes before.
fn remembered(cache: &PhotoCache, download: Download, limits: &DecodeLimits) -> Outcome {
    let content = Sha256::digest(&download.bytes).into();
    let outcome = cache.outcome(&content).unwrap_or_else(|| {
        let outcome = touchstone_image_hash::photo(&download.bytes, limits).map(Arc::new);
        cache.remember(content, outcome.clone());
        outcome
    });
    cache.tag(&download.url, download.tag, content);
    outcome
}
