//! `GET /roles`

use axum::Json;
use axum::extract::State;

use super::{RoleView, place};
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::page::{PageView, Parameters, parameter};
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// The roles that keys of a project, or of the installation, can have, by slug; the built-in ones, too.
#[utoipa::path(
    get, path = "/roles", tag = "roles", operation_id = "list_roles",
    security(("bearer" = ["role.view"])),
    params(schemas::ProjectQuery, schemas::PageQuery),
    responses((status = 200, body = PageView<RoleView>), (status = 404, description = "project_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<PageView<RoleView>>, Problem> {
    caller.require(Permission::RoleView)?;
    let mut check = Check::default();
    let project = check.slug(parameter("project"), parameters.take("project").as_deref());
    let paging = parameters.paging(&mut check);
    parameters.finish(&mut check, &["project", "limit", "cursor"]);
    let (project, paging) = check.finish(Some((project, paging)))?;
    let project = place(&state, &caller, project).await?;
    let page = state.catalog.roles(project.as_ref(), &paging).await?;
    Ok(Json(PageView::new(page, RoleView::from)))
}
