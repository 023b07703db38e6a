//! Resolves names, and keeps forbidden addresses from the HTTP client.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use crate::error::Refusal;
use crate::guard::UrlGuard;

/// How many names are looked up at once. The operating system cannot be told to stop, so a look-up whose photo was given up
/// still has its thread; this leaves most of Tokio's 512 to others.
const MAX_LOOKUPS: usize = 128;

/// How many addresses of an answer are tried.
const MAX_ADDRESSES: usize = 8;

/// The answer of a [`Resolver`], when it is there.
pub type Resolved = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Looks up the addresses of a name. Its answers are not trusted: they are filtered before anything is connected to.
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of `host`, in the order in which they should be tried.
    fn resolve(&self, host: String) -> Resolved;
}

/// Asks the operating system, which follows its hosts file and name servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: String) -> Resolved {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((host, 0)).await?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}

/// The resolver that the HTTP client is given. The client connects to nothing but what this returns, and asks for each new
/// connection, so an address is always checked in the answer in which it is used.
pub(crate) struct GuardedResolver {
    resolver: Arc<dyn Resolver>,
    guard: Arc<UrlGuard>,
    lookups: Arc<Semaphore>,
}

impl GuardedResolver {
    pub(crate) fn new(resolver: Arc<dyn Resolver>, guard: Arc<UrlGuard>) -> Self {
        Self { resolver, guard, lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)) }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, guard) = (Arc::clone(&self.resolver), Arc::clone(&self.guard));
        let lookups = Arc::clone(&self.lookups);
        Box::pin(async move {
            let turn = lookups.acquire_owned().await.expect("the semaphore is never closed");
            // A task of its own keeps the turn until there is an answer, also when nobody waits for it any more.
            let lookup = tokio::spawn(async move {
                let answer = resolver.resolve(name.as_str().to_owned()).await;
                drop(turn);
                answer
            });
            Ok(public(&guard, lookup.await??)?)
        })
    }
}

/// The public ones among `addresses`, or the reason why the first is not public. An answer with both is used: some honest
/// hosts publish an address of their own network beside their public one, and no connection goes to it.
fn public(guard: &UrlGuard, addresses: Vec<IpAddr>) -> Result<Addrs, Refusal> {
    let (mut allowed, mut refusal) = (Vec::new(), None);
    for address in addresses {
        match guard.judge_address(address) {
            // The client puts the URL's port in place of zero.
            Ok(()) => allowed.push(SocketAddr::new(address, 0)),
            Err(reason) => refusal = refusal.or(Some(reason)),
        }
    }
    match refusal {
        Some(reason) if allowed.is_empty() => Err(reason),
        _ => Ok(Box::new(allowed.into_iter().take(MAX_ADDRESSES))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::Notify;
    use tokio::time::timeout;

    use super::*;
    use crate::settings::FetchSettings;

    /// Gives one answer after another, as a name server does that changes its mind.
    struct Changing(Mutex<Vec<&'static [&'static str]>>);

    impl Resolver for Changing {
        fn resolve(&self, _: String) -> Resolved {
            let answer = self.0.lock().unwrap().remove(0);
            Box::pin(async move { Ok(answer.iter().map(|text| text.parse().unwrap()).collect()) })
        }
    }

    #[tokio::test]
    async fn each_answer_is_filtered_anew() {
        let answers: Vec<&[&str]> = vec![
            &["8.8.4.4", "2a00:1450::1"],
            &["127.0.0.1", "8.8.4.4"],
            &["127.0.0.1"],
            &["::ffff:10.0.0.1", "169.254.169.254"],
            &["8.8.4.4"],
            &["0.0.0.0"],
            &["93.184.216.9", "64:ff9b::93.184.216.9"],
            &[],
        ];
        let expected: Vec<Option<&[&str]>> = vec![
            Some(&["8.8.4.4:0", "[2a00:1450::1]:0"]),
            Some(&["8.8.4.4:0"]),
            None,
            None,
            Some(&["8.8.4.4:0"]),
            None,
            None,
            Some(&[]),
        ];
        let settings =
            FetchSettings { deny_hosts: vec!["93.184.216.0/24".into()], ..FetchSettings::default() };
        let guard = Arc::new(UrlGuard::new(&settings).unwrap());
        let resolver = GuardedResolver::new(Arc::new(Changing(Mutex::new(answers))), guard);
        for expected in expected {
            let found = Resolve::resolve(&resolver, "photos.lumora.example".parse().unwrap()).await;
            let found = found.ok().map(|addrs| addrs.map(|a| a.to_string()).collect::<Vec<_>>());
            assert_eq!(
                found.as_deref(),
                expected.map(|e| e.iter().map(ToString::to_string).collect::<Vec<_>>()).as_deref()
            );
        }
    }

    /// Answers when it is allowed to, with more addresses than anyone needs, and counts the questions.
    #[derive(Default)]
    struct Slow {
        n_asked: AtomicUsize,
        may_answer: Arc<Notify>,
    }

    impl Resolver for Slow {
        fn resolve(&self, _: String) -> Resolved {
            self.n_asked.fetch_add(1, Ordering::Relaxed);
            let may_answer = Arc::clone(&self.may_answer);
            Box::pin(async move {
                may_answer.notified().await;
                Ok(vec![[8, 8, 4, 4].into(); 1000])
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn look_ups_that_were_given_up_still_count() {
        let slow = Arc::new(Slow::default());
        let guard = Arc::new(UrlGuard::new(&FetchSettings::default()).unwrap());
        let mut resolver = GuardedResolver::new(Arc::clone(&slow) as _, guard);
        resolver.lookups = Arc::new(Semaphore::new(2));
        let ask = || Resolve::resolve(&resolver, "photos.lumora.example".parse().unwrap());
        // Paused time passes when nothing else can.
        for _ in 0..5 {
            assert!(timeout(Duration::from_secs(1), ask()).await.is_err());
        }
        assert_eq!(slow.n_asked.load(Ordering::Relaxed), 2);
        slow.may_answer.notify_waiters();
        let (answer, ()) = tokio::join!(ask(), async {
            while slow.n_asked.load(Ordering::Relaxed) < 3 {
                tokio::task::yield_now().await;
            }
            slow.may_answer.notify_one();
        });
        assert_eq!(answer.ok().map(Iterator::count), Some(MAX_ADDRESSES));
    }
}
