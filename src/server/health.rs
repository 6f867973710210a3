//! `/healthz`, `/readyz` and `/metrics` on the admin listener, without authentication.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::catalog::Catalog;
use crate::ingest::Gate;

/// What the answers are made of.
#[derive(Clone)]
pub(super) struct Health {
    pub(super) gate: Arc<Gate>,
    pub(super) catalog: Arc<dyn Catalog>,
}

/// How long the catalog and the log may take to answer before the gate counts as not ready.
const PING_TIME: Duration = Duration::from_secs(1);

/// The routes.
pub(super) fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

/// Ready means: an export with a good key could be acknowledged now.
async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let Health { gate, catalog } = health;
    let not = |why: &'static str| (StatusCode::SERVICE_UNAVAILABLE, why);
    if gate.stopping.is_cancelled() {
        not("not ready: the process is stopping\n")
    } else if gate.log.is_full() {
        not("not ready: too much waits for delivery (log.backlog)\n")
    } else if !matches!(tokio::time::timeout(PING_TIME, gate.log.is_writable()).await, Ok(true)) {
        not("not ready: the log cannot be written\n")
    } else if !matches!(tokio::time::timeout(PING_TIME, catalog.ping()).await, Ok(Ok(()))) {
        not("not ready: the catalog does not answer\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], health.gate.metrics.render())
}
