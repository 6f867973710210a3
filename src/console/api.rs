//! The admin API, called in the same process: with the session in the place of a token, and through everything that a request over the
//! network goes through.

use std::fmt::Display;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::ServiceExt as _;

use super::guard::Fault;
use crate::admin::page::PageView;
use crate::admin::problem::ProblemView;
use crate::admin::request::Peer;
use crate::admin::sessions::SignedIn;
use crate::domain::session::SessionId;

/// The longest answer, in bytes: that of an import.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// The admin API, as one session.
#[derive(Clone)]
pub(super) struct Api {
    router: Router,
    signed_in: SignedIn,
    peer: Option<Peer>,
    user_agent: Option<http::HeaderValue>,
}

/// A query in the making: parameters without a value are left out.
#[derive(Default, Debug)]
pub(super) struct Query(String);

impl Query {
    /// With `name` as `value`, where there is one.
    pub(super) fn with(mut self, name: &str, value: Option<impl Display>) -> Self {
        let value = value.map(|value| value.to_string()).filter(|value| !value.is_empty());
        if let Some(value) = value {
            self.0.push(if self.0.is_empty() { '?' } else { '&' });
            self.0.extend(form_urlencoded::byte_serialize(name.as_bytes()));
            self.0.push('=');
            self.0.extend(form_urlencoded::byte_serialize(value.as_bytes()));
        }
        self
    }

    /// What follows the path: empty, or from the question mark on.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Api {
    /// The API at `router`, for the visitor whose request has `headers` and comes from `peer`.
    pub(super) fn new(router: Router, signed_in: SignedIn, peer: Option<Peer>, headers: &HeaderMap) -> Self {
        Self { router, signed_in, peer, user_agent: headers.get(header::USER_AGENT).cloned() }
    }

    /// The session.
    pub(super) const fn session(&self) -> &SessionId {
        &self.signed_in.session
    }

    /// `GET`s one thing. `path` is under `/api/v1` and has its query.
    ///
    /// # Errors
    /// [`Fault::Refused`] with the API's problem; the same of every method here.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        self.call(Call::new(Method::GET, path)).await
    }

    /// `GET`s one thing whose version is in its `ETag` alone.
    pub(super) async fn get_versioned<T: DeserializeOwned>(&self, path: &str) -> Result<(T, u64), Fault> {
        let answer = self.send(Call::new(Method::GET, path)).await?;
        if !answer.status().is_success() {
            return Err(refusal(answer).await);
        }
        let tag = answer.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
        let version = tag.and_then(|tag| tag.trim_matches('"').parse().ok());
        let version = version.ok_or_else(|| Fault::internal("an answer of the API has no version"))?;
        Ok((serde_json::from_slice(&whole(answer).await?).map_err(Fault::internal)?, version))
    }

    /// `GET`s one page of a list.
    pub(super) async fn list<T: DeserializeOwned>(&self, path: &str, query: &Query) -> Result<PageView<T>, Fault> {
        self.get(&format!("{path}{}", query.as_str())).await
    }

    /// The same, where the visitor's key may not see it: `None`.
    pub(super) async fn if_allowed<T>(answer: impl Future<Output = Result<T, Fault>>) -> Result<Option<T>, Fault> {
        match answer.await {
            Ok(found) => Ok(Some(found)),
            Err(fault) if fault.is("permission_denied") || fault.is("installation_only") => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// `POST`s a body.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Fault> {
        self.call(Call { body: json(body)?, ..Call::new(Method::POST, path) }).await
    }

    /// `POST`s a body under an idempotency key (`None`: no body), so that a form that is sent twice is carried out once, and a secret
    /// that it brought is shown again.
    pub(super) async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&impl Serialize>,
        key: &str,
    ) -> Result<T, Fault> {
        let body = body.map(json).transpose()?.unwrap_or_default();
        self.call(Call { body, idempotency_key: Some(key), ..Call::new(Method::POST, path) }).await
    }

    /// `POST`s a verb that needs no body.
    pub(super) async fn command<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        self.call(Call::new(Method::POST, path)).await
    }

    /// `PATCH`es the fields of `body`, where what is there still has this version.
    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        version: u64,
    ) -> Result<T, Fault> {
        self.call(Call { body: json(body)?, version: Some(version), ..Call::new(Method::PATCH, path) }).await
    }

    /// `PATCH`es the fields of `body` of what has no version.
    pub(super) async fn patch_any<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Fault> {
        self.call(Call { body: json(body)?, ..Call::new(Method::PATCH, path) }).await
    }

    /// `DELETE`s one thing; where it has a version, only if it still has this one.
    pub(super) async fn delete<T: DeserializeOwned>(&self, path: &str, version: Option<u64>) -> Result<T, Fault> {
        self.call(Call { version, ..Call::new(Method::DELETE, path) }).await
    }

    /// The answer to a `GET` as it comes, for what has no end or is no JSON. `accept`: what is asked for.
    pub(super) async fn raw(&self, path: &str, accept: &str) -> Result<Response, Fault> {
        let answer = self.send(Call { accept: Some(accept), ..Call::new(Method::GET, path) }).await?;
        if answer.status().is_success() { Ok(answer) } else { Err(refusal(answer).await) }
    }

    async fn call<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, Fault> {
        let answer = self.send(call).await?;
        if !answer.status().is_success() {
            return Err(refusal(answer).await);
        }
        let bytes =
            if answer.status() == StatusCode::NO_CONTENT { Bytes::from_static(b"null") } else { whole(answer).await? };
        serde_json::from_slice(&bytes).map_err(Fault::internal)
    }

    async fn send(&self, call: Call<'_>) -> Result<Response, Fault> {
        // What a page names that no path can hold is not there.
        let uri: Uri = format!("/api/v1{}", call.path).parse().map_err(|_| Fault::NotFound)?;
        let mut request = Request::builder().method(call.method).uri(uri);
        if !call.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(version) = call.version {
            request = request.header(header::IF_MATCH, format!("\"{version}\""));
        }
        for (name, value) in [("idempotency-key", call.idempotency_key), ("accept", call.accept)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        if let Some(agent) = &self.user_agent {
            request = request.header(header::USER_AGENT, agent);
        }
        if let Some(peer) = self.peer {
            request = request.extension(peer);
        }
        let request = request.extension(self.signed_in.clone()).body(Body::from(call.body)).map_err(Fault::internal)?;
        match self.router.clone().oneshot(request).await {
            Ok(answer) => Ok(answer),
            Err(never) => match never {},
        }
    }
}

/// One request.
struct Call<'a> {
    method: Method,
    path: &'a str,
    body: Bytes,
    version: Option<u64>,
    idempotency_key: Option<&'a str>,
    accept: Option<&'a str>,
}

impl<'a> Call<'a> {
    const fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, body: Bytes::new(), version: None, idempotency_key: None, accept: None }
    }
}

fn json(body: &impl Serialize) -> Result<Bytes, Fault> {
    serde_json::to_vec(body).map(Bytes::from).map_err(Fault::internal)
}

async fn whole(answer: Response) -> Result<Bytes, Fault> {
    let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(Fault::internal)
}

async fn refusal(answer: Response) -> Fault {
    let status = answer.status();
    match whole(answer).await {
        Ok(bytes) => match serde_json::from_slice::<ProblemView>(&bytes) {
            Ok(problem) => Fault::Refused { status, problem: Box::new(problem) },
            Err(error) => Fault::internal(error),
        },
        Err(fault) => fault,
    }
}
