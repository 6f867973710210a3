//! `GET /keys/{id}/senders`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Known, OtherSendersView, SenderQuery, SenderView, filter};
use crate::admin::AdminState;
use crate::admin::body::KeyPath;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::keys::visible;
use crate::admin::openapi::schemas;
use crate::admin::page::Parameters;
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// Who uses a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SendersView {
    /// Those that were seen last first, 50 at the most.
    pub data: Vec<SenderView>,
    /// Those that there was no room for, whatever is asked for.
    pub others: OtherSendersView,
    /// Whether several services are known to use the key.
    pub shared: bool,
}

/// Who uses a key: up to the last moment as this node has seen it, some seconds late as others have.
#[utoipa::path(
    get, path = "/keys/{id}/senders", tag = "keys", operation_id = "list_key_senders",
    security(("bearer" = ["usage.view"])),
    params(("id" = schemas::KeyId, Path), SenderQuery),
    responses((status = 200, body = SendersView), (status = 404, description = "key_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
    mut parameters: Parameters,
) -> Result<Json<SendersView>, Problem> {
    caller.require(Permission::UsageView)?;
    let key = visible(&state, &caller, &id).await?;
    let mut check = Check::default();
    let wanted = filter(&mut parameters, &mut check);
    parameters.finish(&mut check, &["secret", "service", "since"]);
    check.finish(Some(()))?;
    let known = Known::of(&state, &key).await?.bounded();
    let data = known.views(&key, |one| {
        wanted.secret_version.is_none_or(|version| version == one.sender.secret_version)
            && wanted.service.as_deref().is_none_or(|service| Some(service) == one.sender.service.as_deref())
            && wanted.since.is_none_or(|since| since <= one.seen.last_at)
    });
    Ok(Json(SendersView { data, shared: known.shared(), others: known.others.into() }))
}
