//! Resolves names, and keeps forbidden addresses from the HTTP client.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::error::Refusal;
use crate::guard::UrlGuard;

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
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) guard: Arc<UrlGuard>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let answer = self.resolver.resolve(name.as_str().to_owned());
        let guard = Arc::clone(&self.guard);
        Box::pin(async move { Ok(public(&guard, answer.await?)?) })
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
        _ => Ok(Box::new(allowed.into_iter())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

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
        let resolver = GuardedResolver { resolver: Arc::new(Changing(Mutex::new(answers))), guard };
        for expected in expected {
            let found = Resolve::resolve(&resolver, "photos.lumora.example".parse().unwrap()).await;
            let found = found.ok().map(|addrs| addrs.map(|a| a.to_string()).collect::<Vec<_>>());
            assert_eq!(
                found.as_deref(),
                expected.map(|e| e.iter().map(ToString::to_string).collect::<Vec<_>>()).as_deref()
            );
        }
    }
}
