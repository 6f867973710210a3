//! `POST /keys/{id}/disable`

use axum::Json;
use axum::extract::State;

use super::{KeyView, change};
use crate::admin::AdminState;
use crate::admin::body::KeyPath;
use crate::admin::caller::Caller;
use crate::admin::problem::Problem;
use crate::domain::{KeyChange, Permission};

/// Refuses a key until it is enabled.
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
) -> Result<Json<KeyView>, Problem> {
    change(state, caller, id, KeyChange::Disable, Permission::KeyUpdate).await
}
