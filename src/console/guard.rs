//! The outermost layer: headers of every answer, and faults as pages.

use std::fmt::Display;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use maud::{Markup, html};

use super::Console;
use super::layout::{self, Frame};
use crate::admin::problem::{FieldError, Place, Problem, ProblemView};

/// Why there is no page.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// The API refuses.
    Refused {
        /// Its status.
        status: StatusCode,
        /// What it says.
        problem: Box<ProblemView>,
    },
    /// There is no such page.
    NotFound,
    /// A form does not come from a page of this session.
    Foreign,
    /// A form cannot be read.
    Unreadable(&'static str),
    /// A fault of Gridgate's own, for the log.
    Internal(String),
}

impl Fault {
    /// A fault of Gridgate's own.
    pub(super) fn internal(error: impl Display) -> Self {
        Self::Internal(error.to_string())
    }

    /// Whether the API refuses with `code`.
    pub(super) fn is(&self, code: &str) -> bool {
        self.problem().is_some_and(|problem| problem.code == code)
    }

    /// What the API says.
    pub(super) fn problem(&self) -> Option<&ProblemView> {
        match self {
            Self::Refused { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// Where a form is shown again with what is wrong: the problem, if it is one that its sender can mend there.
    ///
    /// # Errors
    /// The fault itself, where it is not.
    pub(super) fn mendable(self) -> Result<Box<ProblemView>, Self> {
        match self {
            Self::Refused { status, problem }
                if status.is_client_error() && !matches!(status.as_u16(), 401 | 404 | 429) =>
            {
                Ok(problem)
            }
            fault => Err(fault),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Refused { status, .. } => *status,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn words(&self) -> (&str, &str) {
        match self {
            Self::Refused { problem, .. } => (&problem.title, &problem.detail),
            Self::NotFound => {
                ("Page not found", "There is no such page. It may have been about something that is gone.")
            }
            Self::Foreign => (
                "Form not taken",
                "It does not come from a page of this session. Go back, load the page again, and send it once more.",
            ),
            Self::Unreadable(what) => ("Request not readable", what),
            Self::Internal(_) => ("Something is wrong with Gridgate", "It is in the log of the server."),
        }
    }
}

/// What the API's own code refuses with, where the console calls it without a request.
impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        if problem.code.status().is_server_error() {
            tracing::error!(code = problem.code.as_str(), cause = problem.cause, "the console was refused");
        }
        Self::Refused { status: problem.code.status(), problem: Box::new(problem.view("")) }
    }
}

/// What a problem says of the field `name`.
pub(super) fn of_field<'p>(problem: Option<&'p ProblemView>, name: &str) -> Option<&'p FieldError> {
    problem?.errors.iter().find(|error| is_of(error, name))
}

/// Whether `error` is in the field `name`, or below it.
pub(super) fn is_of(error: &FieldError, name: &str) -> bool {
    match &error.place {
        Place::Pointer(at) => {
            let rest = at.strip_prefix('/').and_then(|at| at.strip_prefix(name));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        Place::Parameter(at) | Place::Header(at) => at == name,
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        // The guard makes a page of it.
        response.extensions_mut().insert(self);
        response
    }
}

/// The script may make HTML of text only in one place, which takes it from this server alone.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types gridgate";

/// Headers of every answer.
const HEADERS: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not "no-referrer", by which browsers leave the origin out of forms.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), clipboard-write=(self)"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Gives every answer its headers, and makes a page of a fault.
pub(super) async fn guard(State(console): State<Console>, request: Request, next: Next) -> Response {
    let frame = Frame::of_stranger(&console, &request);
    // No path of the console has anything to escape. Nothing that a path names can then lead a call of the API elsewhere.
    let mut response =
        if request.uri().path().contains('%') { Fault::NotFound.into_response() } else { next.run(request).await };
    if let Some(fault) = response.extensions_mut().remove::<Fault>() {
        if let Fault::Internal(cause) = &fault {
            tracing::error!(cause, "a page of the console failed");
        }
        let status = response.status();
        response = (status, page(&frame, &fault)).into_response();
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn page(frame: &Frame, fault: &Fault) -> Markup {
    let (title, detail) = fault.words();
    let content = html! {
        h1 { (title) }
        p { (detail) }
        @if let Some(problem) = fault.problem() {
            @for error in &problem.errors {
                p { code { (error.place) } ": " (error.detail) ". Allowed: " (error.fix) }
            }
            @if !problem.request_id.is_empty() {
                p.meta { "Request " code { (problem.request_id) } }
            }
        }
        div.dialog-foot { a.button href=(frame.href("")) data-close { "Back to the overview" } }
    };
    layout::card(frame, title, &content)
}
