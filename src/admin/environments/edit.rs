//! `PATCH /environments/{slug}`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{EnvironmentView, rotation_days};
use crate::admin::AdminState;
use crate::admin::body::{self, EnvironmentPath};
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::problem::{Place, Problem};
use crate::catalog::{Entity, EnvironmentEdit};
use crate::domain::Permission;

/// The body: what is left out stays as it is.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditedEnvironment {
    /// Free text for people.
    #[serde(default, deserialize_with = "body::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::Name, required = false)]
    pub name: Option<String>,
    /// After how many days keys are due for a new secret; null: never.
    #[serde(default, deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3650)]
    pub rotation_days: Option<Option<u32>>,
}

/// Changes an environment. Only keys of the whole installation may.
#[utoipa::path(
    patch, path = "/environments/{slug}", tag = "projects", operation_id = "edit_environment",
    security(("bearer" = ["environment.update"])),
    params(("slug" = schemas::Slug, Path)),
    request_body(content((EditedEnvironment = "application/merge-patch+json"), (EditedEnvironment = "application/json"))),
    responses(
        (status = 200, body = EnvironmentView),
        (status = 403, description = "installation_only"),
        (status = 404, description = "environment_not_found"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    EnvironmentPath(slug): EnvironmentPath,
    body::MergePatch(edited): body::MergePatch<EditedEnvironment>,
) -> Result<Json<EnvironmentView>, Problem> {
    caller.require(Permission::EnvironmentUpdate)?;
    caller.require_installation()?;
    let mut check = Check::default();
    let edit = EnvironmentEdit {
        name: edited.name.as_deref().and_then(|name| check.name(Place::field("name"), Some(name))),
        rotation_days: edited.rotation_days.map(|days| rotation_days(&mut check, days)),
    };
    let edit = check.finish(Some(edit))?;
    let environment = state.catalog.change_environment(&slug, &edit, &caller.actor).await?;
    Ok(Json(environment.ok_or_else(|| Problem::not_found(Entity::Environment))?.into()))
}
