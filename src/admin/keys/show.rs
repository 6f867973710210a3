//! `GET /keys/{id}`

use axum::Json;
use axum::extract::State;

use super::{KeyView, visible};
use crate::admin::AdminState;
use crate::admin::body::KeyPath;
use crate::admin::caller::Caller;
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// One key, whatever its status.
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
) -> Result<Json<KeyView>, Problem> {
    caller.require(Permission::KeyView)?;
    let key = visible(&state, &caller, &id).await?;
    Ok(Json(KeyView::new(&key, state.clock.now())))
}
