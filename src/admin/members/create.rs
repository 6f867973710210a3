//! `POST /members`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin::AdminState;
use crate::admin::body;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::keys::{self, KeyView};
use crate::admin::once::Once;
use crate::admin::openapi::schemas;
use crate::admin::precondition::etag;
use crate::admin::problem::{Place, Problem};
use crate::admin::{grant, projects};
use crate::catalog::issue::NewKey;
use crate::domain::{Binding, Permission, Slug, Timestamp, TokenKind};

/// The body.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// The person's name, unique among the admin keys of the same project, or of the installation.
    #[schema(value_type = schemas::Name)]
    pub name: Option<String>,
    /// The slug of a role for admin keys.
    #[schema(value_type = schemas::Slug)]
    pub role: Option<String>,
    /// The project; without one the member is of the whole installation.
    #[schema(value_type = Option<schemas::Slug>)]
    pub project: Option<String>,
    /// RFC 3339; never unless told otherwise.
    #[schema(value_type = Option<schemas::Instant>)]
    pub expires_at: Option<String>,
    /// More text for people.
    #[schema(value_type = Option<schemas::Note>)]
    pub note: Option<String>,
}

/// The answer: the only one that ever shows the token.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct InvitedMember {
    /// The new member.
    pub member: KeyView,
    /// The token to hand to the person.
    #[schema(value_type = schemas::Token)]
    pub token: String,
}

/// What was read of the body.
struct Invitation {
    name: String,
    role: Slug,
    project: Option<Slug>,
    expires_at: Option<Timestamp>,
    note: String,
}

/// Invites a member and shows the token, once. Nobody gives a role that holds what they lack.
#[utoipa::path(
    post, path = "/members", tag = "members", operation_id = "invite_member",
    security(("bearer" = ["member.create"])),
    params(schemas::OnceHeader),
    request_body = NewMember,
    responses(
        (status = 201, body = InvitedMember, headers(("location"), ("etag"))),
        (status = 403, description = "installation_only, grant_refused"),
        (status = 404, description = "project_not_found, role_not_found"),
        (status = 409, description = "key_exists"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    once: Once,
    body::Json(new): body::Json<NewMember>,
) -> Result<Response, Problem> {
    caller.require(Permission::MemberCreate)?;
    once.answer(state, caller, new, invite).await
}

async fn invite(state: AdminState, caller: Caller, new: NewMember) -> Result<impl IntoResponse, Problem> {
    let Invitation { name, role, project, expires_at, note } = read(&new, caller.actor.at)?;
    let binding = if let Some(project) = project {
        let fix = "the slug of a project that exists; create it first, or list those there are";
        let found = projects::visible(&state, &caller, &project).await;
        Binding::Project(found.map_err(|problem| problem.at(Place::field("project"), fix))?.slug)
    } else {
        caller.require_installation()?;
        Binding::Installation
    };
    let granted = grant::by_role(&state, TokenKind::Admin, binding.project(), &role).await?;
    grant::require(&caller, &granted.permissions)?;
    let new = NewKey { member: true, note, expires_at, ..NewKey::new(name, binding, granted) };
    let now = caller.actor.at;
    let environments = state.catalog.environments().await?;
    let (key, token) = keys::issue(state, new, caller.actor).await?;
    let location = format!("/api/v1/members/{}", key.id);
    let invited = InvitedMember { member: KeyView::new(&key, &environments, now), token: token.reveal().to_owned() };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], etag(key.version), Json(invited)))
}

fn read(new: &NewMember, now: Timestamp) -> Result<Invitation, Problem> {
    let mut check = Check::default();
    let name = check.name(Place::field("name"), new.name.as_deref());
    let role = check.required_slug(Place::field("role"), new.role.as_deref());
    let project = check.slug(Place::field("project"), new.project.as_deref());
    let expires_at = check.future(Place::field("expires_at"), new.expires_at.as_deref(), now);
    let note = check.note(Place::field("note"), new.note.as_deref()).unwrap_or_default();
    check.finish(name.zip(role).map(|(name, role)| Invitation { name, role, project, expires_at, note }))
}
