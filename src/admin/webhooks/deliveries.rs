//! `GET /webhooks/{id}/deliveries`

use axum::Json;
use axum::extract::State;

use super::{DeliveryView, visible};
use crate::admin::AdminState;
use crate::admin::body::WebhookPath;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::page::{PageView, Parameters};
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// The messages of the last 30 days, newest first, with what became of each.
#[utoipa::path(
    get, path = "/webhooks/{id}/deliveries", tag = "webhooks", operation_id = "list_webhook_deliveries",
    security(("bearer" = ["webhook.view"])),
    params(("id" = schemas::WebhookId, Path), schemas::PageQuery),
    responses((status = 200, body = PageView<DeliveryView>), (status = 404, description = "webhook_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    WebhookPath(id): WebhookPath,
    mut parameters: Parameters,
) -> Result<Json<PageView<DeliveryView>>, Problem> {
    caller.require(Permission::WebhookView)?;
    visible(&state, &caller, &id).await?;
    let mut check = Check::default();
    let paging = parameters.paging(&mut check);
    parameters.finish(&mut check, &["limit", "cursor"]);
    check.finish(Some(()))?;
    let page = state.catalog.deliveries(&id, &paging).await?;
    Ok(Json(PageView::new(page, |delivery| DeliveryView::new(&delivery))))
}
