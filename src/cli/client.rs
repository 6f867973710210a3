//! The client of the admin API.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::https::{self, Trust};
use super::{Exit, Failure, Terminal};
use crate::admin::page::{MAX_LIMIT, PageView};
use crate::admin::problem::ProblemView;
use crate::domain::TokenKind;
use crate::domain::token::PresentedToken;

/// Which server to talk to, and as whom. The admin key comes from `GRIDGATE_ADMIN_KEY` or a file, never from an argument,
/// which every user of the machine could read.
#[derive(Debug, Args)]
pub struct Target {
    /// The address of the admin API.
    #[arg(
        long,
        global = true,
        env = "GRIDGATE_ADMIN_URL",
        default_value = "http://127.0.0.1:4319",
        value_name = "URL"
    )]
    pub(super) admin_url: String,
    /// A file that holds the admin key; without it the environment variable `GRIDGATE_ADMIN_KEY` does.
    #[arg(long, global = true, value_name = "FILE")]
    admin_key_file: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
}

impl Target {
    /// Whether somebody gave an admin key.
    pub(super) const fn has_key(&self, terminal: &Terminal<'_>) -> bool {
        self.admin_key_file.is_some() || terminal.admin_key.is_some()
    }
}

/// Longer answers are none of the admin API's.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// From the first byte sent to the last received.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of the admin API of one server, as one admin key.
pub(super) struct Client {
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Scheme, host, port and whatever path stands before `/api/v1`, without a final `/`.
    base: String,
    authorization: header::HeaderValue,
}

impl Client {
    /// Checks the address and the key; nothing is sent yet.
    pub(super) fn new(target: &Target, terminal: &Terminal<'_>) -> Result<Self, Failure> {
        let base = base(&target.admin_url)?;
        let key = admin_key(target, terminal)?;
        let value = Zeroizing::new(format!("Bearer {}", &*key));
        let mut authorization = header::HeaderValue::from_str(&value)
            .map_err(|_| Failure::new(Exit::Usage, "the admin key has other characters than a token"))?;
        authorization.set_sensitive(true);
        let connector = target.trust.connector(base.starts_with("https:"))?;
        let http = HttpClient::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, base, authorization })
    }

    /// `GET`s one thing.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// `POST`s a body.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Failure::new(Exit::Failed, format!("the request cannot be written as JSON: {error}")))?;
        self.send(Method::POST, path, body.into()).await
    }

    /// `POST`s a verb that needs no body.
    pub(super) async fn command<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(Method::POST, path, Bytes::new()).await
    }

    /// Every row of a list, page by page. `filters` with a value are sent.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        filters: &[(&str, Option<&str>)],
    ) -> Result<Vec<T>, Failure> {
        let mut first = format!("{path}?limit={MAX_LIMIT}");
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
            match page.next_cursor {
                Some(cursor) => next = format!("{first}&cursor={}", percent_encode(&cursor)),
                None => return Ok(rows),
            }
        }
    }

    async fn send<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/api/v1{path}", self.base))
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Full::new(body))
            .map_err(|error| Failure::new(Exit::Usage, format!("the request cannot be built: {error}")))?;
        let (status, bytes) = tokio::time::timeout(TIMEOUT, self.exchange(request))
            .await
            .map_err(|_| self.unreachable(&format!("no answer within {} s", TIMEOUT.as_secs())))??;
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|error| {
                Failure::new(Exit::Failed, format!("the answer of {} is not understood: {error}", self.base))
                    .hint("check that the admin URL is Gridgate's admin listener and that both have the same version")
            });
        }
        Err(self.refusal(status, &bytes))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Failure> {
        let response = self.http.request(request).await.map_err(|error| {
            let failure = self.unreachable(&chain(&error));
            https::hint(&error).into_iter().fold(failure, Failure::hint)
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| self.unreachable(&format!("the answer broke off: {error}")))?;
        Ok((status, body.to_bytes()))
    }

    fn unreachable(&self, why: &str) -> Failure {
        Failure::new(Exit::Unreachable, format!("cannot reach the admin API at {}: {why}", self.base))
            .hint("check that the server runs, and --admin-url or GRIDGATE_ADMIN_URL")
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> Failure {
        let exit = match status.as_u16() {
            400..500 => Exit::Refused,
            503 => Exit::Unreachable,
            _ => Exit::Failed,
        };
        let Ok(problem) = serde_json::from_slice::<ProblemView>(body) else {
            return Failure::new(Exit::Failed, format!("{} answered {status} and no problem details", self.base))
                .hint("check that the admin URL is Gridgate's admin listener");
        };
        let mut failure = Failure::new(exit, format!("{} ({})", problem.detail, problem.code));
        for error in problem.errors {
            failure = failure.hint(format!("{}: {}; allowed: {}", error.place, error.detail, error.fix));
        }
        if exit == Exit::Refused { failure } else { failure.hint(format!("request id {}", problem.request_id)) }
    }
}

fn base(url: &str) -> Result<String, Failure> {
    let usage = |what: &str| {
        Failure::new(Exit::Usage, format!("--admin-url (GRIDGATE_ADMIN_URL) {what}"))
            .hint("it looks like http://127.0.0.1:4319")
    };
    let uri: Uri = url.parse().map_err(|_| usage("is not a URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(usage("does not begin with http:// or https://"));
    }
    if uri.query().is_some() {
        return Err(usage("has a query"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn admin_key(target: &Target, terminal: &Terminal<'_>) -> Result<Zeroizing<String>, Failure> {
    let text = match (&target.admin_key_file, &terminal.admin_key) {
        (Some(path), _) => std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
            Failure::new(Exit::Usage, format!("cannot read --admin-key-file {}: {error}", path.display()))
        })?,
        (None, Some(key)) => key.clone(),
        (None, None) => {
            return Err(Failure::new(Exit::Usage, "there is no admin key")
                .hint("set GRIDGATE_ADMIN_KEY or give --admin-key-file; `gridgate bootstrap` makes the first one"));
        }
    };
    let presented = PresentedToken::parse(&text)
        .map_err(|error| Failure::new(Exit::Usage, format!("the admin key is no token: {error}")))?;
    if presented.kind == TokenKind::Ingest {
        return Err(Failure::new(Exit::Usage, "the admin key is an ingest token; those only export telemetry")
            .hint("use an admin token, which begins with gga_"));
    }
    Ok(Zeroizing::new(presented.text.to_owned()))
}

/// An error with its causes: the outermost says little («client error (Connect)»).
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// Encodes everything but RFC 3986's unreserved characters.
fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
        encoded
    })
}
