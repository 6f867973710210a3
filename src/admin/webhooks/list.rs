//! `GET /webhooks`

use axum::Json;
use axum::extract::State;

use super::WebhookView;
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas::{PageQuery, WebhookQuery};
use crate::admin::page::{PageView, Parameters, parameter};
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::domain::Permission;

/// The webhooks that the caller may see, by id.
#[utoipa::path(
    get, path = "/webhooks", tag = "webhooks", operation_id = "list_webhooks",
    security(("bearer" = ["webhook.view"])),
    params(WebhookQuery, PageQuery),
    responses((status = 200, body = PageView<WebhookView>), (status = 404, description = "project_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<PageView<WebhookView>>, Problem> {
    caller.require(Permission::WebhookView)?;
    let mut check = Check::default();
    let mut project = check.slug(parameter("project"), parameters.take("project").as_deref());
    let paging = parameters.paging(&mut check);
    parameters.finish(&mut check, &["project", "limit", "cursor"]);
    check.finish(Some(()))?;
    match &project {
        Some(project) => drop(projects::visible(&state, &caller, project).await?),
        None => project = caller.binding.project().cloned(),
    }
    let now = state.clock.now();
    let page = state.catalog.webhooks(project.as_ref(), &paging).await?;
    Ok(Json(PageView::new(page, |webhook| WebhookView::new(&webhook, now))))
}
