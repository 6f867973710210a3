//! `GET /v1/whoami`: what the gate knows of the key that asks.
//!
//! It is no part of OTLP, and an export is never mistaken for it nor the reverse: its answer is JSON of its own, and it is counted
//! apart. Its refusals have the form and the reasons of an export's, because they come from the same rules; only the permission
//! to export is not asked for. With `?permission=<name>` it is a check for the services of a deployment: 403 where the key lacks it.

use std::net::IpAddr;

use axum::extract::Query;
use http::{HeaderValue, Method, Response, Uri, Version, header, request};
use serde::Serialize;

use super::Gate;
use super::accept::{self, Entrance, Format};
use super::acknowledge::{self, Answer};
use super::admit;
use super::authenticate::{Proved, claimed, prove, remember};
use crate::domain::judge::Use;
use crate::domain::{Permissions, Reason, Refusal, SecretState, Signal, Slug, Tenant, Timestamp, Transport};
use crate::metering::{Decided, Identified, Outcome};

/// The path, behind the listener's prefix.
pub const PATH: &str = "/v1/whoami";

/// What a key is told of itself.
#[derive(Debug, Serialize)]
struct Whoami<'a> {
    id: String,
    name: &'a str,
    project: &'a str,
    grid: &'a str,
    environment: &'a str,
    role: Option<&'a str>,
    permissions: Vec<&'a str>,
    status: &'static str,
    expires_at: Option<String>,
    secret: SecretOf,
    /// The signals that it may export by this listener, from this address.
    signals: Vec<&'static str>,
}

/// The secret that was presented.
#[derive(Debug, Serialize)]
struct SecretOf {
    version: u32,
    state: &'static str,
    retires_at: Option<String>,
}

/// Whether a request is for whoami.
#[must_use]
pub fn is_meant(entrance: &Entrance, path: &str) -> bool {
    path.strip_prefix(&*entrance.prefix) == Some(PATH)
}

/// Answers one request, whose body is not read.
pub(super) async fn answer(
    gate: &Gate,
    entrance: &Entrance,
    peer: IpAddr,
    parts: &request::Parts,
    has_no_body: bool,
) -> Response<Answer> {
    let mut asking = Asking { at: gate.clock.now(), identified: None };
    let told = tell(gate, entrance, peer, parts, &mut asking).await;
    gate.metrics.whoami(told.as_ref().err().map(|refusal| refusal.reason));
    if let Err(refusal) = &told {
        asking.refused(gate, peer, parts, refusal);
    }
    let mut response = match told {
        Ok(text) => {
            let mut response = Response::new(Answer::of(text.into()));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(refusal) => {
            let mut response = acknowledge::http(Err(&refusal), Some(Format::Json));
            if refusal.reason == Reason::MethodNotAllowed {
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cors) = &gate.cors {
        cors.admit(&parts.headers, headers);
    }
    // What nobody reads must not be taken for the next request.
    if !has_no_body && parts.version < Version::HTTP_2 {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if parts.method == Method::HEAD {
        *response.body_mut() = Answer::default();
    }
    response
}

/// Who asks, as far as it is known.
struct Asking {
    at: Timestamp,
    identified: Option<Identified>,
}

impl Asking {
    /// Remembers the refusal beside those of exports.
    fn refused(&self, gate: &Gate, peer: IpAddr, parts: &request::Parts, refusal: &Refusal) {
        gate.books.whoami_refused(&Decided {
            at: self.at,
            took: gate.clock.now().since(self.at),
            transport: Transport::Http,
            signal: None,
            address: peer.to_canonical(),
            agent: parts.headers.get(header::USER_AGENT).map_or(&b""[..], |agent| agent.as_bytes()),
            claimed: claimed(gate, &parts.headers),
            identified: self.identified.as_ref(),
            measured: None,
            origin: None,
            outcome: Outcome::Refused(refusal),
            would_refuse: false,
        });
    }
}

/// The answer's JSON.
async fn tell(
    gate: &Gate,
    entrance: &Entrance,
    peer: IpAddr,
    parts: &request::Parts,
    asking: &mut Asking,
) -> Result<String, Refusal> {
    accept::served(entrance)?;
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Err(Refusal::because(Reason::MethodNotAllowed, "whoami is asked with GET"));
    }
    let Proved { cached, secret_version, presented } = prove(gate, &parts.headers, peer, |_| ()).await?;
    let (key, terms) = (&cached.key, &cached.terms);
    let identified = |tenant| Identified { key: key.id, secret_version, rotating: false, tenant };
    asking.identified = cached.tenant.clone().map(identified);
    let environment = entrance.environment.as_ref();
    let used = Use { key, terms, secret_version, environment, address: peer, at: gate.clock.now() };
    let tenant = used.judge()?;
    if admit::are_too_large(gate, &parts.headers) {
        return Err(Refusal::new(Reason::HeadersTooLarge).of_key(key.id));
    }
    for name in required(&parts.uri)? {
        if !key.permissions.contains_name(&name) {
            return Err(Refusal::because(Reason::PermissionDenied, format!("the key lacks {name}")).of_key(key.id));
        }
    }
    remember(gate, &parts.headers, &used, presented.text());
    // Names and instants are always JSON.
    Ok(serde_json::to_string(&view(&used, tenant)).unwrap_or_default())
}

fn view<'a>(used: &Use<'a>, tenant: &'a Tenant) -> Whoami<'a> {
    let key = used.key;
    let (state, retires_at) = match used.secret().map(|secret| secret.state(used.at)) {
        Some(SecretState::Current) => ("current", None),
        Some(SecretState::Retiring { until }) => ("retiring", Some(until.to_string())),
        Some(SecretState::Retired) | None => ("retired", None),
    };
    let signals = Signal::ALL.into_iter().filter(|&signal| used.judge_export(signal).is_ok());
    Whoami {
        id: key.id.to_string(),
        name: &key.name,
        project: tenant.project.as_str(),
        grid: tenant.grid.as_str(),
        environment: tenant.environment.as_str(),
        role: key.role.as_ref().map(Slug::as_str),
        permissions: key.permissions.names().collect(),
        status: key.status(used.at).as_str(),
        expires_at: key.expires_at.as_ref().map(Timestamp::to_string),
        secret: SecretOf { version: used.secret_version, state, retires_at },
        signals: signals.map(Signal::as_str).collect(),
    }
}

/// The permissions that the query asks for. Whatever else it says is refused: a slip in `permission` must not be a yes.
fn required(uri: &Uri) -> Result<Vec<String>, Refusal> {
    let refuse = |detail: String| Err(Refusal::because(Reason::QueryInvalid, detail));
    let Ok(Query(parameters)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
        return refuse("the query cannot be read".to_owned());
    };
    if parameters.iter().any(|(name, _)| name != "permission") {
        return refuse("the query has another parameter than permission".to_owned());
    }
    let names: Vec<_> = parameters.into_iter().map(|(_, name)| name).collect();
    match names.iter().try_for_each(|name| Permissions::default().insert(name)) {
        Ok(()) => Ok(names),
        Err(error) => refuse(error.to_string()),
    }
}
