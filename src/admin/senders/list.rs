//! `GET /senders`

use axum::Json;
use axum::extract::State;

use super::{SenderQuery, SenderView, filter};
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas::{PageQuery, ProjectQuery};
use crate::admin::page::{PageView, Parameters, parameter};
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::domain::Permission;

/// Who uses the keys that the caller may see, those that were first seen last first; as it is written down, some seconds late.
#[utoipa::path(
    get, path = "/senders", tag = "keys", operation_id = "list_senders",
    security(("bearer" = ["usage.view"])),
    params(ProjectQuery, SenderQuery, PageQuery),
    responses((status = 200, body = PageView<SenderView>), (status = 404, description = "project_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<PageView<SenderView>>, Problem> {
    caller.require(Permission::UsageView)?;
    let mut check = Check::default();
    let project = check.slug(parameter("project"), parameters.take("project").as_deref());
    let mut wanted = filter(&mut parameters, &mut check);
    let paging = parameters.paging(&mut check);
    parameters.finish(&mut check, &["project", "secret", "service", "since", "limit", "cursor"]);
    check.finish(Some(()))?;
    if let Some(project) = &project {
        projects::visible(&state, &caller, project).await?;
    }
    wanted.project = project.or_else(|| caller.binding.project().cloned());
    let page = state.catalog.senders(&wanted, &paging).await?;
    Ok(Json(PageView::new(page, |one| SenderView::new(&one.seen, &one.key_name, one.shared))))
}
