//! `GET /refusals`

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;

use super::RefusalView;
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::page::{PageView, Parameters, parameter};
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::catalog::{Paging, RefusalFilter};
use crate::domain::trouble::Cause;
use crate::domain::{KeyId, Permission, Timestamp};

/// What was turned away, and why, in groups; the one with the latest export first. A project's admin sees what was proved to be of the
/// project, and what claims a key of it.
#[utoipa::path(
    get, path = "/refusals", tag = "refusals", operation_id = "list_refusals",
    security(("bearer" = ["usage.view"])),
    params(schemas::RefusalQuery, schemas::PageQuery),
    responses((status = 200, body = PageView<RefusalView>), (status = 404, description = "project_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Json<PageView<RefusalView>>, Problem> {
    caller.require(Permission::UsageView)?;
    let (mut filter, paging) = read(parameters)?;
    match &filter.project {
        Some(project) => drop(projects::visible(&state, &caller, project).await?),
        None => filter.project = caller.binding.project().cloned(),
    }
    let page = state.catalog.refusals(&filter, &paging).await?;
    Ok(Json(PageView::new(page, RefusalView::from)))
}

/// The longest text that is looked for, in characters.
const MAX_TEXT_LENGTH: usize = 100;

fn read(mut parameters: Parameters) -> Result<(RefusalFilter, Paging), Problem> {
    let mut check = Check::default();
    let project = check.slug(parameter("project"), parameters.take("project").as_deref());
    let key = parsed::<KeyId>(&mut check, &mut parameters, "key", "the id of a key: key_ and 12 characters");
    let cause = parsed::<Cause>(&mut check, &mut parameters, "reason", "a reason such as key_expired");
    let address = parsed::<IpAddr>(&mut check, &mut parameters, "address", "an address of IPv4 or IPv6");
    let text = parameters.take("q").and_then(|text| searched(&mut check, text));
    let instant = "an RFC 3339 instant, for example 2026-11-21T10:22:00Z";
    let from = parsed::<Timestamp>(&mut check, &mut parameters, "from", instant);
    let to = parsed::<Timestamp>(&mut check, &mut parameters, "to", instant);
    let paging = parameters.paging(&mut check);
    let known = ["project", "key", "reason", "address", "q", "from", "to", "limit", "cursor"];
    parameters.finish(&mut check, &known);
    check.finish(Some((RefusalFilter { project, key, cause, address, text, from, to }, paging)))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    check: &mut Check,
    parameters: &mut Parameters,
    name: &str,
    fix: &str,
) -> Option<T> {
    match parameters.take(name)?.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            check.refuse(parameter(name), format!("{error}"), fix);
            None
        }
    }
}

fn searched(check: &mut Check, text: String) -> Option<String> {
    let fix = "1 to 100 characters without control characters";
    if text.is_empty() || text.chars().count() > MAX_TEXT_LENGTH {
        check.refuse(parameter("q"), "it is empty or too long", fix);
    } else if text.chars().any(char::is_control) {
        check.refuse(parameter("q"), "it has a control character", fix);
    } else {
        return Some(text);
    }
    None
}
