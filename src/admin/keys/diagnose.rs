//! `POST /keys/diagnose`

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::KeyView;
use super::presented::{Found, good_address, is_ingest, look_up, terms};
use crate::admin::AdminState;
use crate::admin::body;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::problem::{Place, Problem};
use crate::admin::terms::live::standings;
use crate::catalog::{AuditFilter, CatalogError, Entity, Paging};
use crate::domain::audit::{Action, TargetKind};
use crate::domain::judge::Use;
use crate::domain::limit::{Mode, ScopeId, Terms};
use crate::domain::{
    Binding, Key, KeyStatus, Over, Permission, Reason, Refusal, Reopens, SecretState, Signal, Slug, Timestamp,
};
use crate::metering::limiter::Standing;

/// The body. It has no `Debug` form, because it holds a token.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenToDiagnose)]
pub struct Question {
    /// What the exporter has, exactly as it has it.
    #[schema(value_type = String)]
    pub token: Option<String>,
    /// The signal that it sends; all of them unless told otherwise.
    #[schema(value_type = Option<schemas::Signal>)]
    pub signal: Option<String>,
    /// The address that it sends from; one that is allowed unless told otherwise.
    #[schema(value_type = Option<schemas::Address>)]
    pub address: Option<String>,
    /// The environment that the endpoint is for; one for all unless told otherwise.
    #[schema(value_type = Option<schemas::Slug>)]
    pub environment: Option<String>,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Diagnosis {
    /// Whether an export of each signal would get past its key; none where that is not for the caller to know.
    pub accepted: Option<bool>,
    /// Everything that is worth knowing, what weighs most first.
    pub findings: Vec<Finding>,
    /// The key, as far as the token says which it is and the caller may see it.
    pub key: Option<KeyView>,
    /// The version of the key's secret that was presented, once possession of it is proved.
    pub secret_version: Option<u32>,
    /// What would happen to an export of each signal.
    pub exports: Vec<Forecast>,
}

/// One thing that is worth knowing about a token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// To tell findings apart by.
    pub code: String,
    /// What it is, in words. Never a part of the token.
    pub detail: String,
    /// What to do about it.
    pub fix: String,
    /// Since when.
    #[schema(value_type = Option<schemas::Instant>)]
    pub since: Option<String>,
    /// Who made it so, where the caller may read the audit log.
    pub by: Option<String>,
}

/// What would happen to an export.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Forecast {
    /// Of which signal.
    #[schema(value_type = schemas::Signal)]
    pub signal: String,
    /// Whether it would get past its key. What is judged behind it is not foretold; limits that are used up are among the findings.
    pub accepted: bool,
    /// Why not.
    pub reason: Option<String>,
    /// The status over HTTP.
    pub http_status: u16,
    /// The name of the status over gRPC.
    pub grpc_code: String,
    /// Whether exporters send it again.
    pub retryable: bool,
    /// What the sender would be told.
    pub message: Option<String>,
}

/// Says what is wrong with a token, and what would happen to an export with it.
#[utoipa::path(
    post, path = "/keys/diagnose", tag = "keys", operation_id = "diagnose_token",
    security(("bearer" = ["api.key.view"])),
    request_body = Question,
    responses((status = 200, body = Diagnosis), (status = 404, description = "environment_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    body::Json(question): body::Json<Question>,
) -> Result<Json<Diagnosis>, Problem> {
    caller.require(Permission::KeyView)?;
    let asked = read(question)?;
    let environments = state.catalog.environments().await?;
    if let Some(environment) = &asked.environment
        && !environments.iter().any(|known| known.slug == *environment)
    {
        let fix = "the slug of an environment that exists, or leave it out";
        return Err(Problem::not_found(Entity::Environment).at(Place::field("environment"), fix));
    }
    let presented = look_up(&state, Some(&caller), &asked.token).await?;
    let terms = terms(&state, &presented).await?;
    let (mut diagnosis, key) = diagnosis(&presented, &terms, &asked, &caller, state.clock.now());
    if let Found::Proved { key, .. } = &presented {
        diagnosis.findings.extend(of_limits(&state, key, &terms, &asked.signals).await?);
    }
    if let Some(key) = key
        && caller.permissions.contains(Permission::AuditView)
    {
        for finding in &mut diagnosis.findings {
            finding.by = made_by(&state, key, &terms, &finding.code).await?;
        }
    }
    let key = key.map(|key| KeyView::new(key, &environments, caller.actor.at));
    Ok(Json(Diagnosis { key, ..diagnosis }))
}

/// Who last brought the key into the state that the finding `code` speaks of.
async fn made_by(state: &AdminState, key: &Key, terms: &Terms, code: &str) -> Result<Option<String>, Problem> {
    let of_key = || (TargetKind::Key, key.id.to_string());
    let of_project = || (TargetKind::Project, key.binding.project().map(Slug::to_string).unwrap_or_default());
    let (action, target) = match code {
        _ if code == Reason::KeyRevoked.as_str() => (Action::KeyRevoked, of_key()),
        _ if code == Reason::KeyDisabled.as_str() => (Action::KeyDisabled, of_key()),
        // The end of a plan is nobody's doing.
        _ if code == Reason::ProjectSuspended.as_str() && terms.suspended_at.is_some() => {
            (Action::ProjectSuspended, of_project())
        }
        _ => return Ok(None),
    };
    let filter = AuditFilter { target: Some(target), action: Some(action), ..AuditFilter::default() };
    let page = state.catalog.audit_entries(&filter, &Paging { limit: 1, after: None }).await?;
    Ok(page.items.into_iter().next().map(|entry| entry.actor_name))
}

/// The body, checked.
struct Asked {
    token: String,
    signals: Vec<Signal>,
    address: Option<IpAddr>,
    environment: Option<Slug>,
}

fn read(question: Question) -> Result<Asked, Problem> {
    let mut check = Check::default();
    if question.token.is_none() {
        check.missing(Place::field("token"));
    }
    let signals = match question.signal.as_deref().map(str::parse) {
        None => Signal::ALL.to_vec(),
        Some(Ok(signal)) => vec![signal],
        Some(Err(_)) => {
            let fix = "traces, metrics, logs or profiles, or leave it out";
            check.refuse(Place::field("signal"), "there is no such signal", fix);
            Vec::new()
        }
    };
    let address = match question.address.as_deref().map(str::parse::<IpAddr>) {
        None => None,
        Some(Ok(address)) => Some(address),
        Some(Err(_)) => {
            let fix = "an address such as 192.0.2.1 or 2001:db8::1, or leave it out";
            check.refuse(Place::field("address"), "it is not an IP address", fix);
            None
        }
    };
    let environment = check.slug(Place::field("environment"), question.environment.as_deref());
    check.finish(question.token.map(|token| Asked { token, signals, address, environment }))
}

/// The diagnosis without the key, and the key.
fn diagnosis<'f>(
    presented: &'f Found,
    terms: &Terms,
    asked: &Asked,
    caller: &Caller,
    now: Timestamp,
) -> (Diagnosis, Option<&'f Key>) {
    let every = |refusal: &Refusal| asked.signals.iter().map(|&signal| forecast(signal, Err(refusal))).collect();
    let (findings, key, secret_version, exports): (_, Option<&Key>, _, Vec<_>) = match presented {
        Found::Malformed(error, key) => {
            let refusal = Refusal::because(Reason::KeyMalformed, error);
            let finding = finding(error.as_str(), error.to_string(), Reason::KeyMalformed.advice());
            (vec![finding], key.as_deref(), None, every(&refusal))
        }
        Found::Unknown => {
            let detail = "no key that you may see has this token".to_owned();
            let finding = finding("unknown", detail, "check which installation and which project it belongs to");
            // Who sees one project does not learn what is good in another.
            let all = caller.binding == Binding::Installation;
            (vec![finding], None, None, if all { every(&Reason::KeyInvalid.into()) } else { Vec::new() })
        }
        Found::Wrong(key) => {
            let detail = format!("{} has never had this secret, or had it long ago", key.id);
            let fix = "use the newest token of the key; where it is lost, regenerate the key's secret";
            (vec![finding("wrong_secret", detail, fix)], Some(&**key), None, every(&Reason::KeyInvalid.into()))
        }
        Found::Proved { key, version } if !is_ingest(key) => {
            let detail = format!("it is an admin token, of {}, and those never export", key.id);
            let mut findings =
                vec![finding("admin_token", detail.clone(), "use an ingest token, which begins with ggi_")];
            findings.extend(of_state(key, *version, now));
            let refusal = Refusal::because(Reason::KeyMalformed, "it is an admin token (gga_), which never exports");
            (findings, Some(&**key), Some(*version), every(&refusal))
        }
        Found::Proved { key, version } => {
            let address = asked.address.unwrap_or_else(|| good_address(key));
            let environment = asked.environment.as_ref();
            let used = Use { key, terms, secret_version: *version, environment, address, at: now };
            let exports = asked.signals.iter().map(|&it| forecast(it, used.judge_export(it).as_ref().copied()));
            (of_use(&used, asked), Some(&**key), Some(*version), exports.collect())
        }
    };
    let accepted = (!exports.is_empty()).then(|| exports.iter().all(|export| export.accepted));
    (Diagnosis { accepted, findings, key: None, secret_version, exports }, key)
}

/// All that is wrong with a use, where a gate tells the first thing only.
fn of_use(used: &Use<'_>, asked: &Asked) -> Vec<Finding> {
    let key = used.key;
    let mut findings = of_state(key, used.secret_version, used.at);
    if let (Some(environment), Binding::Tenant(tenant)) = (used.environment, &key.binding)
        && *environment != tenant.environment
    {
        let detail = format!("the endpoint is for {environment}, the key for {}", tenant.environment);
        let reason = Reason::EnvironmentMismatch;
        findings.push(finding(reason.as_str(), detail, reason.advice()));
    }
    if let Some((detail, since)) = used.suspension() {
        let reason = Reason::ProjectSuspended;
        let since = Some(since.to_string());
        findings.push(Finding { since, ..finding(reason.as_str(), detail, reason.advice()) });
    }
    let mut found = |reason: Reason, detail: String| findings.push(finding(reason.as_str(), detail, reason.advice()));
    if !key.allowed.contains(used.address) {
        let allowed: Vec<_> = key.allowed.iter().collect();
        let detail = format!("{} is not one of {}", used.address.to_canonical(), allowed.join(", "));
        found(Reason::IpNotAllowed, detail);
    }
    for permission in asked.signals.iter().map(|&signal| Permission::write(signal)) {
        if !key.permissions.contains(permission) {
            found(Reason::PermissionDenied, format!("the key lacks {permission}"));
        }
    }
    findings
}

/// The enforced limits over exports of `signals` of which nothing is left.
async fn of_limits(
    state: &AdminState,
    key: &Key,
    terms: &Terms,
    signals: &[Signal],
) -> Result<Vec<Finding>, CatalogError> {
    let Binding::Tenant(tenant) = &key.binding else { return Ok(Vec::new()) };
    let ids = [ScopeId::Key(key.id), ScopeId::Tenant(tenant.clone()), ScopeId::Project(tenant.project.clone())];
    let mut findings = Vec::new();
    for id in ids {
        let standings = standings(state, &id, terms.limits(id.scope()), state.clock.now()).await?;
        let is_over = |standing: &Standing| {
            let limit = standing.limit;
            standing.left == 0 && limit.mode == Mode::Enforce && signals.iter().any(|&signal| limit.covers(signal))
        };
        findings.extend(standings.into_iter().filter(is_over).map(|Standing { limit, resets, .. }| {
            let reason = match resets {
                Reopens::In(_) => Reason::RateLimited,
                Reopens::At(_) => Reason::QuotaExhausted,
            };
            let over = Over { id: id.clone(), limit, reopens: resets };
            finding(reason.as_str(), format!("nothing is left: {over}"), reason.advice())
        }));
    }
    Ok(findings)
}

/// What is worth knowing of the state of a key and of the secret that was presented.
fn of_state(key: &Key, version: u32, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |code: &str, detail: String, fix: &str, since: Option<Timestamp>| {
        findings.push(Finding { since: since.map(|at| at.to_string()), ..finding(code, detail, fix) });
    };
    let reason = match key.status(now) {
        KeyStatus::Active => None,
        KeyStatus::Revoked => Some((Reason::KeyRevoked, "is revoked, for ever", key.revoked_at)),
        KeyStatus::Expired => Some((Reason::KeyExpired, "has expired", key.expires_at)),
        KeyStatus::Disabled => Some((Reason::KeyDisabled, "is disabled", key.disabled_at)),
    };
    if let Some((reason, what, since)) = reason {
        found(reason.as_str(), format!("{} {what}", key.id), reason.advice(), since);
    }
    let newest = key.secrets.iter().map(|secret| secret.version).max().unwrap_or(version);
    let Some(secret) = key.secrets.iter().find(|secret| secret.version == version) else { return findings };
    match secret.state(now) {
        SecretState::Current => {}
        SecretState::Retiring { until } => {
            let detail = format!("it is secret {version}, which is good until {until}; the newest is secret {newest}");
            found("secret_retiring", detail, "give the exporter the newest token before then", None);
        }
        SecretState::Retired => {
            let detail = format!("it is secret {version}, which was replaced; the newest is secret {newest}");
            let reason = Reason::SecretRetired;
            found(reason.as_str(), detail, reason.advice(), secret.retires_at);
        }
    }
    findings
}

fn finding(code: &str, detail: String, fix: &str) -> Finding {
    Finding { code: code.to_owned(), detail, fix: fix.to_owned(), since: None, by: None }
}

fn forecast(signal: Signal, judged: Result<(), &Refusal>) -> Forecast {
    let refusal = judged.err();
    let reason = refusal.map(|refusal| refusal.reason);
    Forecast {
        signal: signal.to_string(),
        accepted: refusal.is_none(),
        reason: reason.map(|reason| reason.to_string()),
        http_status: reason.map_or(200, Reason::http_status),
        grpc_code: reason.map_or("OK", |reason| reason.grpc_code().as_str()).to_owned(),
        retryable: reason.is_some_and(|reason| reason.retry_after().is_some()),
        message: refusal.map(Refusal::message),
    }
}
