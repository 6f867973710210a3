//! New secrets: rotating a key, and regenerating its secret. Both show the new one, once.

use std::time::Duration;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::json;

use super::card::{Card, NAMED, button, obstacle};
use super::subject::{Cut, Subject, warning};
use crate::admin::keys::create::IssuedKey;
use crate::admin::keys::rotate::Rotation;
use crate::admin::problem::ProblemView;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::pages::create::secret::secret_card;
use crate::console::parts::field::{Field, ONCE};
use crate::console::parts::time::minute;
use crate::console::visit::Visit;
use crate::domain::Timestamp;

/// When the old secret stops: the field's value, its words, and after how many seconds at the latest.
const ENDS: [(&str, &str, u64); 7] = [
    ("now", "Now", 0),
    ("15m", "15 min", 15 * 60),
    ("1h", "1 h", 3600),
    ("6h", "6 h", 6 * 3600),
    ("24h", "24 h", 24 * 3600),
    ("7d", "7 d", 7 * 24 * 3600),
    ("drained", "Drained", 30 * 24 * 3600),
];

const USUAL: &str = "24h";

/// A secret that nobody has used for so long is drained, in seconds.
const DRAINED_AFTER: u64 = 300;

const AT_ONCE: &str = "The old secret no longer works.";

/// `GET /keys/{id}/rotate`
pub(super) async fn show(visit: Visit, Path(id): Path<String>) -> Result<Response, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    card(&visit, &subject, USUAL, None)
}

/// `POST /keys/{id}/rotate`
pub(super) async fn rotate(visit: Visit, Path(id): Path<String>, form: Form) -> Result<Response, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    let ends = form.text("ends");
    let Some((value, _, seconds)) = ENDS.into_iter().find(|(value, ..)| *value == ends) else {
        return card(&visit, &subject, USUAL, None);
    };
    let issued: Result<IssuedKey, Fault> = if seconds == 0 {
        make(&visit, &subject, &form).await
    } else {
        let drained_after_seconds = (value == "drained").then_some(DRAINED_AFTER);
        let rotation = Rotation { until: None, overlap_seconds: Some(seconds), drained_after_seconds };
        let path = format!("/keys/{}/rotate", subject.key.id);
        visit.api.post_once(&path, Some(&rotation), form.text(ONCE)).await
    };
    match issued {
        Ok(issued) => {
            let until = issued.key.rotation.as_ref().map(|rotation| rotation.until.as_str());
            let happened = match until {
                None => AT_ONCE.to_owned(),
                Some(_) if value == "drained" => "The old secret works until nobody has used it for 5 min.".to_owned(),
                Some(until) => format!("The old secret works until {}.", minute(until)),
            };
            Ok(secret_card(&visit, &issued, &happened).into_response())
        }
        Err(fault) => {
            let problem = fault.mendable()?;
            card(&visit, &Subject::load(&visit, &id).await?, value, Some(&problem))
        }
    }
}

/// `GET /keys/{id}/regenerate`
pub(super) async fn show_regenerate(visit: Visit, Path(id): Path<String>) -> Result<Response, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    regenerate_card(&visit, &subject, None)
}

/// `POST /keys/{id}/regenerate`
pub(super) async fn regenerate(visit: Visit, Path(id): Path<String>, form: Form) -> Result<Response, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    match make(&visit, &subject, &form).await {
        Ok(issued) => Ok(secret_card(&visit, &issued, AT_ONCE).into_response()),
        Err(fault) => {
            let problem = fault.mendable()?;
            regenerate_card(&visit, &Subject::load(&visit, &id).await?, Some(&problem))
        }
    }
}

async fn make(visit: &Visit, subject: &Subject, form: &Form) -> Result<IssuedKey, Fault> {
    let body = json!({ "force": form.text(NAMED) == "yes" });
    visit.api.post_once(&format!("/keys/{}/regenerate", subject.key.id), Some(&body), form.text(ONCE)).await
}

fn card(visit: &Visit, subject: &Subject, ends: &str, problem: Option<&ProblemView>) -> Result<Response, Fault> {
    let key = &subject.key;
    let title = format!("Rotate {}", key.name);
    if let Some(answer) = obstacle(visit, key, "rotate", &title) {
        return Ok(answer);
    }
    let consequence = subject.consequence(Cut::All, visit.now);
    let options = ENDS.map(|(value, words, _)| (value, words));
    let help = "Drained: when no sender has used it for 5 min, at most 30 d.";
    let body = html! {
        p {
            "A new secret is made and shown once."
            @for (value, _, seconds) in ENDS { " " (until(subject, visit.now, value, seconds)) }
        }
        div.when.when-now { (warning(consequence.as_ref())) }
        (Field::new("ends", "Old secret stops after").help(help).wrong(problem, "overlap_seconds").radios(&options, ends))
    };
    let once = visit.once_key()?;
    let mut hidden = vec![(ONCE, once.as_str())];
    if is_named(consequence.as_ref(), problem) {
        hidden.push((NAMED, "yes"));
    }
    let card = Card {
        key,
        verb: "rotate",
        title: &title,
        class: "verb rotate",
        body: &body,
        hidden: &hidden,
        problem,
        shown: &["overlap_seconds"],
        keep: "Cancel",
        confirm: &button("primary", "Rotate"),
    };
    Ok(card.answer(visit))
}

/// What is said where `value` is chosen.
fn until(subject: &Subject, now: Timestamp, value: &str, seconds: u64) -> Markup {
    let until = now.after(Duration::from_secs(seconds));
    let expiry = subject.key.expires_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
    let until = expiry.map_or(until, |expiry| expiry.min(until)).to_string();
    html! {
        span class={ "when when-" (value) } {
            @match value {
                "now" => { "The current one " strong { "stops working now" } "." }
                "drained" => { "Both secrets work until the old one is silent, " strong { (minute(&until)) } " at the latest." }
                _ => { "Both secrets work until " strong { (minute(&until)) } "." }
            }
        }
    }
}

fn regenerate_card(visit: &Visit, subject: &Subject, problem: Option<&ProblemView>) -> Result<Response, Fault> {
    let key = &subject.key;
    let title = format!("Regenerate the secret of {}?", key.name);
    if let Some(answer) = obstacle(visit, key, "regenerate", &title) {
        return Ok(answer);
    }
    let consequence = subject.consequence(Cut::All, visit.now);
    let body = html! {
        (warning(consequence.as_ref()))
        p {
            @if key.rotation.is_some() { "Both current secrets stop working now. " } @else { "The current secret stops working now. " }
            "A new one is made and shown once. Name, permissions and limits stay."
        }
        @if key.rotation.is_none() && key.status == "active" {
            p { "To move senders one after another, "
                a href=(visit.frame.href(&format!("/keys/{}/rotate", key.id))) data-dialog { "rotate it instead" } "." }
        }
    };
    let once = visit.once_key()?;
    let mut hidden = vec![(ONCE, once.as_str())];
    if is_named(consequence.as_ref(), problem) {
        hidden.push((NAMED, "yes"));
    }
    let card = Card {
        key,
        verb: "regenerate",
        title: &title,
        class: "verb",
        body: &body,
        hidden: &hidden,
        problem,
        shown: &[],
        keep: "Keep secret",
        confirm: &button("danger-fill", "Regenerate secret"),
    };
    Ok(card.answer(visit))
}

/// Whether the card says who is cut off.
fn is_named(consequence: Option<&Markup>, problem: Option<&ProblemView>) -> bool {
    consequence.is_some() || problem.is_some_and(|problem| problem.code == "key_in_use")
}
