//! `POST /keys/{id}/regenerate`

use axum::extract::State;
use axum::response::Response;

use super::{IssuedKey, renew, visible};
use crate::admin::AdminState;
use crate::admin::body::{KeyPath, Optional};
use crate::admin::caller::Caller;
use crate::admin::once::Once;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::Problem;
use crate::admin::senders::in_use::{Cut, Forced};
use crate::domain::{KeyChange, Permission};

/// Gives a key a new secret and shows its token, once. All older ones are refused from now on.
#[utoipa::path(
    post, path = "/keys/{id}/regenerate", tag = "keys", operation_id = "regenerate_key",
    security(("bearer" = ["api.key.update", "api.key.create"])),
    params(("id" = schemas::KeyId, Path), schemas::IfMatch, schemas::OnceHeader),
    request_body = Option<Forced>,
    responses(
        (status = 200, body = IssuedKey, headers(("etag"))),
        (status = 403, description = "grant_refused"),
        (status = 404, description = "key_not_found"),
        (status = 409, description = "key_revoked, key_expired, key_in_use"),
        (status = 412, description = "version_conflict"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
    if_match: IfMatch,
    once: Once,
    Optional(forced, check): Optional<Forced>,
) -> Result<Response, Problem> {
    caller.require(Permission::KeyUpdate)?;
    caller.require(Permission::KeyCreate)?;
    let forced = check.finish(Some(forced))?;
    once.answer(state, caller, forced, async move |state, caller, forced| {
        let key = visible(&state, &caller, &id).await?;
        let cut = if forced.force == Some(true) { Cut::Nothing } else { Cut::All };
        renew(state, caller, key, if_match, cut, KeyChange::Regenerate).await
    })
    .await
}
