//! Webhooks: the list, and one of them with its messages.

use axum::extract::Path;
use axum::response::Redirect;
use maud::{Markup, html};
use serde::Deserialize;

use super::{Part, show};
use crate::admin::webhooks::{DeliveryView, WebhookView};
use crate::console::api::Query;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::chip::{Tone, chip};
use crate::console::parts::empty::empty;
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::list::paging;
use crate::console::parts::note::{Severity, note};
use crate::console::parts::time::{relative, relative_or};
use crate::console::visit::Visit;
use crate::domain::webhook::WebhookId;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    cursor: Option<String>,
}

/// `GET /settings/webhooks`
pub(super) async fn page(
    visit: Visit,
    axum::extract::Query(wanted): axum::extract::Query<Wanted>,
) -> Result<Markup, Fault> {
    let query = || Query::default().with("project", Some(&visit.frame.project));
    let asked = query().with("cursor", wanted.cursor.as_deref());
    let webhooks = visit.api.list::<WebhookView>("/webhooks", &asked).await?;
    let create = html! {
        @if visit.may("webhook.create") {
            a.button.primary href=(visit.frame.here("/settings/webhooks/new")) data-dialog data-new { (icon(Icon::Plus)) "Create webhook" }
        }
    };
    let content = html! {
        @if webhooks.data.is_empty() && wanted.cursor.is_none() {
            div.panel { (empty("No webhooks", "A webhook tells a service of yours what happens to keys: signed, and again until it is heard.", &create)) }
        } @else {
            div.section-head { p { "What happens to keys is told to these, signed by a secret of each." } div.push { (create) } }
            div.panel.table-panel {
                div.scroll tabindex="0" role="region" aria-label="Webhooks" {
                    table {
                        thead { tr {
                            th scope="col" { "URL" }
                            th scope="col" { "Project" }
                            th scope="col" { "Events" }
                            th scope="col" { "Status" }
                            th scope="col" { "Changed" }
                        } }
                        tbody {
                            @for webhook in &webhooks.data {
                                tr.two {
                                    th scope="row" {
                                        a.name href=(visit.frame.here(&format!("/settings/webhooks/{}", webhook.id))) { (webhook.url) }
                                        span.meta { (webhook.id) }
                                    }
                                    td { (webhook.project.as_deref().unwrap_or("All projects")) }
                                    td { (webhook.events.len()) }
                                    td { (status(webhook)) }
                                    td { (relative(&webhook.updated_at, visit.now)) }
                                }
                            }
                        }
                    }
                }
                (paging(&visit.frame, "/settings/webhooks", query(), webhooks.data.len(), webhooks.next_cursor.as_deref()))
            }
        }
    };
    show(&visit, Part::Webhooks, &content).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Shown {
    /// The event of the test that was just sent.
    tested: Option<String>,
}

/// `GET /settings/webhooks/{id}`
pub(super) async fn one(
    visit: Visit,
    Path(id): Path<String>,
    axum::extract::Query(wanted): axum::extract::Query<Shown>,
) -> Result<Markup, Fault> {
    let webhook = webhook(&visit, &id).await?;
    shown(&visit, &webhook, wanted.tested.as_deref()).await
}

/// `POST /settings/webhooks/{id}/test`: then to the webhook, so that who loads the page again sends nothing again.
pub(super) async fn test(visit: Visit, Path(id): Path<String>, _form: Form) -> Result<Redirect, Fault> {
    let webhook = webhook(&visit, &id).await?;
    let delivery: DeliveryView = visit.api.command(&format!("/webhooks/{}/test", webhook.id)).await?;
    let query = Query::default().with("tested", Some(&delivery.event));
    Ok(Redirect::to(&visit.frame.href(&format!("/settings/webhooks/{}{}", webhook.id, query.as_str()))))
}

/// The webhook with the id of a path.
///
/// # Errors
/// As any call of the API; what is no id is not found.
pub(super) async fn webhook(visit: &Visit, id: &str) -> Result<WebhookView, Fault> {
    let id: WebhookId = id.parse().map_err(|_| Fault::NotFound)?;
    visit.api.get(&format!("/webhooks/{id}")).await
}

/// What a test is called among the messages.
const TEST: &str = "webhook.test";

/// The page of a webhook, with what came of the test whose event is `tested`.
async fn shown(visit: &Visit, webhook: &WebhookView, tested: Option<&str>) -> Result<Markup, Fault> {
    let none = Query::default();
    let deliveries = visit.api.list::<DeliveryView>(&format!("/webhooks/{}/deliveries", webhook.id), &none).await?;
    let tested = deliveries.data.iter().find(|one| one.kind == TEST && Some(one.event.as_str()) == tested);
    let to = |verb: &str| visit.frame.href(&format!("/settings/webhooks/{}/{verb}", webhook.id));
    let content = html! {
        div.section-head {
            div { h2 { (webhook.url) } p.meta { (webhook.id) " · " (webhook.project.as_deref().unwrap_or("All projects")) } }
            div.actions.push {
                @if visit.may("webhook.update") {
                    form method="post" action=(to("test")) { (visit.frame.form_fields()) button type="submit" { "Send test" } }
                    a.button href=(to("edit")) data-dialog { "Edit…" }
                    a.button href=(to("rotate-secret")) data-dialog { "Rotate secret…" }
                }
                @if visit.may("webhook.delete") { a.button.danger-button href=(to("delete")) data-dialog { "Delete…" } }
            }
        }
        div.stack {
            @if let Some(delivery) = tested { (result(delivery)) }
            @if let Some(since) = &webhook.failing_since {
                (note(Severity::Warning, &html! { "Every message has failed since " (relative(since, visit.now)) "." }))
            }
            div.panel {
                dl.facts {
                    div { dt { "Status" } dd { (status(webhook)) } }
                    div { dt { "Told of" } dd { (webhook.events.join(", ")) } }
                    div { dt { "Signing secret" } dd {
                        "v" (webhook.secret_version)
                        @if let Some(until) = &webhook.previous_secret_until { ", the one before signs too, until " (relative(until, visit.now)) }
                    } }
                    @if !webhook.note.is_empty() { div { dt { "Note" } dd { (webhook.note) } } }
                }
            }
            section.panel aria-labelledby="messages" {
                div.panel-head { h2 #messages { "Messages" } span.meta { "the last 30 days" } }
                @if deliveries.data.is_empty() {
                    p.panel-body { "Nothing was sent yet." }
                } @else {
                    div.scroll tabindex="0" role="region" aria-label="Messages of this webhook" {
                        table {
                            thead { tr {
                                th scope="col" { "Event" }
                                th scope="col" { "State" }
                                th scope="col" { "Written" }
                                th.end scope="col" { "Attempts" }
                                th scope="col" { "Answer" }
                            } }
                            tbody {
                                @for one in &deliveries.data {
                                    tr {
                                        th scope="row" { code { (one.kind) } }
                                        td { (state(&one.state)) }
                                        td { (relative_or(Some(&one.created_at), visit.now, "")) }
                                        td.end { (one.attempts) }
                                        td { (answer(one)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    show(visit, Part::Webhooks, &content).await
}

fn result(delivery: &DeliveryView) -> Markup {
    let well = delivery.state == "delivered";
    let took = delivery.duration_ms.unwrap_or_default();
    note(
        if well { Severity::Fine } else { Severity::Danger },
        &html! {
            span role="status" {
                strong { @if well { "The test arrived. " } @else { "The test failed. " } }
                (answer(delivery)) " after " (took) " ms."
            }
        },
    )
}

fn answer(delivery: &DeliveryView) -> Markup {
    html! {
        @match (delivery.status, &delivery.error) {
            (Some(status), None) => { "HTTP " (status) }
            (Some(status), Some(error)) => { "HTTP " (status) ": " (error) }
            (None, Some(error)) => { (error) }
            (None, None) => { "—" }
        }
    }
}

fn status(webhook: &WebhookView) -> Markup {
    match webhook.disabled_because.as_deref() {
        None if webhook.failing_since.is_some() => chip(Tone::Amber, Icon::Warning, "Failing"),
        None => chip(Tone::Quiet, Icon::Active, "Active"),
        Some("asked") => chip(Tone::Grey, Icon::Inactive, "Inactive"),
        Some(_) => chip(Tone::Red, Icon::Danger, "Given up"),
    }
}

fn state(state: &str) -> Markup {
    match state {
        "delivered" => chip(Tone::Quiet, Icon::Active, "Delivered"),
        "pending" => chip(Tone::Amber, Icon::Expired, "Waiting"),
        _ => chip(Tone::Red, Icon::Revoked, "Failed"),
    }
}
