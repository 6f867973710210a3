//! `GET /sessions`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::SessionView;
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::problem::Problem;

/// The sessions of a key in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionsView {
    /// Newest first.
    pub data: Vec<SessionView>,
}

/// The sessions of the console that the caller's key has begun and that go on, newest first.
#[utoipa::path(
    get, path = "/sessions", tag = "sessions", operation_id = "list_sessions",
    responses((status = 200, body = SessionsView)),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
) -> Result<Json<SessionsView>, Problem> {
    let sessions = state.catalog.sessions_of(&caller.key).await?;
    let going_on = sessions.iter().filter(|one| one.is_alive(caller.actor.at, state.sessions.idle));
    Ok(Json(SessionsView { data: going_on.map(|one| SessionView::new(one, caller.session.as_ref())).collect() }))
}
