//! `GET /members/{id}`

use axum::extract::State;
use axum::response::Response;

use super::{KeyView, shown, visible};
use crate::admin::AdminState;
use crate::admin::body::KeyPath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// One member, whatever the status.
#[utoipa::path(
    get, path = "/members/{id}", tag = "members", operation_id = "show_member",
    security(("bearer" = ["member.view"])),
    params(("id" = schemas::KeyId, Path)),
    responses((status = 200, body = KeyView, headers(("etag"))), (status = 404, description = "key_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
) -> Result<Response, Problem> {
    caller.require(Permission::MemberView)?;
    let member = visible(&state, &caller, &id).await?;
    Ok(shown(&member, &state.catalog.environments().await?, caller.actor.at))
}
