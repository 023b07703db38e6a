//! `/healthz`, `/readyz` and `/metrics`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::Error;
use crate::health::Health;
use crate::metrics::Metrics;

#[derive(Clone)]
pub(crate) struct HttpState {
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Arc<Metrics>,
}

/// The worker's pages: `/healthz` (200 while its threads move, else 503: restart it), `/readyz` (200 once the catalog is
/// read and the group joined) and `/metrics`.
pub(crate) fn app(state: HttpState) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(state)
}

/// Serves the pages until the task is aborted.
pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let wrong = |source| Error::Http { address: address.to_string(), source };
    let listener = TcpListener::bind(address).await.map_err(wrong)?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "serving /healthz, /readyz and /metrics");
    }
    Ok(listener)
}

async fn healthz(State(state): State<HttpState>) -> Response {
    match state.health.stuck() {
        None => (StatusCode::OK, "ok\n").into_response(),
        Some((thread, silence)) => {
            let text = format!("the {thread} has made no progress for {} s\n", silence.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

async fn readyz(State(state): State<HttpState>) -> Response {
    let yes = |flag: bool| if flag { "yes" } else { "no" };
    let catalog = yes(state.health.catalog_read.load(Ordering::Relaxed));
    let group = yes(state.health.has_joined.load(Ordering::Relaxed));
    let status = if state.health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, format!("catalog read: {catalog}\ngroup joined: {group}\n")).into_response()
}

async fn metrics(State(HttpState { health, metrics }): State<HttpState>) -> Response {
    if let Some(desk) = health.desk.load_full() {
        metrics.set_lags(&desk.board.lags());
        metrics.set_oldest(desk.board.oldest());
    }
    metrics.set_catalog_age(health.catalog_age());
    metrics.set_in_flight(health.gate.n_inside(), health.gate.bytes_inside());
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.encode()).into_response()
}
