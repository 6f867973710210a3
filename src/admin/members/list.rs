//! `GET /members`

use axum::Json;
use axum::extract::State;

use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::keys::KeyView;
use crate::admin::openapi::schemas;
use crate::admin::page::{PageView, Parameters, parameter};
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::catalog::KeyFilter;
use crate::domain::{KeyStatus, Permission};

/// The members that the caller may see, newest first; without those that were removed.
#[utoipa::path(
    get, path = "/members", tag = "members", operation_id = "list_members",
    security(("bearer" = ["member.view"])),
    params(schemas::ProjectQuery, schemas::PageQuery),
    responses((status = 200, body = PageView<KeyView>), (status = 404, description = "project_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<PageView<KeyView>>, Problem> {
    caller.require(Permission::MemberView)?;
    let mut check = Check::default();
    let project = check.slug(parameter("project"), parameters.take("project").as_deref());
    let paging = parameters.paging(&mut check);
    parameters.finish(&mut check, &["project", "limit", "cursor"]);
    let (project, paging) = check.finish(Some((project, paging)))?;
    let project = match project {
        Some(project) => Some(projects::visible(&state, &caller, &project).await?.slug),
        None => caller.binding.project().cloned(),
    };
    let there = KeyStatus::ALL.into_iter().filter(|status| *status != KeyStatus::Revoked);
    let filter = KeyFilter { project, member: Some(true), statuses: there.collect(), ..KeyFilter::default() };
    let now = caller.actor.at;
    let page = state.catalog.keys(&filter, now, &paging).await?;
    let environments = state.catalog.environments().await?;
    Ok(Json(PageView::new(page, |key| KeyView::new(&key, &environments, now))))
}
