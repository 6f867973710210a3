//! Creating a key, showing its secret once, and waiting for its first export.

pub(in crate::console) mod secret;
mod snippets;
mod waiting;

use axum::Router;
use axum::routing::get;

use crate::console::Console;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/keys/{id}/waiting", get(waiting::page))
}
