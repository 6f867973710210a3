//! Keys: the list with its saved views, the import, and the review of every quarter.

mod cells;
mod import;
mod list;
mod menu;
mod review;
mod rows;
mod wanted;

use axum::Router;
use axum::routing::get;

use crate::console::Console;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/keys", get(list::page))
        .route("/keys/import", get(import::form).post(import::send))
        .route("/keys/review", get(review::page).post(review::confirm))
}
