//! `GET /plans/{slug}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;

use super::{PlanView, find};
use crate::admin::AdminState;
use crate::admin::body::PlanPath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::precondition::etag;
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// One plan.
#[utoipa::path(
    get, path = "/plans/{slug}", tag = "plans", operation_id = "show_plan",
    security(("bearer" = ["quota.view"])),
    params(("slug" = schemas::Slug, Path)),
    responses((status = 200, body = PlanView, headers(("etag"))), (status = 404, description = "plan_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    PlanPath(slug): PlanPath,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Permission::QuotaView)?;
    let plan = find(&state, &slug).await?;
    Ok((etag(plan.version), Json(PlanView::from(plan))))
}
