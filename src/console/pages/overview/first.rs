//! What a new installation shows: the way from nothing to the first export.

use maud::{Markup, html};

use crate::admin::keys::KeyView;
use crate::admin::refusals::RefusalView;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::note::{Severity, mark};
use crate::console::visit::Visit;

/// The whole content of the page, as long as no ingest key has ever been used and nothing was turned away.
pub(super) async fn start(visit: &Visit) -> Result<Option<Markup>, Fault> {
    let project = Some(&visit.frame.project);
    let keys = Query::default().with("project", project).with("kind", Some("ingest")).with("status", Some("all"));
    let keys = keys.with("sort", Some("-last_used_at")).with("limit", Some(1));
    let Some(keys) = Api::if_allowed(visit.api.list::<KeyView>("/keys", &keys)).await? else { return Ok(None) };
    let key = keys.data.first();
    if key.is_some_and(|key| key.last_used_at.is_some()) {
        return Ok(None);
    }
    let refused = Query::default().with("project", project).with("limit", Some(1));
    let refused = Api::if_allowed(visit.api.list::<RefusalView>("/refusals", &refused)).await?;
    if refused.is_some_and(|refused| !refused.data.is_empty()) {
        return Ok(None);
    }
    Ok(Some(html! {
        div.page-head { div { h1 { "Overview" } } }
        div.panel.start #start data-fresh="5" {
            (picture(key))
            div.start-words {
                @match key {
                    Some(key) => {
                        h2 { "Waiting for the first export" }
                        p { strong { (key.name) } " is ready. Give its two lines to an SDK or a Collector: what arrives shows here." }
                        div.actions {
                            a.button.primary href=(visit.frame.href(&format!("/keys/{}/snippets", key.id))) data-dialog { "Show snippets" }
                            @if visit.may("api.key.create") { (create(visit, false)) }
                        }
                    }
                    None => {
                        h2 { "Create the first key" }
                        p { "A key is all a sender needs. It alone decides the project, grid and environment its telemetry belongs to, so nothing in the data has to say so." }
                        @if visit.may("api.key.create") {
                            div.actions {
                                (create(visit, true))
                                a.button href=(visit.frame.here("/keys/import")) data-dialog { "Import existing keys" }
                            }
                        } @else {
                            p.meta { "Your key may not create keys. Ask an owner of this installation." }
                        }
                    }
                }
            }
            (steps(visit))
        }
    }))
}

fn create(visit: &Visit, first: bool) -> Markup {
    html! {
        a.button.primary[first] href=(visit.frame.here("/keys/new")) data-dialog data-new { (icon(Icon::Plus)) "Create key" }
    }
}

/// From an exporter through one key to its storage.
fn picture(key: Option<&KeyView>) -> Markup {
    let of = key.map(|key| [&key.project, &key.grid, &key.environment].map(|part| part.clone().unwrap_or_default()));
    html! {
        div.start-picture aria-hidden="true" {
            div { strong { "Your exporter" } span { "SDK or Collector" } }
            (arrow())
            div.mine { strong { "One key" } span { (of.map_or_else(|| "project / grid / environment".to_owned(), |of| of.join(" / "))) } }
            (arrow())
            div { strong { "Its storage" } span { "that tenant’s alone" } }
        }
    }
}

fn arrow() -> Markup {
    html! { svg.start-arrow viewBox="0 0 44 12" width="44" height="12" { path d="M0 6h43M37 1l6 5-6 5" {} } }
}

fn steps(visit: &Visit) -> Markup {
    html! {
        ol.start-steps {
            li {
                h3 { span.step aria-hidden="true" { "1" } "Create" }
                p { "One key per grid and environment, so that staging never lands in production." }
                p.meta { (icon(Icon::Prompt)) " " code { "gridgate keys create --grid checkout" } }
            }
            li {
                h3 { span.step aria-hidden="true" { "2" } "Paste two lines" }
                p { "Into the environment of your SDK, or the exporter of your Collector." }
                pre tabindex="0" { "OTEL_EXPORTER_OTLP_ENDPOINT=https://…\nOTEL_EXPORTER_OTLP_HEADERS=api-key=ggi_…" }
            }
            li {
                h3 { span.step aria-hidden="true" { "3" } "Watch it arrive" }
                p { "The first export shows here within seconds. If it does not, " a href=(visit.frame.here("/refusals")) { "Refusals" } " says why." }
                p.meta { (mark(Severity::Fine)) "First export: 12 spans from checkout-api" }
            }
        }
    }
}
