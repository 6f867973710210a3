//! `POST /keys/import`

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::create::{self, NewKey};
use super::fields::{self, Asked};
use super::imported_token::{self, Known};
use super::{KeyView, point, to_the_end};
use crate::admin::AdminState;
use crate::admin::body;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::faults::Faults;
use crate::admin::grant;
use crate::admin::once::Once;
use crate::admin::openapi::schemas;
use crate::admin::problem::{Code, Place, Problem};
use crate::admin::strict;
use crate::admin::terms::NewLimit;
use crate::catalog::{CatalogError, Entity, ImportFault, ImportedKey};
use crate::domain::key::Grant;
use crate::domain::{Binding, Key, KeyId, Permission, Slug, Tenant, TokenKind};

/// The largest body, in bytes.
pub const MAX_BYTES: usize = 8 << 20;

/// The most keys of one import.
const MAX_KEYS: usize = 10_000;

/// The body.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The keys, all or none of which are made.
    #[schema(value_type = Vec<ImportedRow>, min_items = 1, max_items = 10_000)]
    pub keys: Option<Vec<ImportedRow>>,
}

/// A key that other products made: the fields that keys are created with, and its token or what is known of it.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedRow {
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
    /// `ingest`: no others come from elsewhere.
    #[schema(value_type = Option<schemas::KeyKind>)]
    pub kind: Option<String>,
    /// The project.
    #[schema(value_type = schemas::Slug)]
    pub project: Option<String>,
    /// The grid.
    #[schema(value_type = schemas::Slug)]
    pub grid: Option<String>,
    /// The environment.
    #[schema(value_type = schemas::Slug)]
    pub environment: Option<String>,
    /// What it may do, by a role; `ingest` unless told otherwise.
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
    /// Its token, a UUID; this or `sha256`.
    #[schema(value_type = Option<schemas::Token>)]
    pub token: Option<String>,
    /// SHA-256 of its token, a UUID in lower case with hyphens, as 64 hexadecimal digits; this or `token`.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    pub sha256: Option<String>,
}

/// The answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Imported {
    /// The keys, in the order of the body. No token is among it.
    pub data: Vec<KeyView>,
}

/// Makes keys of tokens that other products gave out, all or none. What is wrong is told of every key.
#[utoipa::path(
    post, path = "/keys/import", tag = "keys", operation_id = "import_keys",
    security(("bearer" = ["api.key.create"])),
    params(schemas::OnceHeader),
    request_body = Import,
    responses((status = 201, body = Imported), (status = 503, description = "import_timeout")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    once: Once,
    body: Result<body::Text, Problem>,
) -> Result<Response, Problem> {
    caller.require(Permission::KeyCreate)?;
    let body::Text(text) = body.map_err(too_large)?;
    let (keys, form) = parse(&text)?;
    once.answer(state, caller, keys, async move |state, caller, keys| import(state, caller, keys, form).await).await
}

async fn import(
    state: AdminState,
    mut caller: Caller,
    import: Import,
    form: Form,
) -> Result<(StatusCode, Json<Imported>), Problem> {
    let Rows { keys, places, mut faults } = read(&state, &mut caller, import, form).await?;
    let environments = state.catalog.environments().await?;
    let now = caller.actor.at;
    let whole = faults.is_empty();
    let views =
        if whole { keys.iter().map(|one| KeyView::new(&one.key, &environments, now)).collect() } else { Vec::new() };
    let found = to_the_end(async move {
        if !whole {
            return state.catalog.check_import(&keys, &caller.actor).await;
        }
        let found = state.catalog.import_keys(&keys, &caller.actor).await;
        // Also after an error: the commit may have happened although its answer was lost.
        for imported in &keys {
            (state.key_changed)(imported.key.id);
        }
        found
    });
    for fault in found.await?? {
        refuse(&mut faults, &places, fault);
    }
    if faults.is_empty() { Ok((StatusCode::CREATED, Json(Imported { data: views }))) } else { Err(faults.problem()) }
}

fn too_large(problem: Problem) -> Problem {
    match problem.code {
        Code::BodyTooLarge => Problem::new(Code::BodyTooLarge, format!("this body has at most {MAX_BYTES} bytes")),
        _ => problem,
    }
}

/// What is wrong with the form of a body.
struct Form {
    faults: Faults,
    /// Of each row that can be read, to be completed; `None`: it cannot.
    rows: Vec<Option<Check>>,
}

/// Reads the body row by row.
fn parse(text: &[u8]) -> Result<(Import, Form), Problem> {
    let (found, mut check) = strict::list(text, "keys")?;
    let mut found = found.unwrap_or_default();
    let place = Place::field("keys");
    if found.len() > MAX_KEYS || (found.is_empty() && !check.has(&place)) {
        check.refuse(place, format!("there are {}", found.len()), format!("1 to {MAX_KEYS} keys"));
        found.clear();
    }
    let mut form = Form { faults: Faults::default(), rows: Vec::with_capacity(found.len()) };
    form.faults.add_all(check);
    let mut keys = Vec::with_capacity(found.len());
    for (index, row) in found.into_iter().enumerate() {
        let (row, check) = match strict::row(row) {
            Ok((row, check)) => (row, Some(check)),
            Err(problem) => {
                form.faults.add("keys", index, problem, "");
                (ImportedRow::default(), None)
            }
        };
        keys.push(row);
        form.rows.push(check);
    }
    Ok((Import { keys: Some(keys) }, form))
}

/// What is asked of the catalog, and what was found wrong before.
struct Rows {
    /// The keys of a body without faults. With faults, as much of each as is known of it.
    keys: Vec<ImportedKey>,
    /// The row of each, and the field that its token is in.
    places: Vec<(usize, &'static str)>,
    faults: Faults,
}

async fn read(state: &AdminState, caller: &mut Caller, import: Import, form: Form) -> Result<Rows, Problem> {
    let mut rows = Rows { keys: Vec::new(), places: Vec::new(), faults: form.faults };
    let mut grants = HashMap::new();
    let mut tokens = HashMap::new();
    for (index, (row, check)) in import.keys.unwrap_or_default().into_iter().zip(form.rows).enumerate() {
        let Some(mut check) = check else { continue };
        let field = if row.token.is_none() && row.sha256.is_some() { "sha256" } else { "token" };
        let (new, token) = row.split();
        let mut secret = imported_token::read(&mut check, token, &state.peppers, caller.actor.at);
        let mut repeated = false;
        if let Some(Known { plain, digests, .. }) = &mut secret {
            match tokens.entry(*plain.as_bytes()) {
                Entry::Vacant(new) => drop(new.insert(index)),
                Entry::Occupied(first) => {
                    let detail = format!("the key {} of this import has the same", first.get());
                    check.refuse(Place::field(field), detail, "each token once");
                    // It is told.
                    digests.clear();
                    repeated = true;
                }
            }
        }
        let made = match make(state, caller, &new, check, &mut grants).await {
            Ok(made) => Some(made),
            Err(problem) if problem.code.status().is_server_error() => return Err(problem),
            Err(problem) => {
                let fix = fix(problem.code);
                rows.faults.add("keys", index, problem, fix);
                claim(state, caller, &new, repeated)?
            }
        };
        if let Some(key) = made {
            let (secrets, digests) = secret.map(|known| (vec![known.secret], known.digests)).unwrap_or_default();
            rows.keys.push(ImportedKey { key: Key { secrets, ..key }, digests });
            rows.places.push((index, field));
        }
    }
    Ok(rows)
}

/// What is to be made of a row, but for its secret.
async fn make(
    state: &AdminState,
    caller: &mut Caller,
    new: &NewKey,
    mut check: Check,
    grants: &mut HashMap<(Option<Slug>, Slug), Grant>,
) -> Result<Key, Problem> {
    let at = caller.actor.at;
    if new.kind.as_deref() == Some(TokenKind::Admin.as_str()) {
        check.refuse(Place::field("kind"), "no admin key comes from elsewhere", "ingest, or leave it out");
    }
    let (new, asked) = create::read(new, check, at)?;
    let project = new.binding.project().cloned();
    create::require_sight(caller, &new.binding)?;
    fields::require_quota(caller, !new.limits.is_empty())?;
    let known = match &asked {
        Asked::Role(role) => grants.get(&(project.clone(), role.clone())).cloned(),
        Asked::Own(_) => None,
    };
    let grant = match known {
        Some(grant) => grant,
        None => fields::grant(state, TokenKind::Ingest, project.as_ref(), asked).await?,
    };
    if let Some(role) = &grant.role {
        grants.insert((project, role.clone()), grant.clone());
    }
    grant::require(caller, &grant.permissions)?;
    Ok(Key {
        note: new.note,
        tags: new.tags,
        owner: new.owner,
        role: grant.role,
        permissions: grant.permissions,
        allowed: new.allowed,
        limits: new.limits,
        created_by: caller.actor.key,
        expires_at: new.expires_at,
        disabled_at: new.disabled.then_some(at),
        ..Key::new(KeyId::random(&*state.random)?, new.binding, new.name, at)
    })
}

/// What a row with faults claims all the same, as far as it can be read and is the caller's business: its name in its tenant. The
/// catalog is asked about that, too, so that the row needs to be mended once.
fn claim(state: &AdminState, caller: &Caller, new: &NewKey, repeated: bool) -> Result<Option<Key>, Problem> {
    let slug = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<Slug>().ok());
    let name = Check::default().name(Place::field("name"), new.name.as_deref());
    let tenant = slug(&new.project).zip(slug(&new.grid)).zip(slug(&new.environment));
    let Some((((project, grid), environment), name)) = tenant.zip(name) else { return Ok(None) };
    let binding = Binding::Tenant(Tenant { project, grid, environment });
    if create::require_sight(caller, &binding).is_err() {
        return Ok(None);
    }
    let at = caller.actor.at;
    // A token that is there twice takes no second place among the active ones.
    let disabled_at = (repeated || new.disabled.unwrap_or_default()).then_some(at);
    Ok(Some(Key { disabled_at, ..Key::new(KeyId::random(&*state.random)?, binding, name, at) }))
}

/// Notes what the catalog found wrong.
fn refuse(faults: &mut Faults, places: &[(usize, &'static str)], fault: ImportFault) {
    let Some((index, token)) = places.get(fault.row) else { return };
    let field = match &fault.error {
        CatalogError::Exists(Entity::Token) => Some(*token),
        _ => None,
    };
    let mut problem = point(fault.error);
    let first = fault.same_as.and_then(|row| places.get(row));
    for error in &mut problem.errors {
        if let Some(field) = field {
            error.place = Place::field(field);
        }
        if let Some((first, _)) = first {
            error.detail = format!("the key {first} of this import has the same");
        }
    }
    let fix = fix(problem.code);
    faults.add("keys", *index, problem, fix);
}

/// What to do about a problem that has no field.
fn fix(code: Code) -> &'static str {
    match code {
        Code::KeyLimitReached => "import it disabled or not at all, or let more keys be active",
        Code::GrantRefused => "permissions that you have yourself",
        _ => code.title(),
    }
}

impl ImportedRow {
    /// The fields that keys are created with, and the others.
    fn split(self) -> (NewKey, (Option<String>, Option<String>)) {
        let new = NewKey {
            name: self.name,
            note: self.note,
            tags: self.tags,
            owner: self.owner,
            kind: self.kind,
            project: self.project,
            grid: self.grid,
            environment: self.environment,
            role: self.role,
            permissions: self.permissions,
            allowed_addresses: self.allowed_addresses,
            limits: self.limits,
            expires_at: self.expires_at,
            disabled: self.disabled,
            format: None,
        };
        (new, (self.token, self.sha256))
    }
}
