//! `GET /me`

use axum::extract::State;

use super::AdminState;
use super::caller::Caller;
use super::keys::{Answer, KeyView, answer};
use super::problem::Problem;
use crate::catalog::Entity;

/// The caller's own key. Everybody may see that.
#[utoipa::path(
    get, path = "/me", tag = "members", operation_id = "show_me",
    responses((status = 200, body = KeyView)),
)]
pub(super) async fn handler(State(state): State<AdminState>, caller: Caller) -> Result<Answer<KeyView>, Problem> {
    let key = state.catalog.key(&caller.key).await?.ok_or_else(|| Problem::not_found(Entity::Key))?;
    Ok(answer(&key, &state.catalog.environments().await?, caller.actor.at))
}
