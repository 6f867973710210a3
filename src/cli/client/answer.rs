//! What came of a request that was sent.

use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{StatusCode, header};
use serde::de::DeserializeOwned;

use crate::admin::problem::ProblemView;
use crate::cli::output::inert;
use crate::cli::senders::described;
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

/// As many senders of a key that is in use are named.
const SHOWN_SENDERS: usize = 10;

/// The code of a request whose earlier try has no answer yet.
const IN_FLIGHT: &str = "idempotency_in_flight";

impl Answer {
    /// How long to wait before the same request is sent again; `None` where that would be of no use. `once`: it has an
    /// idempotency key, so that it is carried out once however often it arrives.
    pub(super) fn pause(&self, once: bool, tries: u32) -> Option<Duration> {
        let again = match self {
            Self::Lost(_) | Self::Here { parts: Parts { status: StatusCode::SERVICE_UNAVAILABLE, .. }, .. } => once,
            Self::Here { parts, .. } if parts.status == StatusCode::TOO_MANY_REQUESTS => true,
            // An earlier try is being carried out.
            Self::Here { body, .. } => once && problem(body).is_some_and(|found| found.code == IN_FLIGHT),
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

/// What else the command line can do about a refusal.
fn what_next(code: &str) -> Option<&'static str> {
    Some(match code {
        "rotation_in_progress" => "`gridgate keys complete-rotation` or `gridgate keys cancel-rotation` ends it",
        "key_expired" => "`gridgate keys edit --expires-in 90d` lets it live on",
        "key_limit_reached" => {
            "revoke or disable a key, or raise the limit with `gridgate projects edit --max-active-keys`"
        }
        "key_not_revoked" => "`gridgate keys revoke` comes first",
        "last_owner" => "`gridgate members invite --role owner` makes another",
        "role_in_use" => "`gridgate keys list --role` says which keys have it",
        "permission_denied" | "grant_refused" => "`gridgate me` says what the admin key may do",
        _ => return None,
    })
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
    // An earlier try is being carried out, or was and its answer is lost.
    let exit = if problem.code == IN_FLIGHT { Exit::Unreachable } else { exit };
    let mut failure = Failure::new(exit, inert(&format!("{} ({})", problem.detail, problem.code)));
    for error in problem.errors {
        failure = failure.hint(inert(&format!("{}: {}; allowed: {}", error.place, error.detail, error.fix)));
    }
    for sender in problem.senders.iter().take(SHOWN_SENDERS) {
        failure = failure.hint(inert(&described(sender)));
    }
    if let Some(more) = problem.senders.len().checked_sub(SHOWN_SENDERS).filter(|more| *more > 0) {
        failure = failure.hint(format!("and {more} more"));
    }
    failure = what_next(&problem.code).into_iter().fold(failure, Failure::hint);
    failure.code = Some(problem.code);
    match exit {
        Exit::Unreachable | Exit::Failed => failure.hint(format!("request id {}", inert(&problem.request_id))),
        _ => failure,
    }
}
