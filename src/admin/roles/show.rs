//! `GET /roles/{slug}`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::{RoleView, visible};
use crate::admin::AdminState;
use crate::admin::body::RolePath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::page::Parameters;
use crate::admin::precondition::etag;
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// One role.
#[utoipa::path(
    get, path = "/roles/{slug}", tag = "roles", operation_id = "show_role",
    security(("bearer" = ["role.view"])),
    params(("slug" = schemas::Slug, Path), schemas::ProjectQuery),
    responses(
        (status = 200, body = RoleView),
        (status = 404, description = "project_not_found, role_not_found"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    RolePath(slug): RolePath,
    parameters: Parameters,
) -> Result<Response, Problem> {
    caller.require(Permission::RoleView)?;
    let role = RoleView::from(visible(&state, &caller, parameters, &slug).await?);
    Ok(match role.version {
        Some(version) => (etag(version), Json(role)).into_response(),
        None => Json(role).into_response(),
    })
}
