//! `GET /projects`

use axum::Json;
use axum::extract::State;

use super::ProjectView;
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas::PageQuery;
use crate::admin::page::{PageView, Parameters};
use crate::admin::problem::Problem;
use crate::catalog::{CatalogError, Page};
use crate::domain::{Binding, Permission};

/// The projects that the caller may see, by slug.
#[utoipa::path(
    get, path = "/projects", tag = "projects", operation_id = "list_projects",
    security(("bearer" = ["project.view"])),
    params(PageQuery),
    responses((status = 200, body = PageView<ProjectView>)),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<PageView<ProjectView>>, Problem> {
    caller.require(Permission::ProjectView)?;
    let mut check = Check::default();
    let paging = parameters.paging(&mut check);
    parameters.finish(&mut check, &["limit", "cursor"]);
    let paging = check.finish(Some(paging))?;
    let page = match &caller.binding {
        Binding::Installation => state.catalog.projects(&paging).await?,
        // The list of one project has no second page.
        _ if paging.after.is_some() => return Err(CatalogError::Cursor.into()),
        Binding::Project(own) => Page { items: state.catalog.project(own).await?.into_iter().collect(), next: None },
        Binding::Tenant(_) => Page { items: Vec::new(), next: None },
    };
    Ok(Json(PageView::new(page, ProjectView::from)))
}
