//! `POST /environments`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{EnvironmentView, rotation_days};
use crate::admin::AdminState;
use crate::admin::body;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::problem::{Place, Problem};
use crate::domain::{Environment, EnvironmentCode, Permission, Timestamp};

/// The body.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEnvironment {
    /// Used in paths, headers, API and configuration; unique and immutable.
    #[schema(value_type = schemas::Slug)]
    pub slug: Option<String>,
    /// Used in tokens; unique and immutable.
    #[schema(value_type = schemas::EnvironmentCode)]
    pub code: Option<String>,
    /// Free text for people; the slug unless told otherwise.
    #[schema(value_type = Option<schemas::Name>)]
    pub name: Option<String>,
    /// After how many days keys are due for a new secret: 90 unless told otherwise; null: never.
    #[serde(default, deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3650)]
    pub rotation_days: Option<Option<u32>>,
}

/// Creates an environment, in which every project can have keys from then on. Only keys of the whole installation may.
#[utoipa::path(
    post, path = "/environments", tag = "projects", operation_id = "create_environment",
    security(("bearer" = ["environment.create"])),
    request_body = NewEnvironment,
    responses(
        (status = 201, body = EnvironmentView, headers(("location"))),
        (status = 403, description = "installation_only"),
        (status = 409, description = "environment_exists"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    body::Json(new): body::Json<NewEnvironment>,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Permission::EnvironmentCreate)?;
    caller.require_installation()?;
    let environment = read(&new, caller.actor.at)?;
    state.catalog.create_environment(&environment, &caller.actor).await?;
    let location = format!("/api/v1/environments/{}", environment.slug);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(EnvironmentView::from(environment))))
}

/// After how many days keys are due for a new secret, where nobody says otherwise.
const ROTATION_DAYS: u32 = 90;

fn read(new: &NewEnvironment, now: Timestamp) -> Result<Environment, Problem> {
    let mut check = Check::default();
    let named = check.slug_and_name(new.slug.as_deref(), new.name.as_deref());
    let place = Place::field("code");
    let code = match new.code.as_deref().map(str::parse::<EnvironmentCode>) {
        Some(Ok(code)) => Some(code),
        Some(Err(error)) => {
            check.refuse(place, error.to_string(), "2 to 8 characters of a-z and 0-9");
            None
        }
        None => {
            check.missing(place);
            None
        }
    };
    let rotation_days = rotation_days(&mut check, new.rotation_days.unwrap_or(Some(ROTATION_DAYS)));
    check.finish(named.zip(code).map(|((slug, name), code)| Environment {
        slug,
        code,
        name,
        rotation_days,
        created_at: now,
    }))
}
