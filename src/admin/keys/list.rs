//! `GET /keys`

use axum::Json;
use axum::extract::State;

use super::KeyView;
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas::{KeyQuery, PageQuery};
use crate::admin::page::{PageView, Parameters, parameter};
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::catalog::{KeyFilter, Paging};
use crate::domain::{KeyStatus, Permission, TokenKind};

/// The keys that the caller may see, newest first; without revoked ones unless the filter names them.
#[utoipa::path(
    get, path = "/keys", tag = "keys", operation_id = "list_keys",
    security(("bearer" = ["api.key.view"])),
    params(KeyQuery, PageQuery),
    responses((status = 200, body = PageView<KeyView>), (status = 404, description = "project_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Json<PageView<KeyView>>, Problem> {
    caller.require(Permission::KeyView)?;
    let (mut filter, paging) = read(parameters)?;
    match &filter.project {
        Some(project) => drop(projects::visible(&state, &caller, project).await?),
        None => filter.project = caller.binding.project().cloned(),
    }
    let now = state.clock.now();
    let page = state.catalog.keys(&filter, now, &paging).await?;
    let environments = state.catalog.environments().await?;
    Ok(Json(PageView::new(page, |key| KeyView::new(&key, &environments, now))))
}

fn read(mut parameters: Parameters) -> Result<(KeyFilter, Paging), Problem> {
    let mut check = Check::default();
    let mut slug = |name| check.slug(parameter(name), parameters.take(name).as_deref());
    let (project, grid, environment) = (slug("project"), slug("grid"), slug("environment"));
    let kind = match parameters.take("kind").as_deref() {
        None => None,
        Some("ingest") => Some(TokenKind::Ingest),
        Some("admin") => Some(TokenKind::Admin),
        Some(_) => {
            check.refuse(parameter("kind"), "there is no such kind", "ingest or admin");
            None
        }
    };
    let statuses = statuses(&mut check, parameters.take("status").as_deref());
    let paging = parameters.paging(&mut check);
    let known = ["project", "grid", "environment", "kind", "status", "limit", "cursor"];
    parameters.finish(&mut check, &known);
    check.finish(Some((KeyFilter { project, grid, environment, kind, statuses, ..KeyFilter::default() }, paging)))
}

/// The statuses of the parameter, which separates them by commas; `all` shows every key.
fn statuses(check: &mut Check, text: Option<&str>) -> Vec<KeyStatus> {
    let shown = match text {
        None => Some(KeyStatus::ALL.into_iter().filter(|status| *status != KeyStatus::Revoked).collect()),
        Some("all") => Some(Vec::new()),
        Some(text) => text
            .split(',')
            .map(|name| KeyStatus::ALL.into_iter().find(|status| status.as_str() == name))
            .collect::<Option<Vec<_>>>(),
    };
    shown.unwrap_or_else(|| {
        let names = KeyStatus::ALL.map(KeyStatus::as_str).join(", ");
        check.refuse(parameter("status"), "there is no such status", format!("all, or one or more of {names}"));
        Vec::new()
    })
}
