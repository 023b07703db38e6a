//! What is remembered of photos: their features by content, and by URL what the host needs to say "unchanged".

use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::header::HeaderValue;
use sha2::{Digest, Sha256};
use touchstone_image_hash::{DecodeError, Photo};
use url::Url;

use crate::lru::LruMap;

/// Entity tags longer than this are not kept, in bytes.
const MAX_TAG_BYTES: usize = 256;

/// SHA-256 of a file's bytes, or of a URL.
pub(crate) type Digest256 = [u8; 32];

/// What reading a file came to. Failures are kept too: the same bytes fail the same way, and may have been dear to try.
pub(crate) type Outcome = Result<Photo, DecodeError>;

/// Features by content, entity tags by URL; both bounded in number.
#[derive(Debug)]
pub(crate) struct PhotoCache {
    outcomes: Mutex<LruMap<Digest256, Outcome>>,
    /// A URL is kept as its digest, so that long ones cost no more.
    tags: Mutex<LruMap<Digest256, (HeaderValue, Digest256)>>,
}

impl PhotoCache {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { outcomes: Mutex::new(LruMap::new(capacity)), tags: Mutex::new(LruMap::new(capacity)) }
    }

    /// What reading the bytes with this digest came to.
    pub(crate) fn outcome(&self, content: &Digest256) -> Option<Outcome> {
        lock(&self.outcomes).get(content).cloned()
    }

    /// Remembers what reading the bytes with this digest came to.
    pub(crate) fn remember(&self, content: Digest256, outcome: Outcome) {
        lock(&self.outcomes).insert(content, outcome);
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
            Some(tag) => lock(&self.tags).insert(digest(url), (tag, content)),
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
    use super::*;

    #[test]
    fn only_strong_tags_of_known_content_are_offered_again() {
        let cache = PhotoCache::new(4);
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
}
