//! `GET /audit-events`

use axum::Json;
use axum::extract::State;

use super::AuditView;
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::page::{PageView, Parameters, parameter};
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::catalog::{AuditFilter, Paging};
use crate::domain::audit::{Action, Target, TargetKind};
use crate::domain::{Permission, Timestamp};

/// What was done to things that the caller may see, newest first.
#[utoipa::path(
    get, path = "/audit-events", tag = "audit", operation_id = "list_audit_events",
    security(("bearer" = ["audit.view"])),
    params(schemas::AuditQuery, schemas::PageQuery),
    responses((status = 200, body = PageView<AuditView>), (status = 404, description = "project_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Json<PageView<AuditView>>, Problem> {
    caller.require(Permission::AuditView)?;
    let (mut filter, paging) = read(parameters)?;
    match &filter.project {
        Some(project) => drop(projects::visible(&state, &caller, project).await?),
        None => filter.project = caller.binding.project().cloned(),
    }
    let page = state.catalog.audit_entries(&filter, &paging).await?;
    Ok(Json(PageView::new(page, AuditView::from)))
}

fn read(mut parameters: Parameters) -> Result<(AuditFilter, Paging), Problem> {
    let mut check = Check::default();
    let project = check.slug(parameter("project"), parameters.take("project").as_deref());
    let actor = parsed(&mut check, &mut parameters, "actor", "the id of an admin key: key_ and 12 characters");
    let action = parsed::<Action>(&mut check, &mut parameters, "action", "an action such as key.created");
    let target = parameters.take("target").and_then(|text| target(&mut check, &text));
    let instant = "an RFC 3339 instant, for example 2026-11-21T10:22:00Z";
    let since = parsed::<Timestamp>(&mut check, &mut parameters, "since", instant);
    let until = parsed::<Timestamp>(&mut check, &mut parameters, "until", instant);
    let paging = parameters.paging(&mut check);
    let known = ["project", "actor", "action", "target", "since", "until", "limit", "cursor"];
    parameters.finish(&mut check, &known);
    check.finish(Some((AuditFilter { project, actor, target, action, since, until }, paging)))
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

fn target(check: &mut Check, text: &str) -> Option<(TargetKind, String)> {
    let target = Target::parse(text);
    if target.is_none() {
        let kinds = TargetKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
        let fix = format!("the id of a key or webhook, or one of {kinds}, a colon and its id or slug");
        check.refuse(parameter("target"), "it names no thing", fix);
    }
    target
}
