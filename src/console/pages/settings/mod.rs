//! The page of this section.

use axum::Router;

use crate::console::Console;

pub(super) fn routes() -> Router<Console> {
    Router::new()
}
