//! Renewing a key: another expiry.

use std::time::Duration;

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use serde_json::json;

use super::card::{Card, button, obstacle};
use super::subject::Subject;
use crate::admin::keys::KeyView;
use crate::admin::problem::ProblemView;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::field::Field;
use crate::console::parts::time::minute;
use crate::console::visit::Visit;

/// For how many days: the field's value, and its words.
const SPANS: [(&str, &str); 5] =
    [("30", "30 d"), ("90", "90 d"), ("180", "180 d"), ("365", "365 d"), ("never", "Never expires")];

const USUAL: &str = "90";

/// `GET /keys/{id}/renew`
pub(super) async fn show(visit: Visit, Path(id): Path<String>) -> Result<Response, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    Ok(card(&visit, &subject, USUAL, None))
}

/// `POST /keys/{id}/renew`
pub(super) async fn renew(visit: Visit, Path(id): Path<String>, form: Form) -> Result<Response, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    let wanted = form.text("expires_in");
    let Some((span, _)) = SPANS.into_iter().find(|(span, _)| *span == wanted) else {
        return Ok(card(&visit, &subject, USUAL, None));
    };
    let days: Option<u64> = span.parse().ok();
    let expires_at = days.map(|days| visit.now.after(Duration::from_hours(24 * days)).to_string());
    let path = format!("/keys/{}", subject.key.id);
    let version = form.number("version").unwrap_or_default();
    match visit.api.patch::<KeyView>(&path, &json!({ "expires_at": expires_at }), version).await {
        Ok(_) => Ok(Redirect::to(&visit.frame.href(&path)).into_response()),
        Err(fault) => {
            let problem = fault.mendable()?;
            Ok(card(&visit, &Subject::load(&visit, &id).await?, span, Some(&problem)))
        }
    }
}

fn card(visit: &Visit, subject: &Subject, span: &str, problem: Option<&ProblemView>) -> Response {
    let key = &subject.key;
    let title = format!("Renew {}", key.name);
    if let Some(answer) = obstacle(visit, key, "renew", &title) {
        return answer;
    }
    let body = html! {
        p {
            @match &key.expires_at {
                Some(at) if key.status == "expired" => { "It expired on " (minute(at)) ". Once it is renewed, its secrets work again." }
                Some(at) => { "It expires on " (minute(at)) "." }
                None => { "It never expires." }
            }
        }
        (Field::new("expires_in", "Expires after").help("Counted from now.").wrong(problem, "expires_at").radios(&SPANS, span))
    };
    Card {
        key,
        verb: "renew",
        title: &title,
        class: "verb",
        body: &body,
        hidden: &[("version", &key.version.to_string())],
        problem,
        shown: &["expires_at"],
        keep: "Cancel",
        confirm: &button("primary", "Renew key"),
    }
    .answer(visit)
}
