//! What came of a request that was sent.

use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{StatusCode, header};
use serde::de::DeserializeOwned;

use crate::admin::problem::ProblemView;
use crate::cli::output::inert;
use crate::cli::{Exit, Failure};

/// What came of a request that was sent.
pub(super) enum Answer {
    /// An answer.
    Here {
        /// Status and headers.
        parts: Parts,
        /// The whole body.
        body: Bytes,
    },
    /// None, or part of one. Whether the request was carried out is not known.
    Lost(Failure),
}

/// Where the server asks for a longer pause, the person is told instead.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The pause after the first try, where the server asks for none.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

impl Answer {
    /// How long to wait before the same request is sent again; `None` where that would be of no use. `once`: it has an
    /// idempotency key, so that it is carried out once however often it arrives.
    pub(super) fn pause(&self, once: bool, tries: u32) -> Option<Duration> {
        let again = match self {
            Self::Lost(_) | Self::Here { parts: Parts { status: StatusCode::SERVICE_UNAVAILABLE, .. }, .. } => once,
            Self::Here { parts, .. } if parts.status == StatusCode::TOO_MANY_REQUESTS => true,
            // An earlier try is being carried out.
            Self::Here { body, .. } => once && problem(body).is_some_and(|found| found.code == "idempotency_in_flight"),
        };
        let own = FIRST_PAUSE * 2_u32.saturating_pow(tries - 1);
        let pause = self.retry_after().unwrap_or(own);
        (again && pause <= LONGEST_PAUSE).then_some(pause)
    }

    /// The answer's JSON, or why there is none.
    pub(super) fn read<T: DeserializeOwned>(self, base: &str) -> Result<T, Failure> {
        let (parts, body) = match self {
            Self::Here { parts, body } => (parts, body),
            Self::Lost(failure) => return Err(failure),
        };
        if !parts.status.is_success() {
            return Err(refusal(base, parts.status, &body));
        }
        let json = if parts.status == StatusCode::NO_CONTENT { b"null" } else { &*body };
        serde_json::from_slice(json).map_err(|error| {
            Failure::new(Exit::Failed, format!("the answer of {base} is not understood: {error}"))
                .hint("check that the admin URL is Gridgate's admin listener and that both have the same version")
        })
    }

    fn retry_after(&self) -> Option<Duration> {
        let Self::Here { parts, .. } = self else { return None };
        let seconds = parts.headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

fn problem(body: &[u8]) -> Option<ProblemView> {
    serde_json::from_slice(body).ok()
}

fn refusal(base: &str, status: StatusCode, body: &[u8]) -> Failure {
    let exit = match status.as_u16() {
        401 | 403 => Exit::Denied,
        404 => Exit::Missing,
        409 | 412 => Exit::Conflict,
        429 | 503 => Exit::Unreachable,
        400..500 => Exit::Refused,
        _ => Exit::Failed,
    };
    let Some(problem) = problem(body) else {
        return Failure::new(Exit::Failed, format!("{base} answered {status} and no problem details"))
            .hint("check that the admin URL is Gridgate's admin listener");
    };
    let mut failure = Failure::new(exit, inert(&format!("{} ({})", problem.detail, problem.code)));
    for error in problem.errors {
        failure = failure.hint(inert(&format!("{}: {}; allowed: {}", error.place, error.detail, error.fix)));
    }
    failure.code = Some(problem.code);
    match exit {
        Exit::Unreachable | Exit::Failed => failure.hint(format!("request id {}", inert(&problem.request_id))),
        _ => failure,
    }
}
