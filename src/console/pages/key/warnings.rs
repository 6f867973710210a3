//! What about a key needs attention, in words, each with what to do about it.

use maud::{Markup, html};

use super::{At, Subject};
use crate::admin::page::PageView;
use crate::admin::refusals::RefusalView;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::parts::note::{Severity, note};
use crate::console::parts::number::{counted, grouped, percent};
use crate::console::parts::time::relative;
use crate::console::visit::Visit;
use crate::domain::hygiene::Flag;
use crate::domain::trouble::Cause;

/// Groups of refusals that are looked through for drift.
const MAX_GROUPS: u32 = 50;

/// All notes, the gravest first; empty where there are none.
pub(super) async fn notes(visit: &Visit, subject: &Subject) -> Result<Markup, Fault> {
    let mut notes = flags(visit, subject);
    notes.extend(state(visit, subject));
    notes.extend(traffic(visit, subject));
    notes.extend(drift(visit, subject).await?);
    notes.sort_by_key(|(severity, _)| *severity);
    Ok(html! { @for (severity, text) in &notes { (note(*severity, text)) } })
}

/// A link to a dialog of the key; the words alone for a visitor who may not do it.
fn dialog(visit: &Visit, subject: &Subject, verb: &str, words: &str) -> Markup {
    let may = match verb {
        "regenerate" | "rotate" => visit.may("api.key.update") && visit.may("api.key.create"),
        "revoke" => visit.may("api.key.delete"),
        _ => true,
    };
    html! {
        @if may { a data-dialog href=(visit.frame.href(&format!("/keys/{}/{verb}", subject.key.id))) { (words) } }
        @else { (words) }
    }
}

/// What the API says of it; of flags that say the same the most urgent alone.
fn flags(visit: &Visit, subject: &Subject) -> Vec<(Severity, Markup)> {
    let key = &subject.key;
    let held: Vec<Flag> = key.attention.iter().filter_map(|name| name.parse().ok()).collect();
    let is_said = |flag: &Flag| {
        let mut next = flag.more_urgent();
        std::iter::from_fn(|| {
            let now = next?;
            next = now.more_urgent();
            Some(now)
        })
        .any(|more| held.contains(&more))
    };
    let current = key.secrets.iter().find(|secret| secret.state == "current");
    let expires = key.expires_at.as_deref().map(|at| relative(at, visit.now)).unwrap_or_default();
    let link = |verb, words| dialog(visit, subject, verb, words);
    let settings = html! {
        @if visit.may("api.key.update") {
            a href=(visit.frame.href(&subject.path(At::Settings))) { "Change the expiry" }
        } @else { "Change the expiry" }
    };
    let words = |flag: &Flag| match flag {
        Flag::Exposed => {
            let text = html! { strong { "A secret of this key was found in public. " } "Whoever found it can use it. " (link("regenerate", "Regenerate the secret")) };
            (Severity::Danger, text)
        }
        Flag::ExpiringNow | Flag::ExpiringSoon => (
            Severity::Warning,
            html! { strong { "It expires " (expires) ". " } "From then on it is refused. " (settings) },
        ),
        Flag::Expiring => {
            (Severity::Info, html! { "It expires " (expires) ". From then on it is refused. " (settings) })
        }
        Flag::RotationDue => {
            let made = current.map(|secret| relative(&secret.created_at, visit.now)).unwrap_or_default();
            (
                Severity::Warning,
                html! { strong { "Rotation is due. " } "The secret was made " (made) ". " (link("rotate", "Rotate it")) },
            )
        }
        Flag::Weak => {
            let text = html! { strong { "The secret is a UUID from elsewhere. " } "It says nothing of its key and has no checksum. " (link("rotate", "Rotate it")) " to get a token." };
            (Severity::Warning, text)
        }
        Flag::Unused45 | Flag::Unused90 => {
            let days = flag.days().unwrap_or_default();
            (
                Severity::Info,
                html! { "Nobody has used it for " (days) " days. " (link("revoke", "Revoke it")) " if nobody needs it." },
            )
        }
        Flag::NeverUsed => {
            let text = html! {
                "Nobody has ever used it, since it was made " (relative(&key.created_at, visit.now)) ". "
                @if subject.is_ingest() { (link("snippets", "See how to send with it")) }
            };
            (Severity::Info, text)
        }
    };
    held.iter().filter(|flag| !is_said(flag)).map(words).collect()
}

/// What its state means, where it is refused.
fn state(visit: &Visit, subject: &Subject) -> Option<(Severity, Markup)> {
    let key = &subject.key;
    let at = |instant: &Option<String>| instant.as_deref().map(|at| relative(at, visit.now)).unwrap_or_default();
    let text = match &*key.status {
        "revoked" => {
            html! { strong { "Revoked " (at(&key.revoked_at)) ". " } "It is refused for ever. What it did stays here." }
        }
        "expired" => html! { strong { "Expired " (at(&key.expires_at)) ". " } "It is refused until it is renewed." },
        "disabled" => {
            html! { strong { "Disabled " (at(&key.disabled_at)) ". " } "Exports are refused until it is enabled." }
        }
        _ => return None,
    };
    Some((Severity::Info, text))
}

/// What the last day's exports tell.
fn traffic(visit: &Visit, subject: &Subject) -> Vec<(Severity, Markup)> {
    let received: u64 = subject.day.iter().flatten().map(|row| row.received).sum();
    let refused = subject.refused_today();
    let refusals = html! { a href=(visit.frame.href(&subject.path(At::Refusals))) { "See why" } };
    let mut notes = Vec::new();
    if subject.key.status != "active" && refused > 0 {
        let exports = counted(refused, "export was", "exports were");
        let text = html! { strong { "Somebody still sends with it. " } (exports) " refused in the last 24 hours. " (refusals) };
        notes.push((Severity::Warning, text));
    } else if refused > 0 && refused.saturating_mul(100) >= received {
        let text = html! {
            strong { (percent(refused, received)) " of the last 24 hours was refused. " }
            (grouped(refused)) " of " (counted(received, "export", "exports")) ". " (refusals)
        };
        notes.push((Severity::Warning, text));
    }
    if subject.senders.as_ref().is_some_and(|senders| senders.shared) {
        let text =
            html! { "Several services use this key. With a key for each, one can be revoked without the others." };
        notes.push((Severity::Info, text));
    }
    notes
}

/// Telemetry that says it is of another environment than the key.
async fn drift(visit: &Visit, subject: &Subject) -> Result<Option<(Severity, Markup)>, Fault> {
    if subject.day.is_none() {
        return Ok(None);
    }
    let query = Query::default()
        .with("key", Some(&subject.key.id))
        .with("reason", Some(Cause::EnvironmentDrift.as_str()))
        .with("limit", Some(MAX_GROUPS));
    let found: Option<PageView<RefusalView>> = Api::if_allowed(visit.api.list("/refusals", &query)).await?;
    let groups = found.map(|page| page.data).unwrap_or_default();
    let exports: u64 = groups.iter().map(|group| group.count).sum();
    Ok((exports > 0).then(|| {
        let text = html! {
            strong { "Telemetry of another environment. " }
            (counted(exports, "export was", "exports were")) " accepted whose resource names another environment than "
            (subject.key.environment.as_deref().unwrap_or_default()) ". "
            a href=(visit.frame.href(&subject.path(At::Refusals))) { "See who sent it" }
        };
        (Severity::Warning, text)
    }))
}
