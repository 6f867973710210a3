//! `GET /members/{id}`

use axum::extract::State;
use axum::response::Response;

use super::{shown, visible};
use crate::admin::AdminState;
use crate::admin::body::KeyPath;
use crate::admin::caller::Caller;
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// One member, whatever the status.
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
) -> Result<Response, Problem> {
    caller.require(Permission::MemberView)?;
    let member = visible(&state, &caller, &id).await?;
    Ok(shown(&member, &state.catalog.environments().await?, caller.actor.at))
}
