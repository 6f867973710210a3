//! The pages: one file or folder for each section, with the routes of it.

mod audit;
mod create;
mod key;
mod keys;
mod limits;
mod live;
mod members;
mod overview;
mod projects;
mod refusals;
mod roles;
mod rotation;
mod settings;
mod usage;
mod usage_columns;
mod verbs;

use axum::Router;

use super::Console;

/// Every page.
pub(super) fn routes() -> Router<Console> {
    Router::new()
        .merge(overview::routes())
        .merge(keys::routes())
        .merge(create::routes())
        .merge(key::routes())
        .merge(verbs::routes())
        .merge(rotation::routes())
        .merge(refusals::routes())
        .merge(live::routes())
        .merge(usage::routes())
        .merge(projects::routes())
        .merge(limits::routes())
        .merge(roles::routes())
        .merge(members::routes())
        .merge(audit::routes())
        .merge(settings::routes())
}
