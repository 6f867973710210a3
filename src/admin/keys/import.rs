//! `POST /keys/import`

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::create::{self, NewKey};
use super::fields::{self, Asked};
use super::{KeyView, point, to_the_end};
use crate::admin::AdminState;
use crate::admin::body;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::grant;
use crate::admin::once::Once;
use crate::admin::openapi::schemas;
use crate::admin::problem::{Code, Place, Problem};
use crate::admin::terms::NewLimit;
use crate::catalog::{ImportFault, ImportedKey};
use crate::domain::key::{DigestAlgorithm, Grant, SecretFormat};
use crate::domain::secret::Peppers;
use crate::domain::{Digest, Key, KeyId, LegacyToken, Permission, Secret, Slug, Timestamp, TokenKind};

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
    responses((status = 201, body = Imported)),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    once: Once,
    body: Result<body::Checked<Import>, Problem>,
) -> Result<Response, Problem> {
    caller.require(Permission::KeyCreate)?;
    let body::Checked(keys, check) = body.map_err(too_large)?;
    once.answer(state, caller, keys, async move |state, caller, keys| import(state, caller, keys, check).await).await
}

async fn import(
    state: AdminState,
    mut caller: Caller,
    import: Import,
    mut check: Check,
) -> Result<(StatusCode, Json<Imported>), Problem> {
    let keys = read(&state, &mut caller, import, &mut check).await?;
    let keys = check.finish(Some(keys))?;
    let environments = state.catalog.environments().await?;
    let now = caller.actor.at;
    let views = keys.iter().map(|imported| KeyView::new(&imported.key, &environments, now)).collect();
    let faults = to_the_end(async move {
        let faults = state.catalog.import_keys(&keys, &caller.actor).await;
        // Also after an error: the commit may have happened although its answer was lost.
        for imported in &keys {
            (state.key_changed)(imported.key.id);
        }
        faults
    });
    let mut check = Check::default();
    for ImportFault { row, error } in faults.await?? {
        add(&mut check, row, point(error));
    }
    check.finish(Some((StatusCode::CREATED, Json(Imported { data: views }))))
}

fn too_large(problem: Problem) -> Problem {
    match problem.code {
        Code::BodyTooLarge => Problem::new(Code::BodyTooLarge, format!("this body has at most {MAX_BYTES} bytes")),
        _ => problem,
    }
}

/// The keys of the body that are as they must be; what is wrong with the others is noted.
async fn read(
    state: &AdminState,
    caller: &mut Caller,
    import: Import,
    check: &mut Check,
) -> Result<Vec<ImportedKey>, Problem> {
    let rows = import.keys.unwrap_or_default();
    if rows.is_empty() || rows.len() > MAX_KEYS {
        check.refuse(Place::field("keys"), format!("there are {}", rows.len()), format!("1 to {MAX_KEYS} keys"));
        return Ok(Vec::new());
    }
    let mut keys = Vec::new();
    let mut grants = HashMap::new();
    let mut tokens = HashMap::new();
    for (index, row) in rows.into_iter().enumerate() {
        let place = |field: &str| Place::Pointer(format!("/keys/{index}/{field}"));
        let (new, token) = row.split();
        let secret = secret(check, &place, token, &state.peppers, caller.actor.at);
        if let Some(first) = secret.as_ref().and_then(|(plain, ..)| tokens.insert(*plain, index)) {
            check.refuse(place("token"), format!("the key {first} of this import has the same"), "each token once");
        }
        let made = match make(state, caller, &new, &mut grants).await {
            Ok(made) => made,
            Err(problem) if problem.code.status().is_server_error() => return Err(problem),
            Err(problem) => {
                add(check, index, problem);
                continue;
            }
        };
        if let Some((_, secret, digests)) = secret {
            keys.push(ImportedKey { key: Key { secrets: vec![secret], ..made }, digests });
        }
    }
    Ok(keys)
}

/// What is to be made of a row, but for its secret.
async fn make(
    state: &AdminState,
    caller: &mut Caller,
    new: &NewKey,
    grants: &mut HashMap<(Option<Slug>, Slug), Grant>,
) -> Result<Key, Problem> {
    let at = caller.actor.at;
    let (new, asked) = create::read(new, Check::default(), at)?;
    let project = new.binding.project().cloned();
    if new.binding.kind() == TokenKind::Admin {
        let problem = Problem::new(Code::Invalid, "no admin key comes from elsewhere");
        return Err(problem.at(Place::field("kind"), "ingest, or leave it out"));
    }
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

/// The SHA-256 of a row's token, its secret, and every digest that it may be stored under already.
fn secret(
    check: &mut Check,
    place: &dyn Fn(&str) -> Place,
    token: (Option<String>, Option<String>),
    peppers: &Peppers,
    at: Timestamp,
) -> Option<([u8; 32], Secret, Vec<Digest>)> {
    let (digest, algorithm, plain, digests) = match token {
        (Some(token), None) => {
            let Some(token) = LegacyToken::parse(&token) else {
                check.refuse(place("token"), "it is no UUID", "a UUID, with its hyphens or without");
                return None;
            };
            let (newest, plain) = (peppers.newest(), Digest::sha_256(token.text()));
            let mut digests: Vec<_> = peppers.iter().map(|pepper| pepper.digest(token.text())).collect();
            digests.push(plain);
            let algorithm = DigestAlgorithm::HmacSha256 { pepper: newest.version() };
            (newest.digest(token.text()), algorithm, plain, digests)
        }
        (None, Some(text)) => {
            let Some(digest) = hexadecimal(&text).map(Digest::from_bytes) else {
                check.refuse(place("sha256"), "it is no SHA-256", "64 hexadecimal digits");
                return None;
            };
            (digest, DigestAlgorithm::Sha256, digest, vec![digest])
        }
        (token, _) => {
            let detail = if token.is_some() { "sha256 is there as well" } else { "it is missing" };
            check.refuse(place("token"), detail, "send token or sha256");
            return None;
        }
    };
    let secret = Secret {
        version: 1,
        digest,
        algorithm,
        format: SecretFormat::Uuid,
        created_at: at,
        retires_at: None,
        drained_after: None,
        used: None,
    };
    Some((*plain.as_bytes(), secret, digests))
}

fn hexadecimal(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Notes what is wrong with the key at `index`, each at its own place in the body.
fn add(check: &mut Check, index: usize, problem: Problem) {
    if problem.errors.is_empty() {
        check.refuse(Place::Pointer(format!("/keys/{index}")), problem.detail, problem.code.title());
        return;
    }
    for error in problem.errors {
        let within = match error.place {
            Place::Pointer(pointer) => pointer,
            Place::Parameter(_) | Place::Header(_) => String::new(),
        };
        check.refuse(Place::Pointer(format!("/keys/{index}{within}")), error.detail, error.fix);
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
