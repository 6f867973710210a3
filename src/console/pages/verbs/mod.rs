//! What can be done with a key, each as a dialog that names what follows from it.
//!
//! What would cut off somebody who sends needs force, and a form carries that only where it has named who is cut off. Where somebody has
//! begun to send meanwhile, the API refuses, and the dialog is shown again with their names.

mod card;
mod plain;
mod renew;
mod revoke;
mod rotate;
mod subject;

use axum::Router;
use axum::routing::get;

use crate::console::Console;
pub(super) use subject::{Subject, sender_name};

pub(super) fn routes() -> Router<Console> {
    let routes = Router::new()
        .route("/keys/{id}/rotate", get(rotate::show).post(rotate::rotate))
        .route("/keys/{id}/regenerate", get(rotate::show_regenerate).post(rotate::regenerate))
        .route("/keys/{id}/revoke", get(revoke::show).post(revoke::revoke))
        .route("/keys/{id}/renew", get(renew::show).post(renew::renew));
    plain::ALL.into_iter().fold(routes, plain::with)
}
