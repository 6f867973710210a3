//! `POST /keys`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::KeyView;
use super::fields::{self, Asked};
use crate::admin::AdminState;
use crate::admin::body;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::grant;
use crate::admin::once::Once;
use crate::admin::openapi::schemas::{self, OnceHeader};
use crate::admin::precondition::etag;
use crate::admin::problem::{Place, Problem};
use crate::admin::terms::NewLimit;
use crate::catalog::issue;
use crate::domain::key::SecretFormat;
use crate::domain::{Binding, Permission, Permissions, Tenant, Timestamp, TokenKind, role};

/// The body.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Free text for people, unique among the living keys with the same binding.
    #[schema(value_type = schemas::Name)]
    pub name: Option<String>,
    /// More text for people, such as where the key is used.
    #[schema(value_type = Option<schemas::Note>)]
    pub note: Option<String>,
    /// Labels to find it by.
    #[schema(value_type = Option<Vec<schemas::Tag>>, max_items = 20)]
    pub tags: Option<Vec<String>>,
    /// The customer or owner that it is for, in words for people.
    #[schema(value_type = Option<schemas::Name>)]
    pub owner: Option<String>,
    /// `ingest` unless told otherwise, or `admin`.
    #[schema(value_type = Option<schemas::KeyKind>)]
    pub kind: Option<String>,
    /// The project; an admin key without one is of the whole installation.
    #[schema(value_type = Option<schemas::Slug>)]
    pub project: Option<String>,
    /// The grid of an ingest key.
    #[schema(value_type = Option<schemas::Slug>)]
    pub grid: Option<String>,
    /// The environment of an ingest key.
    #[schema(value_type = Option<schemas::Slug>)]
    pub environment: Option<String>,
    /// What it may do, by a role. Unless told otherwise the role of an ingest key is `ingest`, that of an admin key `viewer`.
    #[schema(value_type = Option<schemas::Slug>)]
    pub role: Option<String>,
    /// What it may do, in place of a role.
    #[schema(value_type = Option<schemas::Permissions>)]
    pub permissions: Option<Vec<String>>,
    /// Where it may be used from: addresses and ranges in CIDR notation; anywhere unless told otherwise.
    #[schema(max_items = 50)]
    pub allowed_addresses: Option<Vec<String>>,
    /// The limits of its own, of an ingest key; this needs `quota.update`.
    #[schema(max_items = 35)]
    pub limits: Option<Vec<NewLimit>>,
    /// RFC 3339; never unless told otherwise.
    #[schema(value_type = Option<schemas::Instant>)]
    pub expires_at: Option<String>,
    /// Whether it is refused until it is enabled.
    pub disabled: Option<bool>,
    /// The form of its token: `token` unless told otherwise, or `uuid` of an ingest key whose senders take nothing else.
    #[schema(value_type = Option<schemas::SecretFormat>)]
    pub format: Option<String>,
}

/// The answers that show a token, each time the only one ever: to creating, regenerating and rotating.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct IssuedKey {
    /// The key.
    pub key: KeyView,
    /// The token of its newest secret.
    #[schema(value_type = schemas::Token)]
    pub token: String,
}

/// Creates a key and shows its token, once.
#[utoipa::path(
    post, path = "/keys", tag = "keys", operation_id = "create_key",
    security(("bearer" = ["api.key.create"])),
    params(OnceHeader),
    request_body = NewKey,
    responses(
        (status = 201, body = IssuedKey, headers(("location"), ("etag"))),
        (status = 403, description = "installation_only, grant_refused"),
        (status = 404, description = "project_not_found, grid_not_found, environment_not_found, role_not_found"),
        (status = 409, description = "key_exists, key_limit_reached"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    once: Once,
    body::Checked(new, check): body::Checked<NewKey>,
) -> Result<Response, Problem> {
    caller.require(Permission::KeyCreate)?;
    once.answer(state, caller, new, async move |state, caller, new| create(state, caller, new, check).await).await
}

async fn create(
    state: AdminState,
    mut caller: Caller,
    new: NewKey,
    check: Check,
) -> Result<impl IntoResponse, Problem> {
    let (mut new, asked) = read(&new, check, caller.actor.at)?;
    require_sight(&caller, &new.binding)?;
    fields::require_quota(&mut caller, !new.limits.is_empty())?;
    new.grant = fields::grant(&state, new.binding.kind(), new.binding.project(), asked).await?;
    grant::require(&caller, &new.grant.permissions)?;
    let environments = state.catalog.environments().await?;
    let now = caller.actor.at;
    let (key, token) = super::issue(state, new, caller.actor).await?;
    let location = [(header::LOCATION, format!("/api/v1/keys/{}", key.id))];
    let issued = IssuedKey { key: KeyView::new(&key, &environments, now), token: token.reveal().to_owned() };
    Ok((StatusCode::CREATED, location, etag(key.version), Json(issued)))
}

/// Nobody reaches beyond what they administer.
pub(super) fn require_sight(caller: &Caller, binding: &Binding) -> Result<(), Problem> {
    let Some(project) = binding.project() else { return caller.require_installation() };
    caller.require_sight(project).map_err(|problem| {
        let fix = "the slug of a project that exists; create it first, or list those there are";
        problem.at(Place::field("project"), fix)
    })
}

pub(super) fn read(new: &NewKey, mut check: Check, now: Timestamp) -> Result<(issue::NewKey, Asked), Problem> {
    let name = check.name(Place::field("name"), new.name.as_deref());
    let note = check.note(Place::field("note"), new.note.as_deref()).unwrap_or_default();
    let tags = fields::tags(&mut check, new.tags.as_deref().unwrap_or_default());
    let owner = new.owner.as_deref().and_then(|owner| check.line(Place::field("owner"), "the owner", owner));
    let kind = kind(&mut check, new.kind.as_deref());
    let binding = kind.and_then(|kind| binding(&mut check, kind, new));
    let asked = kind.and_then(|kind| fields::asked(&mut check, kind, new.role.as_deref(), new.permissions.as_deref()));
    let allowed = fields::allowed(&mut check, new.allowed_addresses.as_deref().unwrap_or_default());
    let limits = kind.and_then(|kind| fields::limits(&mut check, kind, new.limits.as_deref().unwrap_or_default()));
    let expires_at = check.future(Place::field("expires_at"), new.expires_at.as_deref(), now);
    let format = format(&mut check, kind, new.format.as_deref());
    let required = name.zip(tags).zip(binding).zip(allowed).zip(limits).zip(format);
    let (((((name, tags), binding), allowed), limits), format) = check.finish(required)?;
    let asked = asked.map_or_else(|| default(binding.kind()), Ok)?;
    let disabled = new.disabled.unwrap_or_default();
    // What it may do is found out next; until then it is nothing.
    let plain = issue::NewKey::with(name, binding, Permissions::default());
    Ok((issue::NewKey { note, tags, owner, allowed, limits, disabled, expires_at, format, ..plain }, asked))
}

fn kind(check: &mut Check, name: Option<&str>) -> Option<TokenKind> {
    match name {
        None | Some("ingest") => Some(TokenKind::Ingest),
        Some("admin") => Some(TokenKind::Admin),
        Some(_) => {
            check.refuse(Place::field("kind"), "there is no such kind of key", "ingest or admin");
            None
        }
    }
}

fn binding(check: &mut Check, kind: TokenKind, new: &NewKey) -> Option<Binding> {
    let [project, grid, environment] = ["project", "grid", "environment"].map(Place::field);
    match kind {
        TokenKind::Ingest => {
            let project = check.required_slug(project, new.project.as_deref());
            let grid = check.required_slug(grid, new.grid.as_deref());
            let environment = check.required_slug(environment, new.environment.as_deref());
            Some(Binding::Tenant(Tenant { project: project?, grid: grid?, environment: environment? }))
        }
        TokenKind::Admin => {
            for (place, value) in [(grid, &new.grid), (environment, &new.environment)] {
                if value.is_some() {
                    check.refuse(place, "an admin key has none", "leave it out, or create an ingest key");
                }
            }
            match &new.project {
                None => Some(Binding::Installation),
                Some(project_slug) => check.slug(project, Some(project_slug)).map(Binding::Project),
            }
        }
    }
}

fn format(check: &mut Check, kind: Option<TokenKind>, name: Option<&str>) -> Option<SecretFormat> {
    let place = || Place::field("format");
    match name {
        None | Some("token") => return Some(SecretFormat::Token),
        Some("uuid") if kind == Some(TokenKind::Admin) => {
            check.refuse(place(), "the token of an admin key is no UUID", "leave it out, or create an ingest key");
        }
        Some("uuid") => return Some(SecretFormat::Uuid),
        Some(_) => check.refuse(place(), "there is no such format", "token or uuid"),
    }
    None
}

/// What a key may do unless told otherwise: of an admin key little, because more should be said.
fn default(kind: TokenKind) -> Result<Asked, Problem> {
    let slug = match kind {
        TokenKind::Ingest => role::INGEST,
        TokenKind::Admin => role::VIEWER,
    };
    slug.parse().map(Asked::Role).map_err(Problem::internal)
}
