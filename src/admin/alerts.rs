//! `GET /alerts`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::AdminState;
use super::caller::Caller;
use super::check::Check;
use super::openapi::schemas::{self, PageQuery, ProjectQuery};
use super::page::{PageView, Parameters, parameter};
use super::problem::Problem;
use super::projects;
use crate::catalog::{AlertFilter, Paging};
use crate::domain::alert::{GivenAlert, KINDS};
use crate::domain::webhook::EventKind;
use crate::domain::{KeyId, Permission, Slug};

/// An alert that was given. The summary and the data may hold what senders say of themselves: any character, and no proof of anything.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlertView {
    /// Names the alert: the same for the same kind, project, key and cause.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub id: String,
    /// The name of the event that webhooks were told.
    #[schema(value_type = schemas::Event)]
    pub alert: String,
    /// The project that it is about; null: the installation.
    #[schema(value_type = Option<schemas::Slug>)]
    pub project: Option<String>,
    /// The key that it is about.
    #[schema(value_type = Option<schemas::KeyId>)]
    pub key: Option<String>,
    /// What happened, in a sentence.
    pub summary: String,
    /// The data of the event.
    #[schema(value_type = Object)]
    pub data: Value,
    /// When it was last given.
    #[schema(value_type = schemas::Instant)]
    pub at: String,
    /// When its cause was last found.
    #[schema(value_type = schemas::Instant)]
    pub last_found_at: String,
}

/// The filters of the list of alerts.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the query")]
pub(super) struct AlertQuery {
    /// Only those about this key.
    #[param(value_type = Option<schemas::KeyId>, nullable = false)]
    key: Option<String>,
    /// Only those of this kind.
    #[param(value_type = Option<schemas::Event>, nullable = false)]
    alert: Option<String>,
}

/// Alerts about what the caller may see, the last one first.
#[utoipa::path(
    get, path = "/alerts", tag = "usage", operation_id = "list_alerts",
    security(("bearer" = ["usage.view"])),
    params(ProjectQuery, AlertQuery, PageQuery),
    responses((status = 200, body = PageView<AlertView>), (status = 404, description = "project_not_found")),
)]
pub(super) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    parameters: Parameters,
) -> Result<Json<PageView<AlertView>>, Problem> {
    caller.require(Permission::UsageView)?;
    let (mut filter, paging) = read(parameters)?;
    match &filter.project {
        Some(project) => drop(projects::visible(&state, &caller, project).await?),
        None => filter.project = caller.binding.project().cloned(),
    }
    Ok(Json(PageView::new(state.catalog.alerts(&filter, &paging).await?, AlertView::from)))
}

fn read(mut parameters: Parameters) -> Result<(AlertFilter, Paging), Problem> {
    let mut check = Check::default();
    let project = check.slug(parameter("project"), parameters.take("project").as_deref());
    let key = parameters.take("key").and_then(|text| {
        let refuse =
            |error| check.refuse(parameter("key"), format!("{error}"), "the id of a key: key_ and 12 characters");
        text.parse::<KeyId>().map_err(refuse).ok()
    });
    let kind = parameters.take("alert").and_then(|text| {
        let kind = KINDS.into_iter().find(|kind| kind.as_str() == text);
        if kind.is_none() {
            let names: Vec<_> = KINDS.iter().map(|kind| kind.as_str()).collect();
            check.refuse(parameter("alert"), "there is no such alert", format!("one of {}", names.join(", ")));
        }
        kind
    });
    let paging = parameters.paging(&mut check);
    parameters.finish(&mut check, &["project", "key", "alert", "limit", "cursor"]);
    check.finish(Some((AlertFilter { project, key, kind }, paging)))
}

impl From<GivenAlert> for AlertView {
    fn from(given: GivenAlert) -> Self {
        let GivenAlert { id, kind, project, key, summary, data, at, last_at } = given;
        Self {
            id,
            alert: EventKind::as_str(kind).to_owned(),
            project: project.as_ref().map(Slug::to_string),
            key: key.as_ref().map(KeyId::to_string),
            summary,
            data: serde_json::from_str(&data).unwrap_or_default(),
            at: at.to_string(),
            last_found_at: last_at.to_string(),
        }
    }
}
