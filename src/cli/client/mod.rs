//! The client of the admin API.

mod answer;
mod https;
mod once;
mod stream;
mod target;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Exit, Failure, Terminal};
use crate::admin::page::{MAX_LIMIT, PageView};
use answer::Answer;
pub(super) use once::{IdempotencyKey, Once};
pub use target::Target;

/// Longer answers are none of the admin API's; the longest tells of 10 000 imported keys.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// From the first byte sent to the last received.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often one request is sent at most.
const TRIES: u32 = 4;

/// A client of the admin API of one server, as one admin key.
pub(super) struct Client {
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    authorization: HeaderValue,
}

/// A list that comes whole.
#[derive(Deserialize)]
pub(super) struct Data<T> {
    pub(super) data: Vec<T>,
}

/// One request, which may be sent several times.
struct Call {
    method: Method,
    path: String,
    content_type: &'static str,
    body: Bytes,
    if_match: Option<HeaderValue>,
    idempotency_key: Option<HeaderValue>,
}

impl Client {
    /// Checks the address and the key; nothing is sent yet.
    pub(super) fn new(target: &Target, terminal: &Terminal<'_>) -> Result<Self, Failure> {
        let base = target.base()?;
        let authorization = target.authorization(terminal)?;
        let connector = target.trust.connector(base.starts_with("https:"))?;
        let http = HttpClient::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, base, authorization })
    }

    /// `GET`s one thing.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(Call::new(Method::GET, path)).await
    }

    /// `POST`s a body.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.send(Call { body: json(body)?, ..Call::new(Method::POST, path) }).await
    }

    /// `POST`s a body whose answer cannot be had by asking again: a lost one is asked for again under the same key.
    pub(super) async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        key: &IdempotencyKey,
    ) -> Result<T, Failure> {
        let call = Call { body: json(body)?, ..Call::new(Method::POST, path) };
        self.once(call, key).await
    }

    /// `POST`s a verb that needs no body.
    pub(super) async fn command<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(Call::new(Method::POST, path)).await
    }

    /// As [`Self::post_once`], without a body.
    pub(super) async fn command_once<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &IdempotencyKey,
    ) -> Result<T, Failure> {
        self.once(Call::new(Method::POST, path), key).await
    }

    /// `PATCH`es the fields of `body`, where what is there still has this version; without one, whoever else changes it.
    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        version: Option<u64>,
    ) -> Result<T, Failure> {
        let if_match = version.map_or_else(|| "*".to_owned(), |version| format!("\"{version}\""));
        let if_match = HeaderValue::from_str(&if_match);
        let if_match = if_match.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        let call = Call::new(Method::PATCH, path);
        let content_type = "application/merge-patch+json";
        self.send(Call { body: json(body)?, content_type, if_match: Some(if_match), ..call }).await
    }

    /// `DELETE`s one thing.
    pub(super) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(Call::new(Method::DELETE, path)).await
    }

    /// Every row of a list, page by page. `filters` with a value are sent.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        filters: &[(&str, Option<&str>)],
    ) -> Result<Vec<T>, Failure> {
        Ok(self.first(usize::MAX, path, filters).await?.0)
    }

    /// The first rows of a list, `most` at the most, and whether there are more.
    pub(super) async fn first<T: DeserializeOwned>(
        &self,
        most: usize,
        path: &str,
        filters: &[(&str, Option<&str>)],
    ) -> Result<(Vec<T>, bool), Failure> {
        let page_size = usize::try_from(MAX_LIMIT).unwrap_or(usize::MAX).min(most);
        let mut first = format!("{path}?limit={page_size}");
        for (name, value) in filters {
            if let Some(value) = value {
                first.push_str(&format!("&{name}={}", percent_encode(value)));
            }
        }
        let mut rows = Vec::new();
        let mut next = first.clone();
        loop {
            let page: PageView<T> = self.get(&next).await?;
            rows.extend(page.data);
            if rows.len() >= most {
                let more = rows.len() > most || page.has_more;
                rows.truncate(most);
                return Ok((rows, more));
            }
            match page.next_cursor {
                Some(cursor) => next = format!("{first}&cursor={}", percent_encode(&cursor)),
                None => return Ok((rows, false)),
            }
        }
    }

    async fn once<T: DeserializeOwned>(&self, call: Call, key: &IdempotencyKey) -> Result<T, Failure> {
        let call = Call { idempotency_key: Some(key.header()?), ..call };
        self.send(call).await.map_err(|failure| match failure.exit {
            Exit::Unreachable | Exit::Failed => failure.hint(key.advice()),
            _ => failure,
        })
    }

    /// Sends a request until there is an answer that sending it again would not change, a few times at most.
    async fn send<T: DeserializeOwned>(&self, call: Call) -> Result<T, Failure> {
        let mut tries = 1;
        loop {
            let answer = self.attempt(&call).await?;
            match answer.pause(call.idempotency_key.is_some(), tries) {
                Some(pause) if tries < TRIES => tokio::time::sleep(pause).await,
                _ => return answer.read(&self.base),
            }
            tries += 1;
        }
    }

    /// Sends a request once. An error is that it cannot be sent at all.
    async fn attempt(&self, call: &Call) -> Result<Answer, Failure> {
        let mut request = Request::builder()
            .method(&call.method)
            .uri(format!("{}/api/v1{}", self.base, call.path))
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::CONTENT_TYPE, call.content_type)
            .header(header::ACCEPT, "application/json");
        if let Some(version) = &call.if_match {
            request = request.header(header::IF_MATCH, version);
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = request
            .body(Full::new(call.body.clone()))
            .map_err(|error| Failure::new(Exit::Usage, format!("the request cannot be built: {error}")))?;
        match tokio::time::timeout(TIMEOUT, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Ok(Answer::Lost(self.unreachable(&format!("no answer within {} s", TIMEOUT.as_secs())))),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let response = match self.http.request(request).await {
            Ok(response) => response,
            Err(error) => {
                let failure = self.unreachable(&chain(&error));
                let failure = https::hint(&error).into_iter().fold(failure, Failure::hint);
                return if error.is_connect() { Err(failure) } else { Ok(Answer::Lost(failure)) };
            }
        };
        let (parts, body) = response.into_parts();
        match Limited::new(body, MAX_ANSWER_BYTES).collect().await {
            Ok(body) => Ok(Answer::Here { parts, body: body.to_bytes() }),
            Err(error) => Ok(Answer::Lost(self.unreachable(&format!("the answer broke off: {error}")))),
        }
    }

    fn unreachable(&self, why: &str) -> Failure {
        Failure::new(Exit::Unreachable, format!("cannot reach the admin API at {}: {why}", self.base))
            .hint("check that the server runs, and --admin-url or GRIDGATE_ADMIN_URL")
    }
}

impl Call {
    fn new(method: Method, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            content_type: "application/json",
            body: Bytes::new(),
            if_match: None,
            idempotency_key: None,
        }
    }
}

/// How many rows `--limit` asks for.
pub(super) fn most(limit: Option<u32>) -> usize {
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

fn json(body: &impl Serialize) -> Result<Bytes, Failure> {
    serde_json::to_vec(body)
        .map(Bytes::from)
        .map_err(|error| Failure::new(Exit::Failed, format!("the request cannot be written as JSON: {error}")))
}

/// An error with its causes: the outermost says little («client error (Connect)»).
pub(in crate::cli) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// Encodes everything but RFC 3986's unreserved characters.
pub(super) fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
        encoded
    })
}
