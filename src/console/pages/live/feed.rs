//! The live feed, passed on to the browser.

use std::convert::Infallible;

use axum::Router;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use serde_json::json;

use super::filter::Wanted;
use crate::console::Console;
use crate::console::guard::Fault;
use crate::console::visit::{UrlQuery, Visit};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/live/feed", get(feed))
}

/// `GET /live/feed`: server-sent events, as the API has them. Where there is no feed it ends at once and says why, since a browser tells
/// its script nothing of an answer that is none of events.
async fn feed(visit: Result<Visit, Response>, UrlQuery(wanted): UrlQuery<Wanted>) -> Response {
    let visit = match visit {
        Ok(visit) => visit,
        Err(mut answer) => {
            // Who has no session is sent to the page to sign in, without a fault.
            return answer.extensions_mut().remove::<Fault>().map_or_else(|| end("session", ""), refused);
        }
    };
    let path = format!("/requests/live{}", wanted.query().as_str());
    match visit.api.raw(&path, "text/event-stream").await {
        Ok(answer) => answer,
        Err(fault) => refused(fault),
    }
}

fn refused(fault: Fault) -> Response {
    match fault.problem() {
        Some(problem) => end(&problem.code, &problem.detail),
        None => fault.into_response(),
    }
}

fn end(reason: &str, detail: &str) -> Response {
    let event = Event::default().event("end").data(json!({"reason": reason, "detail": detail}).to_string());
    Sse::new(stream::iter([Ok::<_, Infallible>(event)])).into_response()
}
