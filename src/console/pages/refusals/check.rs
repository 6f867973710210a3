//! The check of a key: what is wrong with a token, and what would happen to an export with it. The token comes in a form, is asked about
//! and is forgotten: no answer shows anything of it.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use maud::{Markup, html};

use super::row::prose;
use super::tokens;
use crate::admin::keys::diagnose::{Diagnosis, Finding, Forecast, Question};
use crate::admin::problem::ProblemView;
use crate::console::Console;
use crate::console::form::Form;
use crate::console::guard::{Fault, of_field};
use crate::console::parts::chip::{self, Tone, chip};
use crate::console::parts::field::{Field, rest_of};
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::note::{Severity, note};
use crate::console::parts::sentence::sentence;
use crate::console::parts::time::relative;
use crate::console::visit::Visit;
use crate::domain::{Reason, Signal};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/refusals/check", get(ask).post(answer))
}

const TITLE: &str = "Check a key";

/// What the form holds besides the token.
#[derive(Default)]
struct Typed {
    signal: String,
    address: String,
    environment: String,
}

/// `GET /refusals/check`
async fn ask(visit: Visit) -> Markup {
    visit.dialog(TITLE, &form(&visit, &Typed::default(), None))
}

/// `POST /refusals/check`
async fn answer(visit: Visit, form: Form) -> Result<Response, Fault> {
    let optional = |name| form.optional(name).map(str::to_owned);
    let question = Question {
        token: Some(form.text("token").to_owned()),
        signal: optional("signal"),
        address: optional("address"),
        environment: optional("environment"),
    };
    match visit.api.post::<Diagnosis>("/keys/diagnose", &question).await {
        Ok(diagnosis) => Ok(visit.dialog(TITLE, &found(&visit, &diagnosis)).into_response()),
        Err(fault) => {
            let problem = fault.mendable()?;
            let text = |name| form.text(name).to_owned();
            let typed = Typed { signal: text("signal"), address: text("address"), environment: text("environment") };
            let form = self::form(&visit, &typed, Some(&problem));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, visit.dialog(TITLE, &form)).into_response())
        }
    }
}

fn form(visit: &Visit, typed: &Typed, problem: Option<&ProblemView>) -> Markup {
    let any = |words: &str| std::iter::once((String::new(), words.to_owned()));
    let signals: Vec<_> =
        any("Every signal").chain(Signal::ALL.iter().map(|one| (one.to_string(), one.to_string()))).collect();
    let named = visit.environments.iter().map(|one| (one.slug.clone(), one.name.clone()));
    let environments: Vec<_> = any("One for all environments").chain(named).collect();
    let wrong = of_field(problem, "token");
    let more_open = problem.is_some() || !typed.signal.is_empty();
    html! {
        h1 { (TITLE) }
        form method="post" action=(visit.frame.href("/refusals/check")) {
            (visit.frame.form_fields())
            div.dialog-body {
                (rest_of(problem, &["token", "signal", "address", "environment"]))
                div.field {
                    label for="token" { "Token, exactly as the exporter has it" }
                    div.reveal {
                        input #token type="password" name="token" placeholder="ggi_…" required autofocus autocomplete="off" spellcheck="false"
                            autocapitalize="none" aria-describedby="token-help" aria-invalid=[wrong.map(|_| "true")];
                        button.icon-button type="button" data-reveal="token" aria-label="Show the token" aria-pressed="false" { (icon(Icon::Eye)) }
                    }
                    @if let Some(wrong) = wrong {
                        p #token-help .field-error { (icon(Icon::Danger)) (wrong.detail) ". Allowed: " (wrong.fix) }
                    } @else {
                        p #token-help .help { "It is looked up and forgotten: nothing of it is stored, logged or shown again." }
                    }
                }
                details.check-more open[more_open] {
                    summary { "What it sends, and where " span.meta { "Every signal, from an allowed address" } }
                    div.stack {
                        (Field::new("signal", "Signal").wrong(problem, "signal").select(&signals, &typed.signal))
                        (Field::new("address", "Address of the sender").help("Such as 192.0.2.1. Empty: one that the key allows.")
                            .wrong(problem, "address").line(&typed.address, false))
                        (Field::new("environment", "Environment of the endpoint").wrong(problem, "environment")
                            .select(&environments, &typed.environment))
                    }
                }
            }
            div.dialog-foot {
                a.button href=(visit.frame.here("/refusals")) data-close { "Cancel" }
                button.primary type="submit" { "Check key" }
            }
        }
    }
}

fn found(visit: &Visit, diagnosis: &Diagnosis) -> Markup {
    let (severity, verdict, meaning) = match diagnosis.accepted {
        Some(true) if diagnosis.findings.is_empty() => (
            Severity::Fine,
            "This key is good",
            "Exports with it get past the key. If telemetry is missing, look at what happens behind it.",
        ),
        Some(true) => (Severity::Warning, "This key is good, with a remark", "Exports with it get past the key."),
        Some(false) => (
            Severity::Danger,
            "Exports with this key are refused",
            "What is wrong stands below, what weighs most first.",
        ),
        None => (
            Severity::Info,
            "No key that you see has this token",
            "What happens with it is for those to know who see its project.",
        ),
    };
    html! {
        h1 { (verdict) }
        div.dialog-body {
            (note(severity, &html! { (meaning) }))
            @if let Some(key) = &diagnosis.key {
                p {
                    "Key " a href=(visit.frame.href(&format!("/keys/{}", key.id))) { (key.name) } " "
                    (chip::status(&key.status, false)) " " code { (key.id) }
                    @if let Some(version) = diagnosis.secret_version { ", secret v" (version) }
                }
            }
            @for finding in &diagnosis.findings { (remark(visit, finding)) }
            @if !diagnosis.exports.is_empty() { (forecasts(&diagnosis.exports)) }
        }
        div.dialog-foot {
            a.button href=(visit.frame.here("/refusals/check")) data-dialog { "Check another" }
            a.button href=(visit.frame.here("/refusals")) data-close { "Close" }
        }
    }
}

fn remark(visit: &Visit, finding: &Finding) -> Markup {
    let words = tokens::of_finding(&finding.code);
    let title = words.as_ref().map_or("Worth knowing", |words| words.title);
    html! {
        section.finding {
            h2 { (title) }
            p { (sentence(&finding.detail)) }
            p { strong { "Fix: " } (prose(&words.as_ref().map_or_else(|| sentence(&finding.fix), |words| words.fix.to_owned()))) }
            @if finding.since.is_some() || finding.by.is_some() {
                p.meta {
                    @if let Some(since) = &finding.since { "Since " (relative(since, visit.now)) }
                    @if let Some(by) = &finding.by { " by " (by) }
                }
            }
        }
    }
}

fn forecasts(exports: &[Forecast]) -> Markup {
    html! {
        div.scroll.why-inset tabindex="0" role="region" aria-label="What would happen to an export" {
            table {
                thead { tr { th scope="col" { "Signal" } th scope="col" { "Outcome" } th scope="col" { "Answer" } } }
                tbody {
                    @for export in exports {
                        tr {
                            th scope="row" { (export.signal) }
                            td { (foretold(export)) }
                            td { code { "HTTP " (export.http_status) ", " (export.grpc_code) } }
                        }
                    }
                }
            }
        }
    }
}

fn foretold(export: &Forecast) -> Markup {
    let reason = Reason::ALL.iter().find(|reason| Some(reason.as_str()) == export.reason.as_deref());
    match reason {
        Some(reason) => chip::refused(reason.retry_after().is_some()),
        None => chip(Tone::Green, Icon::Active, "Accepted"),
    }
}
