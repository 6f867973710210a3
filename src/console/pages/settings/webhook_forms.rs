//! The dialogs about webhooks.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::{Markup, html};

use super::webhooks::webhook;
use crate::admin::page::PageView;
use crate::admin::problem::ProblemView;
use crate::admin::projects::ProjectView;
use crate::admin::webhooks::create::NewWebhook;
use crate::admin::webhooks::edit::EditedWebhook;
use crate::admin::webhooks::{WebhookView, WebhookWithSecret};
use crate::console::api::{Api, Query};
use crate::console::form::Form;
use crate::console::guard::{Fault, of_field};
use crate::console::parts::dialog::{Dialog, version_field};
use crate::console::parts::field::{Field, rest_of};
use crate::console::parts::icon::{Icon, icon};
use crate::console::visit::Visit;
use crate::domain::webhook::EventKind;

/// The fields of a form, as they were typed.
#[derive(Default)]
struct Typed {
    url: String,
    project: String,
    events: Vec<String>,
    note: String,
    disabled: bool,
}

impl Typed {
    fn of(form: &Form) -> Self {
        Self {
            url: form.text("url").to_owned(),
            project: form.text("project").to_owned(),
            events: form.all("events").into_iter().map(str::to_owned).collect(),
            note: form.text("note").to_owned(),
            disabled: !form.text("disabled").is_empty(),
        }
    }

    fn of_webhook(webhook: &WebhookView) -> Self {
        Self {
            url: webhook.url.clone(),
            project: webhook.project.clone().unwrap_or_default(),
            events: webhook.events.clone(),
            note: webhook.note.clone(),
            disabled: webhook.status == "disabled",
        }
    }
}

/// `GET /settings/webhooks/new`
pub(super) async fn new(visit: Visit) -> Result<Markup, Fault> {
    let typed = Typed { project: visit.frame.project.clone(), ..Typed::default() };
    let once = visit.once_key()?;
    new_dialog(&visit, &typed, &once, None).await
}

/// `POST /settings/webhooks/new`
pub(super) async fn create(visit: Visit, form: Form) -> Result<Response, Fault> {
    let typed = Typed::of(&form);
    let body = NewWebhook {
        url: Some(typed.url.clone()),
        events: Some(typed.events.clone()),
        project: Some(typed.project.clone()).filter(|project| !project.is_empty()),
        note: Some(typed.note.clone()),
        disabled: Some(typed.disabled),
    };
    let made = visit.api.post_once::<WebhookWithSecret>("/webhooks", Some(&body), form.text("once")).await;
    match made {
        Ok(made) => Ok(secret(&visit, &made).into_response()),
        Err(fault) => {
            let problem = fault.mendable()?;
            let card = new_dialog(&visit, &typed, form.text("once"), Some(&problem)).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, card).into_response())
        }
    }
}

async fn new_dialog(visit: &Visit, typed: &Typed, once: &str, problem: Option<&ProblemView>) -> Result<Markup, Fault> {
    let all = Query::default().with("limit", Some(200));
    let projects: Option<PageView<ProjectView>> = Api::if_allowed(visit.api.list("/projects", &all)).await?;
    let mut options: Vec<_> = projects.map(|page| page.data).unwrap_or_default();
    options.retain(|one| visit.me.project.as_ref().is_none_or(|own| *own == one.slug));
    let mut options: Vec<_> = options.into_iter().map(|one| (one.slug, one.name)).collect();
    if visit.me.project.is_none() {
        options.insert(0, (String::new(), "All projects, and the installation".to_owned()));
    }
    let content = html! {
        h1 { "Create webhook" }
        form method="post" action=(visit.frame.href("/settings/webhooks/new")) {
            (visit.frame.form_fields())
            input type="hidden" name="once" value=(once);
            div.dialog-body {
                (rest_of(problem, &["url", "project", "events", "note"]))
                (url(typed, problem))
                (Field::new("project", "Told of").wrong(problem, "project").select(&options, &typed.project))
                (events(typed, problem))
                (Field::new("note", "Note").wrong(problem, "note").lines(&typed.note, 2))
                (Field::new("disabled", "Send nothing until it is enabled").tick("on", typed.disabled))
            }
            div.dialog-foot {
                a.button href=(visit.frame.here("/settings/webhooks")) data-close { "Cancel" }
                button.primary type="submit" { "Create webhook" }
            }
        }
    };
    Ok(visit.dialog("Create webhook", &content))
}

fn url(typed: &Typed, problem: Option<&ProblemView>) -> Markup {
    let help = "An https address of a public host. Messages are signed, and sent again until they are heard.";
    Field::new("url", "URL").help(help).wrong(problem, "url").line(&typed.url, true)
}

/// Every event, to tick.
fn events(typed: &Typed, problem: Option<&ProblemView>) -> Markup {
    let wrong = of_field(problem, "events");
    html! {
        fieldset.field aria-describedby=[wrong.map(|_| "events-help")] {
            legend { "Events" }
            div.event-ticks {
                @for kind in EventKind::ALL {
                    @let name = kind.as_str();
                    label { input type="checkbox" name="events" value=(name) checked[typed.events.iter().any(|one| one == name)]; code { (name) } }
                }
            }
            @if let Some(wrong) = wrong {
                p #events-help .field-error { (icon(Icon::Danger)) (wrong.detail) ". Tick at least one." }
            }
        }
    }
}

/// The card that shows a signing secret, once.
fn secret(visit: &Visit, made: &WebhookWithSecret) -> Markup {
    let done = visit.frame.href(&format!("/settings/webhooks/{}", made.webhook.id));
    let content = html! {
        h1 { "Copy the signing secret now" }
        p { "It is shown once. Your service checks by it that messages come from this gate." }
        div.dialog-body.secret data-secret {
            div.secret-box {
                div.secret-head { h2 #secret-name { "Secret of the webhook" } }
                div.secret-line role="group" aria-labelledby="secret-name" {
                    code { span.masked { "whsec_••••••••••••" } span.whole { (made.secret) } }
                    button.quiet-button.small type="button" data-unmask aria-pressed="false" { (icon(Icon::Eye)) span.word { "Reveal" } }
                    button.primary.small type="button" data-copy=(made.secret) data-with-secret autofocus { (icon(Icon::Copy)) "Copy" }
                }
                p.meta { (made.webhook.url) }
            }
        }
        div.dialog-foot {
            form method="get" action=(done) { button type="submit" data-copied { "I have copied it" } }
        }
        section.close-gate data-close-gate hidden role="alertdialog" aria-labelledby="gate-name" aria-describedby="gate-text" {
            h2 #gate-name { "Close without copying?" }
            p #gate-text { "You will not see this secret again. If it is lost, rotate it to get a new one." }
            div.dialog-foot {
                button type="button" data-close-anyway { "Close anyway" }
                button.primary type="button" data-keep-open { "Back to the secret" }
            }
        }
    };
    visit.broad_dialog("Copy the signing secret now", &content)
}

/// `GET /settings/webhooks/{id}/edit`
pub(super) async fn edit(visit: Visit, Path(id): Path<String>) -> Result<Markup, Fault> {
    let webhook = webhook(&visit, &id).await?;
    Ok(edit_dialog(&visit, &webhook.id, &Typed::of_webhook(&webhook), webhook.version, None))
}

/// `POST /settings/webhooks/{id}/edit`
pub(super) async fn save(visit: Visit, Path(id): Path<String>, form: Form) -> Result<Response, Fault> {
    let webhook = webhook(&visit, &id).await?;
    let typed = Typed::of(&form);
    let body = EditedWebhook {
        url: Some(typed.url.clone()),
        events: Some(typed.events.clone()),
        note: Some(Some(typed.note.clone()).filter(|note| !note.is_empty())),
        // Enabled anew it would count as one that has not failed yet.
        disabled: Some(typed.disabled).filter(|disabled| *disabled != (webhook.status == "disabled")),
    };
    let version = form.number("version").unwrap_or_default();
    let path = format!("/webhooks/{}", webhook.id);
    match visit.api.patch::<WebhookView>(&path, &body, version).await {
        Ok(_) => Ok(Redirect::to(&visit.frame.href(&format!("/settings{path}"))).into_response()),
        Err(fault) => {
            let problem = fault.mendable()?;
            let card = edit_dialog(&visit, &webhook.id, &typed, version, Some(&problem));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, card).into_response())
        }
    }
}

fn edit_dialog(visit: &Visit, id: &str, typed: &Typed, version: u64, problem: Option<&ProblemView>) -> Markup {
    let back = format!("/settings/webhooks/{id}");
    let body = html! {
        (version_field(version, problem))
        (url(typed, problem))
        (events(typed, problem))
        (Field::new("note", "Note").wrong(problem, "note").lines(&typed.note, 2))
        (Field::new("disabled", "Send nothing until it is enabled").tick("on", typed.disabled))
    };
    let path = format!("{back}/edit");
    let dialog = Dialog::new("Edit webhook", &path, &back, "Save webhook");
    visit.dialog("Edit webhook", &dialog.card(&visit.frame, problem, &["url", "events", "note"], &body))
}

/// A dialog that asks whether something is to be done.
struct Question<'a> {
    title: &'a str,
    text: &'a str,
    verb: &'a str,
    keep: &'a str,
    yes: &'a str,
    danger: bool,
}

impl Question<'_> {
    fn ask(&self, visit: &Visit, webhook: &WebhookView, once: &str) -> Markup {
        let back = format!("/settings/webhooks/{}", webhook.id);
        let content = html! {
            h1 { (self.title) }
            form method="post" action=(visit.frame.href(&format!("{back}/{}", self.verb))) {
                (visit.frame.form_fields())
                input type="hidden" name="once" value=(once);
                input type="hidden" name="version" value=(webhook.version);
                div.dialog-body { p { (self.text) } p.meta { (webhook.url) } }
                div.dialog-foot {
                    a.button href=(visit.frame.href(&back)) data-close { (self.keep) }
                    button.danger-fill[self.danger].primary[!self.danger] type="submit" { (self.yes) }
                }
            }
        };
        visit.dialog(self.title, &content)
    }
}

/// `GET /settings/webhooks/{id}/rotate-secret`
pub(super) async fn rotate(visit: Visit, Path(id): Path<String>) -> Result<Markup, Fault> {
    let webhook = webhook(&visit, &id).await?;
    let question = Question {
        title: "Rotate secret",
        text: "Messages are signed by both secrets for 24 hours. The new one is shown once.",
        verb: "rotate-secret",
        keep: "Keep secret",
        yes: "Rotate secret",
        danger: false,
    };
    Ok(question.ask(&visit, &webhook, &visit.once_key()?))
}

/// `POST /settings/webhooks/{id}/rotate-secret`
pub(super) async fn rotated(visit: Visit, Path(id): Path<String>, form: Form) -> Result<Markup, Fault> {
    let webhook = webhook(&visit, &id).await?;
    let path = format!("/webhooks/{}/rotate-secret", webhook.id);
    let made = visit.api.post_once::<WebhookWithSecret>(&path, None::<&()>, form.text("once")).await?;
    Ok(secret(&visit, &made))
}

/// `GET /settings/webhooks/{id}/delete`
pub(super) async fn delete(visit: Visit, Path(id): Path<String>) -> Result<Markup, Fault> {
    let webhook = webhook(&visit, &id).await?;
    let question = Question {
        title: "Delete webhook",
        text: "Nothing is sent there any more, and the record of its messages goes with it. This cannot be undone.",
        verb: "delete",
        keep: "Keep webhook",
        yes: "Delete webhook",
        danger: true,
    };
    Ok(question.ask(&visit, &webhook, ""))
}

/// `POST /settings/webhooks/{id}/delete`
pub(super) async fn deleted(visit: Visit, Path(id): Path<String>, form: Form) -> Result<Redirect, Fault> {
    let webhook = webhook(&visit, &id).await?;
    visit.api.delete::<()>(&format!("/webhooks/{}", webhook.id), form.number("version")).await?;
    Ok(Redirect::to(&visit.frame.href("/settings/webhooks")))
}
