//! `POST /roles`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::RoleView;
use crate::admin::AdminState;
use crate::admin::body;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::precondition::etag;
use crate::admin::problem::{Place, Problem};
use crate::admin::{grant, projects};
use crate::domain::role::Custom;
use crate::domain::{Permission, Role, Timestamp, TokenKind};

/// The body.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// What it is named in keys: unique among the roles that are used in the same place, and immutable.
    #[schema(value_type = schemas::Slug)]
    pub slug: Option<String>,
    /// Free text for people; the slug unless told otherwise.
    #[schema(value_type = Option<schemas::Name>)]
    pub name: Option<String>,
    /// More text for people.
    #[schema(value_type = Option<schemas::Note>)]
    pub note: Option<String>,
    /// The kind of key that it is for: `ingest` or `admin`.
    #[schema(value_type = schemas::KeyKind)]
    pub kind: Option<String>,
    /// The project that it belongs to; without one keys everywhere can have it.
    #[schema(value_type = Option<schemas::Slug>)]
    pub project: Option<String>,
    /// What it holds.
    #[schema(value_type = schemas::Permissions)]
    pub permissions: Option<Vec<String>>,
}

/// Creates a role. Nobody puts into it what they lack.
#[utoipa::path(
    post, path = "/roles", tag = "roles", operation_id = "create_role",
    security(("bearer" = ["role.create"])),
    request_body = NewRole,
    responses(
        (status = 201, body = RoleView, headers(("location"), ("etag"))),
        (status = 403, description = "installation_only, grant_refused"),
        (status = 404, description = "project_not_found"),
        (status = 409, description = "role_exists"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    body::Json(new): body::Json<NewRole>,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Permission::RoleCreate)?;
    let role = read(&new, caller.actor.at)?;
    match role.project() {
        Some(project) => drop(projects::visible(&state, &caller, project).await.map_err(|problem| {
            problem.at(
                Place::field("project"),
                "the slug of a project that exists; create it first, or list those there are",
            )
        })?),
        None => caller.require_installation()?,
    }
    state.catalog.create_role(&role, &caller.actor).await?;
    let query = role.project().map(|project| format!("?project={project}")).unwrap_or_default();
    let location = format!("/api/v1/roles/{}{query}", role.slug);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], etag(1), Json(RoleView::from(role))))
}

fn read(new: &NewRole, now: Timestamp) -> Result<Role, Problem> {
    let mut check = Check::default();
    let named = check.slug_and_name(new.slug.as_deref(), new.name.as_deref());
    let note = check.note(Place::field("note"), new.note.as_deref()).unwrap_or_default();
    let kind = match new.kind.as_deref() {
        Some("ingest") => Some(TokenKind::Ingest),
        Some("admin") => Some(TokenKind::Admin),
        other => {
            let detail = if other.is_none() { "it is missing" } else { "there is no such kind of key" };
            check.refuse(Place::field("kind"), detail, "ingest or admin");
            None
        }
    };
    let project = check.slug(Place::field("project"), new.project.as_deref());
    if new.permissions.is_none() {
        check.missing(Place::field("permissions"));
    }
    let listed = kind.zip(new.permissions.as_deref());
    let permissions = listed.and_then(|(kind, names)| grant::permissions(&mut check, kind, names));
    let required = named.zip(kind).zip(permissions);
    check.finish(required.map(|(((slug, name), kind), permissions)| Role {
        slug,
        kind,
        name,
        note,
        permissions,
        custom: Some(Custom { project, version: 1, created_at: now, updated_at: now }),
    }))
}
