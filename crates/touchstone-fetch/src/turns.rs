//! Who may fetch now: limits on concurrent fetches, in all and for each host.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Hands out turns. First comes first, among the fetches of one host and among those that have their host's turn.
#[derive(Debug)]
pub(crate) struct Turns {
    in_all: Arc<Semaphore>,
    per_host: usize,
    /// Holds the hosts that somebody fetches from or waits for, and no others.
    hosts: Mutex<HashMap<String, Host>>,
}

#[derive(Debug)]
struct Host {
    /// How many fetch from it or wait to.
    n_interested: usize,
    turns: Arc<Semaphore>,
}

/// The right to use a host, until dropped.
pub(crate) struct HostTurn<'a> {
    _permit: OwnedSemaphorePermit,
    _interest: Interest<'a>,
}

impl Turns {
    pub(crate) fn new(in_all: NonZeroUsize, per_host: NonZeroUsize) -> Self {
        let permits = |n: NonZeroUsize| n.get().min(Semaphore::MAX_PERMITS);
        Self {
            in_all: Arc::new(Semaphore::new(permits(in_all))),
            per_host: permits(per_host),
            hosts: Mutex::new(HashMap::new()),
        }
    }

    /// Waits for a turn among all fetches.
    pub(crate) async fn of_all(&self) -> OwnedSemaphorePermit {
        acquire(Arc::clone(&self.in_all)).await
    }

    /// Waits for a turn among the fetches from `host`.
    pub(crate) async fn of_host(&self, host: &str) -> HostTurn<'_> {
        let (interest, semaphore) = Interest::new(self, host);
        let permit = acquire(semaphore).await;
        HostTurn { _permit: permit, _interest: interest }
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn acquire(semaphore: Arc<Semaphore>) -> OwnedSemaphorePermit {
    semaphore.acquire_owned().await.expect("the semaphore is never closed")
}

/// Somebody fetches from a host, or waits to. The last one to lose interest removes the host from the map.
struct Interest<'a> {
    turns: &'a Turns,
    host: String,
}

impl<'a> Interest<'a> {
    fn new(turns: &'a Turns, host: &str) -> (Self, Arc<Semaphore>) {
        let mut hosts = turns.hosts();
        let new = || Host { n_interested: 0, turns: Arc::new(Semaphore::new(turns.per_host)) };
        let entry = hosts.entry(host.to_owned()).or_insert_with(new);
        entry.n_interested += 1;
        (Self { turns, host: host.to_owned() }, Arc::clone(&entry.turns))
    }
}

impl Drop for Interest<'_> {
    fn drop(&mut self) {
        let mut hosts = self.turns.hosts();
        if let Some(host) = hosts.get_mut(&self.host) {
            host.n_interested -= 1;
            if host.n_interested == 0 {
                hosts.remove(&self.host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn a_host_has_so_many_turns_and_others_do_not_wait_for_it() {
        let turns = Turns::new(NonZeroUsize::new(9).unwrap(), NonZeroUsize::MIN);
        let first = turns.of_host("a").await;
        let mut second = pin!(turns.of_host("a"));
        assert!(poll(second.as_mut()).is_pending());
        drop(turns.of_host("b").await);
        drop(first);
        let Poll::Ready(second) = poll(second) else { panic!("the turn is free") };
        drop(second);
        assert!(turns.hosts().is_empty(), "nobody is interested in any host");
    }

    #[tokio::test]
    async fn giving_up_waiting_leaves_nothing_behind() {
        let turns = Turns::new(NonZeroUsize::MIN, NonZeroUsize::MIN);
        let first = turns.of_host("a").await;
        {
            let mut second = pin!(turns.of_host("a"));
            assert!(poll(second.as_mut()).is_pending());
        }
        drop(first);
        assert!(turns.hosts().is_empty());
        let _all = turns.of_all().await;
        assert!(poll(pin!(turns.of_all())).is_pending());
    }
}
