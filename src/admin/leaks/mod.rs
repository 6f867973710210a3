//! `POST /leaked-tokens`: reports of tokens that were found in public, in the form of GitHub's secret-scanning partner programme.
//!
//! A report is believed by its signature, in place of an admin key. A token counts only where it proves possession of a secret that
//! is still good: who signs reports can reach no key whose token it does not have. `docs/leaks.md` describes it from outside.

mod signature;

use axum::Json;
use axum::extract::{Request, State};
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::body::{JSON, in_time, is_one_of, undeclared};
use super::keys::presented::{Found, look_up};
use super::keys::to_the_end;
use super::limits::Anyone;
use super::problem::{Code, FieldError, Place, Problem};
use super::request::{Peer, RequestId};
use super::{AdminState, hexadecimal};
use crate::catalog::CatalogError;
use crate::domain::audit::{Actor, Via};
use crate::domain::key::{ChangeRefused, SecretMark};
use crate::domain::{Key, KeyChange, LeakPolicy, Permissions, SecretState, Timestamp, TokenKind};
pub use signature::{PublicKeys, PublicKeysError};

/// Whose reports are taken, and what follows from them.
#[derive(Clone, Debug)]
pub struct Leaks {
    /// Who may report.
    pub keys: PublicKeys,
    /// What happens to an ingest key.
    pub ingest: LeakPolicy,
    /// What happens to an admin key.
    pub admin: LeakPolicy,
}

/// One token that was found. It has no `Debug` form. What else a report says is passed over.
#[derive(Deserialize, ToSchema)]
#[schema(as = LeakedToken)]
struct Report {
    token: String,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    source: String,
}

/// What became of a report: the programme's form of feedback. The token is named by its hash only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Feedback {
    /// SHA-256 of the token, in hexadecimal digits.
    pub token_hash: String,
    /// The type that the report gave.
    pub token_type: String,
    /// `true_positive`: it is or was a token of this installation; `false_positive`: it is none.
    pub label: String,
}

/// The largest body of a report, in bytes: all of it is read before its signature can be looked at.
const MAX_BODY_BYTES: usize = 256 << 10;

/// The most tokens of one report.
const MAX_TOKENS: usize = 1000;

/// Takes a report of tokens that were found in public.
#[utoipa::path(
    post, path = "/leaked-tokens", tag = "keys", operation_id = "report_leaked_tokens",
    security(()),
    params(
        ("Github-Public-Key-Identifier" = String, Header, description = "Which key signed the body"),
        ("Github-Public-Key-Signature" = String, Header, description = "ECDSA on P-256 over SHA-256 of the body, DER in base64"),
    ),
    request_body = Vec<Report>,
    responses(
        (status = 200, body = Vec<Feedback>),
        (status = 403, description = "signature_invalid"),
        (status = 404, description = "path_unknown"),
        (status = 503, description = "catalog_unavailable"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    _: Anyone,
    request: Request,
) -> Result<Json<Vec<Feedback>>, Problem> {
    let Some(leaks) = state.leaks.clone() else {
        let detail = "this installation takes no reports of leaked tokens; set leaks.keys_file to take them";
        return Err(Problem::new(Code::PathUnknown, detail));
    };
    if !is_one_of(request.headers(), &[JSON]) {
        return Err(undeclared(&[JSON]));
    }
    let (parts, body) = request.into_parts();
    let (identifier, signature) = signed(&parts.headers)?;
    let body = in_time(&state, Limited::new(body, MAX_BODY_BYTES).collect()).await?.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Problem::new(Code::BodyTooLarge, format!("a report has at most {MAX_BODY_BYTES} bytes"))
        } else {
            Problem::new(Code::BodyIncomplete, "the body did not arrive whole")
        }
    })?;
    let body = body.to_bytes();
    if !leaks.keys.verify(identifier, signature, &body) {
        return Err(unsigned("the signature is not that of the named key over this body"));
    }
    let reports = read(&body)?;
    let address = parts.extensions.get::<Peer>().map(|peer| peer.0.to_canonical());
    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
    to_the_end(async move {
        let mut feedback = Vec::with_capacity(reports.len());
        for report in reports {
            let by = Actor {
                at: state.clock.now(),
                key: None,
                secret: None,
                name: String::new(),
                needs: Permissions::default(),
                via: Via::Api,
                address,
                user_agent: None,
                request_id: request_id.clone(),
            };
            let known = act(&state, &leaks, &report, by).await?;
            feedback.push(Feedback {
                token_hash: hexadecimal(&Sha256::digest(report.token.as_bytes())),
                token_type: report.r#type,
                label: if known { "true_positive" } else { "false_positive" }.to_owned(),
            });
        }
        Ok(Json(feedback))
    })
    .await?
}

/// Who says to have signed, and the signature.
fn signed(headers: &HeaderMap) -> Result<(&str, &str), Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let both = text("github-public-key-identifier").zip(text("github-public-key-signature"));
    both.ok_or_else(|| unsigned("the headers Github-Public-Key-Identifier and Github-Public-Key-Signature are missing"))
}

fn unsigned(detail: &str) -> Problem {
    Problem::new(Code::SignatureInvalid, detail)
}

fn read(body: &Bytes) -> Result<Vec<Report>, Problem> {
    let at = |pointer: &str, detail: String, fix: &str| {
        Problem::invalid(vec![FieldError { place: Place::Pointer(pointer.to_owned()), detail, fix: fix.to_owned() }])
    };
    let fix = "an array of objects with token, type, url and source, all text";
    let reports: Vec<Report> = serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            // The message of the parser may repeat a value.
            at("", format!("line {}, column {} is not as it must be", error.line(), error.column()), fix)
        } else {
            Problem::new(Code::BodyMalformed, format!("the body is not JSON: {error}"))
        }
    })?;
    if reports.len() > MAX_TOKENS {
        return Err(at("", format!("there are {} tokens", reports.len()), "at most 1000 tokens in one report"));
    }
    Ok(reports)
}

/// Does with the key of a token what the policy says; whether there is one.
async fn act(state: &AdminState, leaks: &Leaks, report: &Report, by: Actor) -> Result<bool, Problem> {
    let Found::Proved { key, version } = look_up(state, None, &report.token).await? else { return Ok(false) };
    let by = &Actor { name: cause(report), ..by };
    if !is_good(&key, version, by.at) {
        return Ok(true);
    }
    let policy = match key.binding.kind() {
        TokenKind::Ingest => leaks.ingest,
        TokenKind::Admin => leaks.admin,
    };
    tracing::warn!(key = %key.id, revoked = policy == LeakPolicy::Revoke, cause = by.name, "a token was found in public");
    change(state, &key, &KeyChange::Mark(SecretMark::Exposed), by).await?;
    if policy == LeakPolicy::Revoke {
        change(state, &key, &KeyChange::Revoke, by).await?;
    }
    Ok(true)
}

async fn change(state: &AdminState, key: &Key, change: &KeyChange, by: &Actor) -> Result<(), CatalogError> {
    let changed = state.catalog.change_key(&key.id, change, None, by).await;
    // Also after an error: the commit may have happened although its answer was lost.
    (state.key_changed)(key.id);
    match changed {
        // Or somebody was faster.
        Ok(_) | Err(CatalogError::ChangeRefused(ChangeRefused::Revoked)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether somebody could still use the secret, now or once the key is enabled or extended.
fn is_good(key: &Key, version: u32, now: Timestamp) -> bool {
    let secret = key.secrets.iter().find(|secret| secret.version == version);
    key.revoked_at.is_none() && secret.is_some_and(|secret| key.secret_state(secret, now) != SecretState::Retired)
}

/// Letters and digits alone, without the difference of upper and lower case.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The longest place that is kept, in characters.
const MAX_URL: usize = 300;

/// Who or what is at the beginning of a change, for the audit log: where the token was found, without the token.
fn cause(report: &Report) -> String {
    let clean = |text: &str, most: usize| -> String {
        // What follows the path may hold anything, and what looks like the token in another spelling is the token.
        let text = text.split(['?', '#']).next().unwrap_or_default();
        if plain(text).contains(&plain(&report.token)) {
            return "…".to_owned();
        }
        text.chars().filter(|c| !c.is_control()).take(most).collect()
    };
    let (url, source) = (clean(&report.url, MAX_URL), clean(&report.source, 40));
    match (url.is_empty(), source.is_empty()) {
        (true, true) => "leaked-token report".to_owned(),
        (true, false) => format!("leaked-token report: {source}"),
        (false, true) => format!("leaked-token report: {url}"),
        (false, false) => format!("leaked-token report: {url} ({source})"),
    }
}
