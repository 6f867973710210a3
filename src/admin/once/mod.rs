//! Requests that are done once although they are repeated (`Idempotency-Key`, draft-ietf-httpapi-idempotency-key-header): whoever lost
//! an answer with a secret in it asks again, and gets the same one.
//!
//! The request is reserved in the catalog, then it is done, then its answer is sealed and kept, and then it is given. So at no point
//! can it be done twice. A process that dies before the change leaves nothing but the reservation. One that dies between the change and
//! the keeping leaves a change whose answer is lost. Both look the same to who repeats, as does a request that is still under way:
//! 409 `idempotency_in_flight`, until the reservation expires. Who meets it for more than a few seconds looks whether the change was
//! made, and asks with another key: to create what is not there, or to regenerate what is.
//!
//! A problem that is the client's to mend (4xx) has changed nothing and is not kept: the same key may be used again at once. After one
//! that leaves open whether the change was made (503), it stays reserved.

mod seal;

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};

use super::AdminState;
use super::caller::Caller;
use super::keys::to_the_end;
use super::problem::{Code, FieldError, Place, Problem};
use crate::catalog::{OnceOnly, Reserved};
use seal::Seal;

/// For how long an answer is kept.
const KEPT: Duration = Duration::from_mins(15);

/// The most answers that are kept for one caller.
const MOST: u32 = 1000;

/// How long an `Idempotency-Key` is. 22 characters are what 128 random bits need in base 64.
const LENGTH: std::ops::RangeInclusive<usize> = 22..=255;

/// The `Idempotency-Key` of a request, if it has one. It is a secret: who has it can open the answer.
pub(super) struct Once {
    key: Option<String>,
    method: String,
    path: String,
    /// For which versions it is meant: the lines of `If-Match`.
    if_match: Vec<u8>,
}

impl FromRequestParts<AdminState> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AdminState) -> Result<Self, Problem> {
        let key = key(&parts.headers)?;
        let lines: Vec<_> = parts.headers.get_all(header::IF_MATCH).iter().map(HeaderValue::as_bytes).collect();
        let if_match = lines.join(&b","[..]);
        Ok(Self { key, method: parts.method.to_string(), path: parts.uri.path().to_owned(), if_match })
    }
}

impl Once {
    /// The answer of `work`, which `caller` asks for with `body`; or the answer that it had before. `work` goes on to its end even
    /// if the client leaves.
    pub(super) async fn answer<B, F, R>(
        self,
        state: AdminState,
        caller: Caller,
        body: B,
        work: impl FnOnce(AdminState, Caller, B) -> F,
    ) -> Result<Response, Problem>
    where
        B: Serialize,
        F: Future<Output = Result<R, Problem>> + Send + 'static,
        R: IntoResponse,
    {
        let Some(key) = &self.key else {
            let work = work(state, caller, body);
            return to_the_end(async move { work.await.map(IntoResponse::into_response) }).await?;
        };
        let told = serde_json::to_vec(&body).map_err(Problem::internal)?;
        let parts = [self.method.as_bytes(), self.path.as_bytes(), &self.if_match, &told];
        let seal = Seal::new(key, &caller.key, &parts).map_err(Problem::internal)?;
        let reserved_at = caller.actor.at;
        let asked = OnceOnly {
            name: seal.name,
            request: seal.request,
            caller: caller.key,
            reserved_at,
            expires_at: reserved_at.after(KEPT),
        };
        let work = work(state.clone(), caller, body);
        to_the_end(async move {
            match state.catalog.reserve_answer(&asked, MOST).await? {
                Reserved::Now => {}
                Reserved::Answered(sealed) => return open(&seal, &sealed),
                refused => return Err(problem(&refused)),
            }
            match work.await.map(IntoResponse::into_response) {
                Ok(answer) => keep(&state, &asked, &seal, answer).await,
                Err(problem) if problem.code.status().is_client_error() => {
                    if let Err(error) = state.catalog.release_answer(&asked).await {
                        tracing::warn!(%error, "a request that was refused stays reserved until it expires");
                    }
                    Err(problem)
                }
                Err(problem) => Err(problem),
            }
        })
        .await?
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut sent = headers.get_all(NAME).iter();
    let (Some(key), another) = (sent.next(), sent.next()) else { return Ok(None) };
    let visible = key.to_str().ok().filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic()));
    match visible.filter(|key| another.is_none() && LENGTH.contains(&key.len())) {
        Some(key) => Ok(Some(key.to_owned())),
        None => Err(Problem::invalid(vec![FieldError {
            place: Place::Header(NAME.to_owned()),
            detail: "it is not one text of 22 to 255 visible ASCII characters".to_owned(),
            fix: "at least 128 random bits, for example a new UUID, or leave it out".to_owned(),
        }])),
    }
}

const NAME: &str = "idempotency-key";

/// The header that tells an answer that is given again.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

fn problem(reserved: &Reserved) -> Problem {
    match reserved {
        Reserved::Other => Problem::new(
            Code::IdempotencyMismatch,
            "this Idempotency-Key came with another request before; each request needs a key of its own",
        ),
        Reserved::TooMany => Problem::new(
            Code::RateLimited,
            format!("{MOST} answers are kept for this key already; the oldest go 15 minutes after their requests"),
        ),
        Reserved::InFlight | Reserved::Now | Reserved::Answered(_) => Problem::new(
            Code::IdempotencyInFlight,
            "the request with this Idempotency-Key is under way, or ended without an answer; if it stays so, look whether its \
             change was made, and ask with another key",
        ),
    }
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Keeps `answer` before it is given. What cannot be kept is given all the same: the change is made, and this may be the only time
/// that its secret can be shown.
async fn keep(state: &AdminState, asked: &OnceOnly, seal: &Seal, answer: Response) -> Result<Response, Problem> {
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(Problem::internal)?;
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let kept = Kept {
        status: head.status.as_u16(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let sealed = serde_json::to_vec(&kept).map_err(Problem::internal)?;
    let outcome = match seal.close(&sealed, &*state.random) {
        Ok(sealed) => state.catalog.keep_answer(asked, &sealed).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = outcome {
        tracing::warn!(error, "an answer could not be kept for a repetition of its request");
    }
    Ok(Response::from_parts(head, Body::from(body)))
}

fn open(seal: &Seal, sealed: &[u8]) -> Result<Response, Problem> {
    let kept = seal.open(sealed).map_err(Problem::internal)?;
    let kept: Kept = serde_json::from_slice(&kept).map_err(Problem::internal)?;
    let mut answer = Response::builder().status(kept.status).header(REPLAYED, "true");
    for (name, value) in kept.headers {
        answer = answer.header(name, value);
    }
    answer.body(Body::from(kept.body)).map_err(Problem::internal)
}
