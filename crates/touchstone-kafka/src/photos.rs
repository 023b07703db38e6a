//! From a listing's images to what the pipeline takes: features, or the reason why there are none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use touchstone_fetch::{FetchError, Fetcher};
use touchstone_image_hash::{DecodeLimits, Photo, photo};
use touchstone_pipeline::PhotoInput;
use touchstone_types::{Listing, ListingImage, PhotoFailure};

use crate::metrics::{Metrics, Stage};
use crate::settings::PhotoSettings;

/// Fetches photos within a deadline for each listing. The fetcher bounds how many are fetched at the same time.
pub(crate) struct Photographer {
    fetcher: Fetcher,
    deadline: Duration,
    /// One for each listing whose photos are being fetched: as many as photos at once.
    turns: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// Photos of a listing that were fetched, by their place; the others are not fetched or come with the listing.
pub(crate) type Fetched = Vec<(usize, Result<Photo, PhotoFailure>)>;

impl Photographer {
    pub(crate) fn new(settings: &PhotoSettings, metrics: Arc<Metrics>) -> Result<Arc<Self>, FetchError> {
        let fetcher = Fetcher::new(&settings.fetch_settings())?;
        let turns = Arc::new(Semaphore::new(settings.max_fetches.get()));
        Ok(Arc::new(Self { fetcher, deadline: settings.deadline(), turns, metrics }))
    }

    /// Waits for a listing's turn. How long that takes is this worker's own doing, a backlog for example, so no deadline runs yet:
    /// what waits is bounded by the gate.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// Fetches the photos that a listing only names. All of them together have the one deadline of the settings, in which
    /// waiting for hosts and for one another counts.
    ///
    /// # Errors
    /// A panic in fetching or decoding.
    pub(crate) async fn fetch(
        self: &Arc<Self>,
        listing: &Listing,
        max_images: usize,
    ) -> Result<Fetched, JoinError> {
        let started = Instant::now();
        let deadline = tokio::time::Instant::now() + self.deadline;
        let mut tasks = JoinSet::new();
        for (idx, url) in to_fetch(listing, max_images) {
            let (photographer, url) = (Arc::clone(self), url.to_owned());
            tasks.spawn(async move { (idx, photographer.fetch_one(&url, deadline).await) });
        }
        let mut fetched = Fetched::new();
        while let Some(result) = tasks.join_next().await {
            fetched.push(result?);
        }
        self.metrics.stage(Stage::Photos, started.elapsed());
        Ok(fetched)
    }

    /// Fetches one photo.
    pub(crate) async fn fetch_one(&self, url: &str, deadline: tokio::time::Instant) -> PhotoInput {
        // The fetcher keeps the deadline by itself; this holds also where a step of it forgets to.
        let result = tokio::time::timeout_at(deadline, self.fetcher.photo(url, deadline)).await;
        let result = result.unwrap_or(Err(PhotoFailure::Timeout));
        self.metrics.photo(result.as_ref().err().copied());
        result
    }
}

/// The images of a listing that have to be fetched, with their places.
pub(crate) fn to_fetch(listing: &Listing, max_images: usize) -> impl Iterator<Item = (usize, &str)> {
    let images = listing.images.iter().take(max_images).enumerate();
    images
        .filter(|(_, image)| image.data.is_none())
        .filter_map(|(idx, image)| Some((idx, image.url.as_deref()?)))
}

/// One entry for each image of the listing: decoded where its bytes came along, else what was fetched, else
/// `not_fetched`, as is everything from `max_images` on.
///
/// Uses the processor: decoding a picture takes milliseconds.
pub fn photo_inputs(
    listing: &Listing,
    fetched: &[(usize, PhotoInput)],
    limits: &DecodeLimits,
    max_images: usize,
) -> Vec<PhotoInput> {
    let input = |(idx, image): (usize, &ListingImage)| match &image.data {
        _ if idx >= max_images => Err(PhotoFailure::NotFetched),
        Some(bytes) => photo(bytes, limits).map_err(|error| error.failure()),
        None => fetched
            .iter()
            .find(|(place, _)| *place == idx)
            .map_or(Err(PhotoFailure::NotFetched), |(_, result)| result.clone()),
    };
    listing.images.iter().enumerate().map(input).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use touchstone_types::ListingImage;

    #[test]
    fn every_image_has_an_entry_and_bytes_win_over_addresses() {
        let json = br#"{"listing_id":"EX-1","title":"Lumora 20","seller":{"seller_id":"S-1"}}"#;
        let mut listing = Listing::from_json(json).unwrap();
        let image = |url: Option<&str>, data: Option<&[u8]>| ListingImage {
            url: url.map(Into::into),
            data: data.map(Into::into),
            ..ListingImage::default()
        };
        listing.images = vec![
            image(Some("https://a.example/1"), None),
            image(Some("https://a.example/2"), Some(b"no picture")),
            image(None, None),
            image(Some("https://a.example/4"), None),
        ];
        assert_eq!(to_fetch(&listing, 3).collect::<Vec<_>>(), [(0, "https://a.example/1")]);
        let fetched = [(0, Err(PhotoFailure::Timeout))];
        let inputs = photo_inputs(&listing, &fetched, &DecodeLimits::default(), 3);
        let failures: Vec<_> = inputs.iter().map(|input| input.as_ref().unwrap_err().as_str()).collect();
        assert_eq!(failures, ["timeout", "undecodable", "not_fetched", "not_fetched"]);
    }
}
