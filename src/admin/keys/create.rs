//! `POST /keys`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{KeyView, to_the_end};
use crate::admin::AdminState;
use crate::admin::body;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::grant;
use crate::admin::openapi::schemas;
use crate::admin::problem::{Place, Problem};
use crate::catalog::issue::{self, IssueError, issue_key};
use crate::catalog::{CatalogError, Entity};
use crate::domain::{Binding, Permission, Permissions, Tenant, Timestamp, TokenKind};

/// The body.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Free text for people, unique among the keys with the same binding that are not revoked.
    #[schema(value_type = schemas::Name)]
    pub name: Option<String>,
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
    /// What it may do. Unless told otherwise an ingest key exports every signal and an admin key only looks.
    #[schema(min_items = 1)]
    pub permissions: Option<Vec<String>>,
    /// RFC 3339; never unless told otherwise.
    #[schema(value_type = Option<schemas::Instant>)]
    pub expires_at: Option<String>,
}

/// The answer: the only one that ever shows the token.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct IssuedKey {
    /// The new key.
    pub key: KeyView,
    /// Its token.
    #[schema(value_type = schemas::Token)]
    pub token: String,
}

/// Creates a key and shows its token, once.
#[utoipa::path(
    post, path = "/keys", tag = "keys", operation_id = "create_key",
    security(("bearer" = ["api.key.create"])),
    request_body = NewKey,
    responses(
        (status = 201, body = IssuedKey, headers(("location"))),
        (status = 403, description = "installation_only, grant_refused"),
        (status = 404, description = "project_not_found, grid_not_found, environment_not_found"),
        (status = 409, description = "key_exists"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    body::Json(new): body::Json<NewKey>,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Permission::KeyCreate)?;
    let new = read(&new, state.clock.now())?;
    require_rights(&caller, &new)?;
    let clock = state.clock.clone();
    let (key, token) = to_the_end(async move {
        let issued = issue_key(&*state.catalog, &*state.random, &state.peppers, new, &caller.actor).await;
        if let Ok((key, _)) = &issued {
            (state.key_changed)(key.id);
        }
        issued
    })
    .await?
    .map_err(refused)?;
    let location = format!("/api/v1/keys/{}", key.id);
    let issued = IssuedKey { key: KeyView::new(&key, clock.now()), token: token.reveal().to_owned() };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(issued)))
}

/// Nobody reaches beyond what they administer, and nobody grants what they lack.
fn require_rights(caller: &Caller, new: &issue::NewKey) -> Result<(), Problem> {
    match new.binding.project() {
        Some(project) => caller.require_sight(project).map_err(|problem| point(problem, "project"))?,
        None => caller.require_installation()?,
    }
    grant::require(caller, &new.grant.permissions)
}

fn read(new: &NewKey, now: Timestamp) -> Result<issue::NewKey, Problem> {
    let mut check = Check::default();
    let name = check.name(Place::field("name"), new.name.as_deref());
    let kind = match new.kind.as_deref() {
        None | Some("ingest") => Some(TokenKind::Ingest),
        Some("admin") => Some(TokenKind::Admin),
        Some(_) => {
            check.refuse(Place::field("kind"), "there is no such kind of key", "ingest or admin");
            None
        }
    };
    let binding = kind.and_then(|kind| binding(&mut check, kind, new));
    let permissions = kind.and_then(|kind| permissions(&mut check, kind, new.permissions.as_deref()));
    let expires_at = check.future(Place::field("expires_at"), new.expires_at.as_deref(), now);
    let required = name.zip(binding).zip(permissions);
    check.finish(required.map(|((name, binding), permissions)| issue::NewKey {
        expires_at,
        ..issue::NewKey::with(name, binding, permissions)
    }))
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

fn permissions(check: &mut Check, kind: TokenKind, names: Option<&[String]>) -> Option<Permissions> {
    match (names, kind) {
        (Some(names), _) => grant::permissions(check, kind, names),
        (None, TokenKind::Ingest) => Some(Permissions::ingest()),
        (None, TokenKind::Admin) => Some(VIEW.into_iter().collect()),
    }
}

/// What an admin key may do unless told otherwise: little, because more should be said.
const VIEW: [Permission; 3] = [Permission::KeyView, Permission::ProjectView, Permission::GridView];

fn refused(error: IssueError) -> Problem {
    match error {
        IssueError::Random(error) => error.into(),
        IssueError::Catalog(error) => {
            let field = match &error {
                CatalogError::Missing(Entity::Project) => Some("project"),
                CatalogError::Missing(Entity::Grid) => Some("grid"),
                CatalogError::Missing(Entity::Environment) => Some("environment"),
                CatalogError::Exists(Entity::Key) => Some("name"),
                _ => None,
            };
            match field {
                Some(field) => point(error.into(), field),
                None => error.into(),
            }
        }
    }
}

fn point(problem: Problem, field: &str) -> Problem {
    let fix = match field {
        "name" => "choose another name, or revoke the key that has it".to_owned(),
        field => format!("the slug of a {field} that exists; create it first, or list those there are"),
    };
    problem.at(Place::field(field), fix)
}
