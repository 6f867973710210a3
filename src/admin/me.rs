//! `GET /me`

use axum::Json;
use axum::extract::State;

use super::AdminState;
use super::caller::Caller;
use super::keys::KeyView;
use super::problem::Problem;
use crate::catalog::Entity;

/// The caller's own key. Everybody may see that.
pub(super) async fn handler(State(state): State<AdminState>, caller: Caller) -> Result<Json<KeyView>, Problem> {
    let key = state.catalog.key(&caller.key).await?.ok_or_else(|| Problem::not_found(Entity::Key))?;
    Ok(Json(KeyView::new(&key, caller.actor.at)))
}
