//! `DELETE /sessions/{id}` and `DELETE /sessions`

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::AdminState;
use crate::admin::body::{Empty, SessionPath};
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::catalog::Entity;

/// Ends one session of the caller's key.
#[utoipa::path(
    delete, path = "/sessions/{id}", tag = "sessions", operation_id = "end_session",
    params(("id" = schemas::SessionId, Path)),
    responses((status = 204), (status = 404, description = "session_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    SessionPath(id): SessionPath,
    _: Empty,
) -> Result<StatusCode, Problem> {
    if !state.catalog.end_session(&caller.key, &id, &caller.actor).await? {
        return Err(Problem::not_found(Entity::Session));
    }
    // It may be watching the live feed.
    state.books.requests.access_changed();
    tracing::info!(key = %caller.key, session = %id, "a session of the console was ended");
    Ok(StatusCode::NO_CONTENT)
}

/// How many sessions were ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EndedSessions {
    /// So many.
    pub ended: u64,
}

/// Ends every session of the caller's key, everywhere.
#[utoipa::path(
    delete, path = "/sessions", tag = "sessions", operation_id = "end_sessions",
    responses((status = 200, body = EndedSessions)),
)]
pub(in crate::admin) async fn all(
    State(state): State<AdminState>,
    caller: Caller,
    _: Empty,
) -> Result<Json<EndedSessions>, Problem> {
    let ended = state.catalog.end_sessions(&caller.key, &caller.actor).await?;
    state.books.requests.access_changed();
    tracing::info!(key = %caller.key, ended, "every session of the console of this key was ended");
    Ok(Json(EndedSessions { ended }))
}
