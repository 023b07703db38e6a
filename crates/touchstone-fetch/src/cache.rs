//! What is remembered of photos: their features by content, and by URL what the host needs to say "unchanged".

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::header::HeaderValue;
use sha2::{Digest, Sha256};
use touchstone_image_hash::{DecodeError, Photo};
use url::Url;

use crate::lru::LruMap;
use crate::settings::FetchSettings;

/// What an entry takes beside a photo's features: its keys in both maps of an [`LruMap`], its error. An upper estimate, in bytes.
const ENTRY_BYTES: u64 = 512;

/// Entity tags longer than this are not kept, in bytes.
const MAX_TAG_BYTES: usize = 256;

/// SHA-256 of a file's bytes, or of a URL.
pub(crate) type Digest256 = [u8; 32];

/// What reading a file came to. Failures are kept too: the same bytes fail the same way, and may have been dear to try.
///
/// A photo is shared, so that a look into the cache copies nothing under its lock.
pub(crate) type Outcome = Result<Arc<Photo>, DecodeError>;

/// Features by content, bounded in bytes; entity tags by URL, bounded in number.
///
/// A `Last-Modified` date is no tag: it counts seconds, copying tools and deployments set it at will, and RFC 9110 (section
/// 8.8.2.2) calls it weak unless the host's clock says more. Not using it costs a download and no decoding, because the same
/// bytes are known by their digest.
#[derive(Debug)]
pub(crate) struct PhotoCache {
    outcomes: Mutex<LruMap<Digest256, Outcome>>,
    /// A URL is kept as its digest, so that long ones cost no more.
    tags: Mutex<LruMap<Digest256, (HeaderValue, Digest256)>>,
}

impl PhotoCache {
    pub(crate) fn new(settings: &FetchSettings) -> Self {
        let capacity = settings.cached_photos;
        Self {
            outcomes: Mutex::new(LruMap::new(capacity, settings.max_cache_bytes)),
            tags: Mutex::new(LruMap::new(capacity, u64::MAX)),
        }
    }

    /// What reading the bytes with this digest came to.
    pub(crate) fn outcome(&self, content: &Digest256) -> Option<Outcome> {
        lock(&self.outcomes).get(content).cloned()
    }

    /// Remembers what reading the bytes with this digest came to.
    pub(crate) fn remember(&self, content: Digest256, outcome: Outcome) {
        let weight = ENTRY_BYTES + outcome.as_ref().map_or(0, |photo| photo.memory_bytes() as u64);
        lock(&self.outcomes).insert(content, outcome, weight);
    }

    /// The tag that `url` had when its bytes were last read, and what came of them.
    pub(crate) fn tagged(&self, url: &Url) -> Option<(HeaderValue, Outcome)> {
        let (tag, content) = lock(&self.tags).get(&digest(url)).cloned()?;
        Some((tag, self.outcome(&content)?))
    }

    /// Remembers that `url` gave the bytes with this digest and this tag. A weak tag, which may stay the same when the
    /// bytes change, is not kept, and neither is the tag before it.
    pub(crate) fn tag(&self, url: &Url, tag: Option<HeaderValue>, content: Digest256) {
        let is_strong = |tag: &HeaderValue| {
            let bytes = tag.as_bytes();
            bytes.len() >= 2
                && bytes.len() <= MAX_TAG_BYTES
                && bytes.starts_with(b"\"")
                && bytes.ends_with(b"\"")
        };
        match tag.filter(is_strong) {
            Some(tag) => lock(&self.tags).insert(digest(url), (tag, content), 0),
            None => lock(&self.tags).remove(&digest(url)),
        }
    }
}

fn digest(url: &Url) -> Digest256 {
    Sha256::digest(url.as_str()).into()
}

/// A cache is whole after every call, so a panic elsewhere is no reason to stop using it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use touchstone_image_hash::DecodeLimits;

    use super::*;

    #[test]
    fn only_strong_tags_of_known_content_are_offered_again() {
        let cache = PhotoCache::new(&FetchSettings::default());
        let url = Url::parse("https://photos.lumora.example/a.jpg").unwrap();
        let tagged = || cache.tagged(&url).map(|(tag, _)| tag);
        let tag = |text: &'static str| Some(HeaderValue::from_static(text));
        cache.tag(&url, tag("\"v1\""), [1; 32]);
        assert_eq!(tagged(), None, "nothing is known of the content");
        cache.remember([1; 32], Err(DecodeError::UnknownFormat));
        assert_eq!(tagged(), tag("\"v1\""));
        for weak in [tag("W/\"v1\""), tag("v1"), tag("\""), None] {
            cache.tag(&url, tag("\"v1\""), [1; 32]);
            cache.tag(&url, weak, [1; 32]);
            assert_eq!(tagged(), None);
        }
    }

    #[test]
    fn photos_are_bounded_by_their_bytes_and_failures_are_cheap() {
        let mut png = std::io::Cursor::new(Vec::new());
        image::GrayImage::new(16, 16).write_to(&mut png, image::ImageFormat::Png).unwrap();
        let photo = touchstone_image_hash::photo(png.get_ref(), &DecodeLimits::default()).unwrap();
        let weight = photo.memory_bytes() + ENTRY_BYTES as usize;
        let settings = FetchSettings { max_cache_bytes: 100_000, ..FetchSettings::default() };
        let n_kept = |outcome: &Outcome| {
            let cache = PhotoCache::new(&settings);
            (0..=255).for_each(|n| cache.remember([n; 32], outcome.clone()));
            (0..=255).filter(|n| cache.outcome(&[*n; 32]).is_some()).count()
        };
        assert_eq!(n_kept(&Ok(Arc::new(photo))), 100_000 / weight);
        assert_eq!(n_kept(&Err(DecodeError::UnknownFormat)), 195);
    }
}
