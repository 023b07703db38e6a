//! A photo host inside the process: quick, slow and dead answers, each at its own address.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::pictures::PhotoFate;
use crate::Error;

/// How the host answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostSettings {
    /// Where it listens; port 0 is any.
    pub address: SocketAddr,
    /// How long a prompt answer takes.
    pub latency: Duration,
    /// How long a slow one takes.
    pub slow: Duration,
}

/// What the host has answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostCounts {
    /// Pictures sent.
    pub n_pictures: u64,
    /// Answers that the picture is the one which the asker has (status 304).
    pub n_unchanged: u64,
    /// Requests that never get a picture.
    pub n_dead: u64,
}

/// A host that serves until it is dropped.
#[derive(Debug)]
pub struct PhotoHost {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    settings: HostSettings,
    pictures: Vec<Bytes>,
    n_pictures: AtomicU64,
    n_unchanged: AtomicU64,
    n_dead: AtomicU64,
}

impl PhotoHost {
    /// Serves the pictures at `/FATE/NUMBER.jpg`, each with an entity tag that a worker can ask with again.
    ///
    /// # Errors
    /// An address that cannot be used.
    pub async fn start(settings: HostSettings, pictures: Vec<Bytes>) -> Result<Self, Error> {
        let wrong = |source| Error::Http { address: settings.address.to_string(), source };
        let listener = TcpListener::bind(settings.address).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let counter = AtomicU64::default;
        let (n_pictures, n_unchanged, n_dead) = (counter(), counter(), counter());
        let shared = Arc::new(Shared { settings, pictures, n_pictures, n_unchanged, n_dead });
        let app = Router::new().route("/{fate}/{file}", get(answer)).with_state(Arc::clone(&shared));
        // Without lingering, a connection that is given up in the middle of an answer is reset.
        let listener = listener.tap_io(|connection| {
            if let Err(error) = connection.set_zero_linger().and_then(|()| connection.set_nodelay(true)) {
                tracing::debug!(%error, "a connection to the photo host");
            }
        });
        let task = tokio::spawn(async move {
            // It ends only with an error, which the askers see as well.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, shared, task })
    }

    /// `http://127.0.0.1:PORT`: what a worker needs in `[photos] test_origins`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has answered so far.
    pub fn counts(&self) -> HostCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Shared { n_pictures, n_unchanged, n_dead, .. } = &*self.shared;
        HostCounts { n_pictures: count(n_pictures), n_unchanged: count(n_unchanged), n_dead: count(n_dead) }
    }
}

impl Drop for PhotoHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    State(host): State<Arc<Shared>>,
    Path((fate, file)): Path<(String, String)>,
    asked: HeaderMap,
) -> Response {
    let picture = file.strip_suffix(".jpg").and_then(|number| number.parse().ok());
    let picture = picture.and_then(|number: usize| host.pictures.get(number));
    let (Some(fate), Some(picture)) = (PhotoFate::parse(&fate), picture) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if PhotoFate::DEAD.contains(&fate) {
        host.n_dead.fetch_add(1, Ordering::Relaxed);
    }
    let whole = || Body::from(picture.clone());
    let (wait, body) = match fate {
        PhotoFate::Prompt => (host.settings.latency, whole()),
        PhotoFate::Slow => (host.settings.slow, whole()),
        PhotoFate::Drip => (host.settings.latency, drip(picture.clone())),
        PhotoFate::Reset => (host.settings.latency, broken()),
        PhotoFate::Hang => return std::future::pending().await,
        PhotoFate::Error => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        PhotoFate::Missing => return StatusCode::NOT_FOUND.into_response(),
    };
    sleep(wait).await;
    let Ok(tag) = HeaderValue::try_from(format!("\"{file}\"")) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if asked.get(header::IF_NONE_MATCH) == Some(&tag) && !PhotoFate::DEAD.contains(&fate) {
        host.n_unchanged.fetch_add(1, Ordering::Relaxed);
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    if !PhotoFate::DEAD.contains(&fate) {
        host.n_pictures.fetch_add(1, Ordering::Relaxed);
    }
    let length = HeaderValue::from(picture.len());
    let kind = HeaderValue::from_static("image/jpeg");
    let head = [(header::CONTENT_TYPE, kind), (header::CONTENT_LENGTH, length), (header::ETAG, tag)];
    (head, body).into_response()
}

/// One byte a second.
fn drip(picture: Bytes) -> Body {
    Body::from_stream(stream::unfold(picture, |mut left| async move {
        if left.is_empty() {
            return None;
        }
        let byte = left.split_to(1);
        sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, Infallible>(byte), left))
    }))
}

/// The promise of a body that is not kept.
fn broken() -> Body {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Body::from_stream(stream::iter([Err::<Bytes, _>(broken)]))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::time::Instant;
    use touchstone_fetch::{FetchSettings, Fetcher};
    use touchstone_types::PhotoFailure;

    use super::*;
    use crate::load::pictures;

    async fn host(n_pictures: usize) -> (PhotoHost, Fetcher) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let settings = HostSettings { address, latency: Duration::ZERO, slow: Duration::from_millis(1) };
        let host = PhotoHost::start(settings, pictures(1, n_pictures)).await.unwrap();
        let test_origins = vec![host.origin()];
        let fetcher =
            FetchSettings { test_origins, retries: 0, host_failures: 0, ..FetchSettings::default() };
        (host, Fetcher::new(&fetcher).unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_picture_is_sent_once_and_then_revalidated() {
        let (host, fetcher) = host(2).await;
        let deadline = Instant::now() + Duration::from_secs(60);
        let url = |path: &str| format!("{}/{path}", host.origin());
        let first = fetcher.photo(&url("photo/0.jpg"), deadline).await.unwrap();
        let again = fetcher.photo(&url("photo/0.jpg"), deadline).await.unwrap();
        assert_eq!(first.sha256, again.sha256);
        assert_eq!(host.counts(), HostCounts { n_pictures: 1, n_unchanged: 1, n_dead: 0 });
        let other = fetcher.photo(&url("slow/1.jpg"), deadline).await.unwrap();
        assert_ne!(first.sha256, other.sha256);
        assert_eq!(host.counts(), HostCounts { n_pictures: 2, n_unchanged: 1, n_dead: 0 });
        for path in ["photo/2.jpg", "photo/x.jpg", "nonsense/0.jpg", "photo/0.png"] {
            assert_eq!(
                fetcher.photo(&url(path), deadline).await.unwrap_err(),
                PhotoFailure::Status,
                "{path}"
            );
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_dead_are_dead_each_in_its_own_way() {
        let (host, fetcher) = host(1).await;
        let (soon, later) = (Duration::from_millis(300), Duration::from_secs(60));
        let cases = [
            (PhotoFate::Hang, soon, PhotoFailure::Timeout),
            (PhotoFate::Drip, soon, PhotoFailure::Timeout),
            (PhotoFate::Reset, later, PhotoFailure::Refused),
            (PhotoFate::Error, later, PhotoFailure::Status),
            (PhotoFate::Missing, later, PhotoFailure::Status),
        ];
        for (fate, limit, failure) in cases {
            let url = format!("{}/{}/0.jpg", host.origin(), fate.as_str());
            let found = fetcher.photo(&url, Instant::now() + limit).await;
            assert_eq!(found.unwrap_err(), failure, "{fate:?}");
        }
        assert_eq!(host.counts().n_dead, 5);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_address_in_use_is_named() {
        let (host, _) = host(0).await;
        let settings = HostSettings { address: host.address, ..host.shared.settings };
        let error = PhotoHost::start(settings, Vec::new()).await.unwrap_err();
        assert!(error.to_string().contains(&host.address.to_string()), "{error}");
    }
}
