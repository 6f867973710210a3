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
use super::keys::{self, KeyView};
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
    let key = keys::make(state, caller.actor, id, change, expected).await??;
    Ok(shown(&key, &environments, now))
}

fn shown(key: &Key, environments: &[Environment], now: Timestamp) -> Response {
    (etag(key.version), Json(KeyView::new(key, environments, now))).into_response()
}
