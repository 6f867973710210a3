//! `GET /keys/{id}`

use axum::extract::State;

use super::{Answer, KeyView, answer, traffic, visible};
use crate::admin::AdminState;
use crate::admin::body::KeyPath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::admin::senders::on_secret;
use crate::domain::Permission;

/// One key, whatever its status.
#[utoipa::path(
    get, path = "/keys/{id}", tag = "keys", operation_id = "show_key",
    security(("bearer" = ["api.key.view"])),
    params(("id" = schemas::KeyId, Path)),
    responses((status = 200, body = KeyView, headers(("etag"))), (status = 404, description = "key_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
) -> Result<Answer<KeyView>, Problem> {
    caller.require(Permission::KeyView)?;
    let key = visible(&state, &caller, &id).await?;
    let mut answer = answer(&key, &state.catalog.environments().await?, caller.actor.at);
    if let Some(rotation) = &mut answer.1.rotation
        && caller.permissions.contains(Permission::UsageView)
    {
        rotation.old_senders = Some(on_secret(&state, &key, rotation.old_version).await?);
        rotation.traffic = traffic::of(&state, &key, caller.actor.at).await?;
    }
    Ok(answer)
}
