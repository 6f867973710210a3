//! Verifying the chain of the audit log.

use axum::response::Response;
use maud::{Markup, html};

use crate::admin::audit::{HeadView, VerifiedView};
use crate::admin::problem::ProblemView;
use crate::console::api::Query;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::copy::copy_button;
use crate::console::parts::dialog::{Dialog, answer};
use crate::console::parts::field::Field;
use crate::console::parts::note::{Severity, note};
use crate::console::parts::number::grouped;
use crate::console::visit::Visit;

/// `GET /audit/verify`
pub(super) async fn form(visit: Visit) -> Result<Response, Fault> {
    let head: HeadView = visit.api.get("/audit-events/head").await?;
    Ok(shown(&visit, "", &end(&head), None))
}

/// `POST /audit/verify`
pub(super) async fn verify(visit: Visit, form: Form) -> Result<Response, Fault> {
    let expected = form.text("expect");
    let query = Query::default().with("expect", Some(expected));
    match visit.api.get::<VerifiedView>(&format!("/audit-events/verify{}", query.as_str())).await {
        Ok(verified) => Ok(shown(&visit, expected, &result(&verified), None)),
        Err(fault) => Ok(shown(&visit, expected, &html! {}, Some(&*fault.mendable()?))),
    }
}

fn shown(visit: &Visit, expected: &str, above: &Markup, problem: Option<&ProblemView>) -> Response {
    let body = html! {
        (above)
        (Field::new("expect", "An end that you noted earlier")
            .help("Its number, a colon and its hash. With it, a log that was rewritten as a whole is found out, too. Empty: the chain alone.")
            .wrong(problem, "expect").line(expected, false))
    };
    let dialog = Dialog { keep: "Close", ..Dialog::new("Verify the audit log", "/audit/verify", "/audit", "Verify") };
    answer(problem, visit.dialog("Verify the audit log", &dialog.card(&visit.frame, problem, &["expect"], &body)))
}

fn result(verified: &VerifiedView) -> Markup {
    html! {
        @if verified.intact {
            (note(Severity::Fine, &html! {
                strong { "Every entry is as it was written. " } (grouped(verified.entries)) " were read, each against its hash and the one before."
            }))
        } @else {
            (note(Severity::Danger, &html! {
                strong { "The log was changed" @if let Some(seq) = verified.broken_at { " at entry " (seq) } ". " }
                @if let Some(reason) = &verified.reason { (reason) ". " }
                (grouped(verified.entries)) " entries before it are as they were written."
            }))
        }
        (end(&verified.head))
    }
}

/// The end of the chain, to be noted elsewhere.
fn end(head: &HeadView) -> Markup {
    let text = format!("{}:{}", head.seq, head.hash);
    html! {
        div.field {
            span.label { "The end of the log now" }
            div.copyable.chain-end { code { (text) } (copy_button(&text, "the end of the log")) }
            p.help { "Keep it somewhere else, every day for instance." }
        }
    }
}
