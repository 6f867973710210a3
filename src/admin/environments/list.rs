//! `GET /environments`

use axum::Json;
use axum::extract::State;

use super::EnvironmentView;
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::page::{PageView, Parameters};
use crate::admin::problem::Problem;
use crate::catalog::Page;
use crate::domain::Permission;

/// Every environment by slug, on one page: an installation has a handful.
#[utoipa::path(
    get, path = "/environments", tag = "projects", operation_id = "list_environments",
    security(("bearer" = ["project.view"])),
    responses((status = 200, body = PageView<EnvironmentView>)),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Json<PageView<EnvironmentView>>, Problem> {
    caller.require(Permission::ProjectView)?;
    let mut check = Check::default();
    parameters.finish(&mut check, &[]);
    check.finish(Some(()))?;
    let page = Page { items: state.catalog.environments().await?, next: None };
    Ok(Json(PageView::new(page, EnvironmentView::from)))
}
