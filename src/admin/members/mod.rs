//! Members: people. Each is an admin key with the person's name and a role; inviting somebody is making one.

pub mod create;
pub mod edit;
pub(super) mod list;
pub(super) mod remove;
pub(super) mod show;

use axum::Json;
use axum::response::{IntoResponse, Response};

use super::AdminState;
use super::caller::Caller;
use super::keys::{self, KeyView, to_the_end};
use super::precondition::etag;
use super::problem::Problem;
use crate::catalog::Entity;
use crate::domain::{Environment, Key, KeyChange, KeyId, Timestamp};

/// The member `id`, if the caller may see it.
async fn visible(state: &AdminState, caller: &Caller, id: &KeyId) -> Result<Key, Problem> {
    let key = keys::visible(state, caller, id).await?;
    if key.member { Ok(key) } else { Err(Problem::not_found(Entity::Key)) }
}

/// Changes a member who is visible to the caller.
async fn change(
    state: AdminState,
    caller: Caller,
    id: KeyId,
    change: KeyChange,
    expected: Option<u64>,
) -> Result<Response, Problem> {
    let now = caller.actor.at;
    let environments = state.catalog.environments().await?;
    let changed = to_the_end(async move {
        let changed = state.catalog.change_key(&id, &change, expected, &caller.actor).await;
        // Also after an error: the commit may have happened although its answer was lost.
        (state.key_changed)(id);
        changed
    })
    .await??;
    let (key, _) = changed.ok_or_else(|| Problem::not_found(Entity::Key))?;
    Ok(shown(&key, &environments, now))
}

fn shown(key: &Key, environments: &[Environment], now: Timestamp) -> Response {
    (etag(key.version), Json(KeyView::new(key, environments, now))).into_response()
}
