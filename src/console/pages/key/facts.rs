//! What a key is, in the rail beside its first tab.

use maud::{Markup, html};

use super::Subject;
use crate::admin::environments::EnvironmentView;
use crate::admin::keys::KeyView;
use crate::admin::terms::{EffectiveLimit, LimitsView};
use crate::console::api::Api;
use crate::console::guard::Fault;
use crate::console::parts::chart::bar;
use crate::console::parts::limits;
use crate::console::parts::number::percent;
use crate::console::parts::time::{date, relative};
use crate::console::visit::Visit;
use crate::domain::Timestamp;
use crate::domain::hygiene::ADMIN_ROTATION;

/// The most limits that are shown here.
const MAX_LIMITS: usize = 6;

/// Expiry is near from so many days before it on.
const NEAR_DAYS: u64 = 7;

/// The rail.
pub(super) async fn rail(visit: &Visit, subject: &Subject) -> Result<Markup, Fault> {
    let key = &subject.key;
    let limits: Option<LimitsView> = if subject.is_ingest() {
        Api::if_allowed(visit.api.get(&format!("/keys/{}/limits", key.id))).await?
    } else {
        None
    };
    let limits = limits.map(|limits| limits.effective);
    let found = visit.environments.iter().find(|one| Some(&one.slug) == key.environment.as_ref());
    Ok(html! {
        aside.panel aria-label="About the key" {
            dl.facts {
                @match (&key.project, &key.grid, &key.environment) {
                    (Some(project), Some(grid), Some(slug)) => (fact("Tenant", &visit.tenant(project, grid, slug))),
                    (Some(project), ..) => (fact("Project", &html! { (project) })),
                    _ => (fact("Where", &html! { "The whole installation" })),
                }
                (fact("Role", &role(visit, key)))
                @if let Some(limits) = &limits { (standings(limits)) }
                (fact("Allowed addresses", &addresses(key)))
                (fact("Expires", &expiry(visit, key)))
                (fact("Rotation policy", &policy(key, found)))
                (fact("Created", &created(visit, key).await?))
                @if let Some(owner) = &key.owner { (fact("Owner", &html! { (owner) })) }
                @if !key.tags.is_empty() {
                    (fact("Tags", &html! { ul.words { @for tag in &key.tags { li.word { (tag) } } } }))
                }
                @if !key.note.is_empty() { (fact("Note", &html! { p.note-text { (key.note) } })) }
            }
        }
    })
}

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn role(visit: &Visit, key: &KeyView) -> Markup {
    let signals: Vec<_> =
        key.permissions.iter().filter_map(|name| name.strip_prefix("telemetry.")?.strip_suffix(".write")).collect();
    let others = key.permissions.iter().filter(|name| !name.starts_with("telemetry.")).count();
    html! {
        @match &key.role {
            Some(role) if visit.may("role.view") => { a.name href=(visit.frame.here("/roles")) { (role) } }
            Some(role) => (role),
            None => "Permissions of its own",
        }
        p.meta {
            @if !signals.is_empty() { "Writes " (signals.join(", ")) }
            @if others > 0 {
                @if !signals.is_empty() { " and holds " } @else { "Holds " }
                (others) @if others == 1 { " permission" } @else { " permissions" }
            }
        }
    }
}

/// The limits that hold for it, and how they stand.
fn standings(limits: &[EffectiveLimit]) -> Markup {
    html! {
        @if limits.is_empty() { (fact("Limits", &html! { "None" })) }
        @for one in limits.iter().take(MAX_LIMITS) {
            @let name = match one.limit.per.as_str() { "second" => "Rate limit", "day" => "Daily quota", _ => "Monthly quota" };
            @let whole = one.used.saturating_add(one.remaining);
            @let part = percent(one.used, whole);
            @let used = if one.limit.per == "second" { format!("now {part}") } else { format!("{part} used") };
            @let class = if one.used.saturating_mul(5) >= whole.saturating_mul(4) { "warn" } else { "ok" };
            div {
                dt { (name) @if one.scope != "key" { " of the " (one.scope) } @if one.limit.mode != "enforce" { " (" (one.limit.mode) " only)" } }
                dd.standing { span { (limits::words(&one.limit)) } span.meta { (used) } }
                dd { (bar(one.used, whole, class, &format!("{name}: {used}"))) }
            }
        }
        @if limits.len() > MAX_LIMITS { (fact("More limits", &html! { (limits.len() - MAX_LIMITS) })) }
    }
}

fn addresses(key: &KeyView) -> Markup {
    html! {
        @if key.allowed_addresses.is_empty() { "Any" } @else {
            ul { @for one in &key.allowed_addresses { li { code { (one) } } } }
        }
    }
}

fn expiry(visit: &Visit, key: &KeyView) -> Markup {
    let Some(expires) = &key.expires_at else { return html! { "Never" } };
    let near = expires.parse::<Timestamp>().is_ok_and(|at| at.since(visit.now).as_secs() <= NEAR_DAYS * 86_400);
    html! { (date(expires)) " " span.pale.near[near] { (relative(expires, visit.now)) } }
}

/// How often it is to get a new secret. `environment` is its own, as far as the visitor may see it.
fn policy(key: &KeyView, environment: Option<&EnvironmentView>) -> Markup {
    let days = match (&key.environment, environment) {
        (None, _) => Some(u32::try_from(ADMIN_ROTATION.as_secs() / 86_400).unwrap_or(u32::MAX)),
        (Some(_), Some(environment)) => environment.rotation_days,
        (Some(_), None) => return html! { span.pale { "Not visible to you" } },
    };
    let Some(days) = days else { return html! { "None" } };
    let current = key.secrets.iter().find(|secret| secret.state == "current");
    let made = current.and_then(|secret| secret.created_at.parse::<Timestamp>().ok());
    let next = made.map(|made| made.after(std::time::Duration::from_secs(u64::from(days) * 86_400)).to_string());
    html! {
        "Every " (days) " d"
        @if let Some(next) = &next { " " span.pale { "next " (date(next)) } }
    }
}

async fn created(visit: &Visit, key: &KeyView) -> Result<Markup, Fault> {
    let by = match &key.created_by {
        None => None,
        Some(id) => match visit.api.get::<KeyView>(&format!("/keys/{id}")).await {
            Ok(by) => Some(html! { a.pale href=(visit.frame.href(&format!("/keys/{id}"))) { (by.name) } }),
            // It belongs to somebody else, or its record was erased.
            Err(fault) if fault.is("key_not_found") => Some(html! { code { (id) } }),
            Err(fault) => return Err(fault),
        },
    };
    Ok(html! { (date(&key.created_at)) @if let Some(by) = by { span.pale { " by " (by) } } })
}
