//! HTTP: one photo's bytes, through redirects, within limits.

use std::sync::Arc;

use reqwest::header::{ETAG, HeaderValue, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use touchstone_types::PhotoFailure;
use url::Url;

use crate::cache::{Outcome, PhotoCache};
use crate::dns::{GuardedResolver, Resolver};
use crate::error::{FetchError, Problem, Refusal};
use crate::guard::UrlGuard;
use crate::health::{Health, Trial};
use crate::hosts::canonical;
use crate::http;
use crate::retry::{Retries, retry_after};
use crate::settings::FetchSettings;
use crate::turns::Turns;

/// Fetches bytes. Everything it does is bounded except time, which is its caller's to bound.
pub(crate) struct PhotoClient {
    client: Client,
    guard: Arc<UrlGuard>,
    turns: Turns,
    health: Health,
    retries: Retries,
    max_bytes: usize,
    max_redirects: usize,
}

/// What a host said about a photo.
pub(crate) enum Answer {
    /// Here it is.
    Bytes(Download),
    /// It is the one whose tag was sent along.
    Unchanged(Outcome),
}

/// A photo's bytes and where they came from.
pub(crate) struct Download {
    pub(crate) bytes: Vec<u8>,
    /// The URL that answered, after redirects.
    pub(crate) url: Url,
    /// The tag the host gave the bytes.
    pub(crate) tag: Option<HeaderValue>,
}

/// What one request came to.
enum Hop {
    Answer(Box<Answer>),
    Redirect(Url),
}

impl Hop {
    fn answer(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

impl PhotoClient {
    pub(crate) fn new(settings: &FetchSettings, resolver: Arc<dyn Resolver>) -> Result<Self, FetchError> {
        let guard = Arc::new(UrlGuard::new(settings)?);
        let resolver = GuardedResolver::new(resolver, Arc::clone(&guard));
        Ok(Self {
            client: http::client(settings, Arc::new(resolver))?,
            guard,
            turns: Turns::new(settings.max_concurrent, settings.max_concurrent_per_host),
            health: Health::new(settings.host_failures, settings.host_rest),
            retries: Retries::new(settings),
            max_bytes: settings.decode.max_bytes,
            max_redirects: settings.max_redirects,
        })
    }

    /// What stands under `url`, and the turn that bounds the memory for it: to be kept as long as the bytes are. No
    /// repetition is waited for that would come after `deadline`.
    pub(crate) async fn get(
        &self,
        url: &str,
        cache: &PhotoCache,
        deadline: Instant,
    ) -> Result<(Answer, OwnedSemaphorePermit), Problem> {
        let mut url = self.guard.check(url)?;
        let mut host_turn = self.turns.of_host(&host_of(&url)).await;
        for _ in 0..=self.max_redirects {
            match self.hop(&url, cache, deadline).await? {
                (Hop::Answer(answer), turn) => return Ok((*answer, turn)),
                (Hop::Redirect(next), turn) => {
                    drop(turn);
                    if host_of(&next) != host_of(&url) {
                        drop(host_turn);
                        host_turn = self.turns.of_host(&host_of(&next)).await;
                    }
                    url = next;
                }
            }
        }
        Err(Problem::TooManyRedirects(self.max_redirects))
    }

    /// One request, repeated after failures that may pass. In a pause it holds its host's turn, but none of all.
    async fn hop(
        &self,
        url: &Url,
        cache: &PhotoCache,
        deadline: Instant,
    ) -> Result<(Hop, OwnedSemaphorePermit), Problem> {
        let mut attempt = 0;
        loop {
            let problem = match self.attempt(url, cache).await {
                Ok(done) => return Ok(done),
                Err(problem) => problem,
            };
            let Some(pause) = self.retries.pause(attempt, &problem) else { return Err(problem) };
            if pause >= deadline.saturating_duration_since(Instant::now()) {
                return Err(problem);
            }
            tracing::debug!(host = host_of(url), attempt, %problem, "a fetch is repeated");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// One request, in its turn, unless the host rests.
    async fn attempt(&self, url: &Url, cache: &PhotoCache) -> Result<(Hop, OwnedSemaphorePermit), Problem> {
        self.health.check(url).map_err(Problem::Resting)?;
        // The host's turn came first, so that those who wait for a slow host do not keep others from theirs.
        let turn = self.turns.of_all().await;
        let trial = self.health.start(url).map_err(Problem::Resting)?;
        let result = self.request(url, cache).await;
        judge_host(trial, &result);
        Ok((result?, turn))
    }

    async fn request(&self, url: &Url, cache: &PhotoCache) -> Result<Hop, Problem> {
        let tagged = cache.tagged(url);
        let mut request = self.client.get(url.clone());
        if let Some((tag, _)) = &tagged {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let response = request.send().await?;
        self.judge_peer(url, &response)?;
        match (response.status(), tagged) {
            (StatusCode::OK, _) => {
                let tag = response.headers().get(ETAG).cloned();
                let bytes = self.body(response).await?;
                Ok(Hop::answer(Answer::Bytes(Download { bytes, url: url.clone(), tag })))
            }
            (StatusCode::NOT_MODIFIED, Some((_, outcome))) => Ok(Hop::answer(Answer::Unchanged(outcome))),
            (
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT,
                _,
            ) => self.redirect(url, &response).map(Hop::Redirect),
            (status, _) => Err(Problem::Status {
                status: status.as_u16(),
                retry_after: response.headers().get(RETRY_AFTER).map(retry_after),
            }),
        }
    }

    /// The resolver has filtered the address already; this holds should the client ever connect to anything else.
    fn judge_peer(&self, url: &Url, response: &Response) -> Result<(), Problem> {
        if self.guard.is_test_origin(url) {
            return Ok(());
        }
        let peer = response.remote_addr().ok_or(Refusal::UnknownPeer)?;
        Ok(self.guard.judge_address(peer.ip())?)
    }

    fn redirect(&self, from: &Url, response: &Response) -> Result<Url, Problem> {
        let location =
            response.headers().get(LOCATION).and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
        let location = location.ok_or_else(|| Problem::BadRedirect(response.status().as_u16()))?;
        Ok(self.guard.check_redirect(from, location)?)
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Problem> {
        let max_bytes = self.max_bytes;
        // What a host declares is believed when it is too much, and no memory is taken on its word.
        if response.content_length().is_some_and(|declared| declared > max_bytes as u64) {
            return Err(Problem::TooLarge { max_bytes });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if chunk.len() > max_bytes - bytes.len() {
                return Err(Problem::TooLarge { max_bytes });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// What a request says about its host: an error of the one URL is an answer like any other.
fn judge_host(trial: Trial<'_>, result: &Result<Hop, Problem>) {
    match result {
        Err(Problem::Connect(_)) => trial.failed(PhotoFailure::Refused),
        Err(Problem::Status { status: 429 | 503, .. }) => trial.failed(PhotoFailure::Status),
        Err(Problem::Refused(_) | Problem::Broken(_)) => trial.says_nothing(),
        _ => trial.answered(),
    }
}

/// The host as limits know it.
pub(crate) fn host_of(url: &Url) -> String {
    url.host().map_or_else(String::new, |host| canonical(&host))
}
