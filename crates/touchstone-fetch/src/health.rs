//! Which hosts do not answer, so that one dead host does not eat the deadlines of all.
//!
//! A host that fails several times in a row rests: what is asked of it fails at once, as the last time. When the rest is
//! over, one request tries it; each trial that fails doubles the rest, any answer ends it. Requests that were under way when the
//! rest began say nothing new: the last to end of many are the dead ones.
//!
//! A request that fails while its host answers others says nothing about the host. Only what a dead or overloaded host does counts as
//! a failure: no connection, no complete answer in time, status 429 or 503. A counterfeiter can name any URL of an honest host, so an
//! error of one URL (404, 500, no picture) never counts, and ports are told apart.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use touchstone_types::PhotoFailure;
use url::Url;

use crate::client::host_of;
use crate::lru::LruMap;

/// A request that is given up sooner says nothing about its host.
const FAIR_WAIT: Duration = Duration::from_millis(500);

/// How often the rest is doubled, at most.
const MAX_DOUBLINGS: u32 = 5;

/// No host rests for longer, whatever the settings say.
const MAX_REST: Duration = Duration::from_secs(24 * 3600);

/// How many hosts are remembered. Beyond it the one that was not asked for longest is forgotten.
const MAX_HOSTS: usize = 4096;

/// The failures of hosts, and when each answered last.
pub(crate) struct Health {
    n_failures: u32,
    rest: Duration,
    hosts: Mutex<LruMap<String, Failing>>,
}

/// What is known of a host, failing or not.
#[derive(Clone, Copy)]
struct Failing {
    /// In a row.
    n_failures: u32,
    last: PhotoFailure,
    /// When it answered last.
    answered: Option<Instant>,
    /// When the present rest began, or would have.
    rests_since: Instant,
    rests_until: Instant,
}

impl Health {
    /// A host rests for `rest` after `n_failures` in a row; zero failures: never.
    pub(crate) fn new(n_failures: u32, rest: Duration) -> Self {
        Self { n_failures, rest, hosts: Mutex::new(LruMap::new(MAX_HOSTS, u64::MAX)) }
    }

    /// The failure of a host that rests.
    pub(crate) fn check(&self, url: &Url) -> Result<(), PhotoFailure> {
        match self.hosts().get(&key(url)) {
            Some(failing) if self.is_enough(failing) && Instant::now() < failing.rests_until => {
                Err(failing.last)
            }
            _ => Ok(()),
        }
    }

    /// Starts a request, unless the host rests. If its rest is over, the request is its trial, and others wait for that.
    pub(crate) fn start(&self, url: &Url) -> Result<Trial<'_>, PhotoFailure> {
        self.check(url)?;
        let key = key(url);
        let mut hosts = self.hosts();
        let failing = hosts.get(&key).copied();
        if let Some(failing) = failing.filter(|failing| self.is_enough(failing)) {
            let rests_until = Instant::now() + self.rest_after(failing.n_failures);
            hosts.insert(key.clone(), Failing { rests_until, ..failing }, 0);
        }
        drop(hosts);
        Ok(Trial { health: self, key, started: Instant::now(), is_judged: false })
    }

    fn is_enough(&self, failing: &Failing) -> bool {
        self.n_failures != 0 && failing.n_failures >= self.n_failures
    }

    fn rest_after(&self, n_failures: u32) -> Duration {
        let doubled = 1 << n_failures.saturating_sub(self.n_failures).min(MAX_DOUBLINGS);
        self.rest.saturating_mul(doubled).min(MAX_REST)
    }

    /// A request that was started at that time failed.
    fn failed(&self, key: &str, last: PhotoFailure, started: Instant) {
        let mut hosts = self.hosts();
        let key = key.to_owned();
        let before = hosts.get(&key).copied();
        let answered = before.and_then(|failing| failing.answered);
        let is_old = before.is_some_and(|failing| self.is_enough(&failing) && started < failing.rests_since);
        if is_old || answered.is_some_and(|answered| started < answered) {
            return;
        }
        let n_failures = before.map_or(0, |failing| failing.n_failures).saturating_add(1);
        let rests_since = Instant::now();
        let rests_until = rests_since + self.rest_after(n_failures);
        hosts.insert(key, Failing { n_failures, last, answered, rests_since, rests_until }, 0);
    }

    fn answered(&self, key: &str) {
        let now = Instant::now();
        let (answered, rests_since, rests_until) = (Some(now), now, now);
        let fine = Failing { n_failures: 0, last: PhotoFailure::Timeout, answered, rests_since, rests_until };
        self.hosts().insert(key.to_owned(), fine, 0);
    }

    fn hosts(&self) -> MutexGuard<'_, LruMap<String, Failing>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way. Dropped without a word it was given up, which counts as a failure if it had a fair time.
pub(crate) struct Trial<'a> {
    health: &'a Health,
    key: String,
    started: Instant,
    is_judged: bool,
}

impl Trial<'_> {
    /// The host answers.
    pub(crate) fn answered(mut self) {
        self.is_judged = true;
        self.health.answered(&self.key);
    }

    /// The host does not answer, or asks to be left alone.
    pub(crate) fn failed(mut self, failure: PhotoFailure) {
        self.is_judged = true;
        self.health.failed(&self.key, failure, self.started);
    }

    /// What happened says nothing about the host. If this was its trial, the next request is.
    pub(crate) fn says_nothing(mut self) {
        self.is_judged = true;
        self.rest_no_longer();
    }

    fn rest_no_longer(&self) {
        let mut hosts = self.health.hosts();
        if let Some(failing) = hosts.get(&self.key).copied() {
            hosts.insert(self.key.clone(), Failing { rests_until: Instant::now(), ..failing }, 0);
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if self.is_judged {
            return;
        }
        if self.started.elapsed() >= FAIR_WAIT {
            self.health.failed(&self.key, PhotoFailure::Timeout, self.started);
        } else {
            self.rest_no_longer();
        }
    }
}

fn key(url: &Url) -> String {
    format!("{}:{}", host_of(url), url.port_or_known_default().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const REST: Duration = Duration::from_secs(10);

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn host() -> Url {
        url("https://photos.lumora.example/a.jpg")
    }

    /// A host that has failed `n` times in a row, of the two that are too many.
    fn failed(n: u32) -> Health {
        let health = Health::new(2, REST);
        for _ in 0..n {
            health.start(&host()).ok().unwrap().failed(PhotoFailure::Refused);
        }
        health
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_rests_after_failures_in_a_row_and_others_do_not() {
        assert!(failed(1).check(&host()).is_ok());
        let health = failed(2);
        assert_eq!(health.check(&host()), Err(PhotoFailure::Refused));
        assert_eq!(health.start(&host()).err(), Some(PhotoFailure::Refused));
        assert_eq!(health.check(&url("https://PHOTOS.lumora.example./b")), Err(PhotoFailure::Refused));
        for other in ["https://lumora.example/", "https://photos.lumora.example:8443/"] {
            assert!(health.check(&url(other)).is_ok(), "{other}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_between_failures_starts_the_count_anew() {
        let health = failed(1);
        health.start(&host()).ok().unwrap().answered();
        health.start(&host()).ok().unwrap().failed(PhotoFailure::Status);
        assert!(health.check(&host()).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_rest_one_request_tries_the_host_and_decides() {
        let health = failed(2);
        advance(REST).await;
        let trial = health.start(&host()).ok().unwrap();
        assert!(health.start(&host()).is_err(), "one is enough");
        trial.failed(PhotoFailure::Status);
        advance(REST).await;
        assert_eq!(health.check(&host()), Err(PhotoFailure::Status), "the rest is doubled");
        advance(REST).await;
        health.start(&host()).ok().unwrap().says_nothing();
        health.start(&host()).ok().unwrap().answered();
        assert!(health.check(&host()).is_ok());
        health.start(&host()).ok().unwrap().failed(PhotoFailure::Refused);
        assert!(health.check(&host()).is_ok(), "nothing of the past is held against it");
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_were_under_way_when_the_rest_began_do_not_lengthen_it() {
        let health = Health::new(2, REST);
        let under_way: Vec<Trial<'_>> = (0..9).map(|_| health.start(&host()).ok().unwrap()).collect();
        for trial in under_way {
            advance(Duration::from_secs(1)).await;
            trial.failed(PhotoFailure::Timeout);
        }
        // The second failure, seven seconds ago, was one too many.
        assert!(health.check(&host()).is_err());
        advance(REST - Duration::from_secs(7)).await;
        assert!(health.check(&host()).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_answers_others_meanwhile_does_not_rest() {
        let health = Health::new(2, REST);
        let dead: Vec<Trial<'_>> = (0..9).map(|_| health.start(&host()).ok().unwrap()).collect();
        advance(Duration::from_secs(4)).await;
        health.start(&host()).ok().unwrap().answered();
        advance(Duration::from_secs(1)).await;
        dead.into_iter().for_each(|trial| trial.failed(PhotoFailure::Timeout));
        assert!(health.check(&host()).is_ok());
        // From now on nothing answers.
        for _ in 0..2 {
            health.start(&host()).ok().unwrap().failed(PhotoFailure::Timeout);
        }
        assert!(health.check(&host()).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_has_a_longest() {
        let health = failed(2);
        for _ in 0..40 {
            advance(REST * 32).await;
            health.start(&host()).ok().unwrap().failed(PhotoFailure::Refused);
        }
        advance(REST * 32).await;
        assert!(health.check(&host()).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_given_up_counts_if_it_had_a_fair_time() {
        let health = failed(1);
        drop(health.start(&host()));
        assert!(health.check(&host()).is_ok());
        let trial = health.start(&host());
        advance(FAIR_WAIT).await;
        drop(trial);
        assert_eq!(health.check(&host()), Err(PhotoFailure::Timeout));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_number_of_failures_no_host_rests() {
        let health = Health::new(0, REST);
        for _ in 0..9 {
            health.start(&host()).ok().unwrap().failed(PhotoFailure::Refused);
        }
        assert!(health.check(&host()).is_ok());
    }
}
