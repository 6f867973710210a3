//! The rotation of a key: how much comes with the old secret and how much with the new one, and who is left behind.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::{Markup, html};

use super::verbs::{Subject, sender_name};
use crate::admin::keys::{KeyView, RotationView, SecretTrafficView, TrafficView};
use crate::admin::senders::SenderView;
use crate::console::Console;
use crate::console::guard::Fault;
use crate::console::parts::chart::{bar, trend};
use crate::console::parts::chip::{Tone, chip};
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::note::{Severity, note};
use crate::console::parts::number::{counted, number, short};
use crate::console::parts::time::{apart, clock, minute, relative, span};
use crate::console::visit::Visit;
use crate::domain::{KeyId, Timestamp};

/// The field of a form that completes a rotation whose old secret is silent.
pub(super) const SILENT: &str = "silent";

/// An old secret that was not used for so long is silent.
const SILENCE: Duration = Duration::from_mins(5);

/// Who was seen last longer than this before a rotation began is not waited for.
const FORGOTTEN: Duration = Duration::from_hours(24);

/// Senders that are named.
const NAMED: usize = 3;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/keys/{id}/rotation", get(page))
}

/// `GET /keys/{id}/rotation`: the panel by itself, which is also where it is asked for again.
async fn page(visit: Visit, Path(id): Path<String>) -> Result<Response, Fault> {
    let id: KeyId = id.parse().map_err(|_| Fault::NotFound)?;
    let key: KeyView = visit.api.get(&format!("/keys/{id}")).await?;
    let here = visit.frame.href(&format!("/keys/{id}"));
    let title = format!("Rotation of {}", key.name);
    let content = html! {
        h1 { (title) }
        div.dialog-body {
            @match rotation_panel(&visit, &key).await? {
                Some(panel) => { (panel) }
                None => { (over(&key)) }
            }
        }
        div.dialog-foot { a.button href=(here) data-close { "Back to the key" } }
    };
    if key.kind == "ingest" || key.rotation.is_some() {
        Ok(visit.broad_dialog(&title, &content).into_response())
    } else {
        Ok(Redirect::to(&here).into_response())
    }
}

/// What is shown of the rotation of `key`, while there is one. It keeps itself fresh.
///
/// # Errors
/// As any call of the API.
pub(in crate::console) async fn rotation_panel(visit: &Visit, key: &KeyView) -> Result<Option<Markup>, Fault> {
    if key.rotation.is_none() {
        return Ok(None);
    }
    let subject = Subject::of(visit, key.clone()).await?;
    Ok(subject.key.rotation.as_ref().map(|rotation| panel(visit, &subject, rotation)))
}

/// Whether the old secret of a key that is rotated was not used for five minutes.
pub(super) fn is_silent(subject: &Subject, now: Timestamp) -> bool {
    let Some(rotation) = &subject.key.rotation else { return false };
    last_of_old(subject, rotation).is_none_or(|last| now.since(last) >= SILENCE)
}

/// When the old secret was last used.
fn last_of_old(subject: &Subject, rotation: &RotationView) -> Option<Timestamp> {
    let of_old = subject.senders.iter().flatten().filter(|one| one.secret_version == rotation.old_version);
    let seen = of_old.map(|one| Some(one.last_seen_at.as_str())).chain([rotation.old_last_used_at.as_deref()]);
    seen.filter_map(|at| at?.parse().ok()).max()
}

fn panel(visit: &Visit, subject: &Subject, rotation: &RotationView) -> Markup {
    let key = &subject.key;
    let silent = is_silent(subject, visit.now);
    let moves = Moves::of(subject, rotation, visit.now);
    let (old, new) = (rotation.old_version, rotation.new_version);
    let said = if silent {
        format!("v{old} is silent. You can complete the rotation.")
    } else {
        format!("v{old} is still in use.")
    };
    html! {
        section.panel.rotation #rotation aria-labelledby="rotation-name" data-fresh="5"
            data-fresh-from=(visit.frame.href(&format!("/keys/{}/rotation", key.id)))
            data-state=(if silent { "silent" } else { "used" }) data-say=(said) {
            div.panel-head {
                span.rotation-mark { (icon(Icon::Rotating)) }
                h2 #rotation-name { "Rotation" }
                p.meta-line { (both_until(rotation, visit.now)) }
                @if let Some(moves) = moves.as_ref().filter(|moves| moves.all > 0) {
                    span.push { (chip(Tone::Accent, Icon::People, &moves.words())) }
                }
            }
            div.panel-body {
                @if let Some(traffic) = &rotation.traffic { (bars(traffic, rotation)) }
                (state(visit, subject, rotation, moves.as_ref(), silent))
            }
            @if visit.may("api.key.update") && visit.may("api.key.create") { (foot(visit, key, old, new, silent)) }
        }
    }
}

fn both_until(rotation: &RotationView, now: Timestamp) -> Markup {
    let in_time = rotation.until.parse::<Timestamp>().ok().map(|until| apart(until, now));
    html! {
        "Both secrets work until "
        time datetime=(rotation.until) title=(minute(&rotation.until)) { (end(&rotation.until, now)) }
        @if let Some(in_time) = in_time { ", " (in_time) }
        @if let Some(after) = rotation.drained_after_seconds { ", or until v" (rotation.old_version) " was silent for " (span(after)) }
    }
}

/// `20:00 UTC` of the day of `now`, `22 Nov, 20:00 UTC` of another.
fn end(until: &str, now: Timestamp) -> String {
    let same_day = now.to_string().get(..10) == until.get(..10);
    if same_day { format!("{} UTC", clock(until)) } else { minute(until) }
}

fn bars(traffic: &TrafficView, rotation: &RotationView) -> Markup {
    let all = traffic.old.per_minute.saturating_add(traffic.new.per_minute).max(1);
    let top = traffic.old.exports.iter().chain(&traffic.new.exports).copied().max().unwrap_or(0);
    let since = minute(&traffic.from);
    let row = |name: &str, version: u32, state: &str, class: &str, of: &SecretTrafficView| {
        let now = format!("{name}: {} requests per minute", short(of.per_minute));
        let total = of.exports.iter().sum();
        let course = format!("{name}: {} since {since}", counted(total, "request", "requests"));
        html! {
            tr {
                th scope="row" { span.name { (name) } span.meta { "v" (version) ", " (state) } }
                td.rotation-bar { (bar(of.per_minute, all, class, &now)) }
                td.end { strong { (number(of.per_minute)) } span.meta { "req/min" } }
                td.rotation-trend { (trend(&of.exports, top, class, &course)) }
            }
        }
    };
    html! {
        table.rotation-bars {
            caption.visually-hidden { "Requests with the old and the new secret" }
            thead { tr {
                th scope="col" { span.visually-hidden { "Secret" } }
                th scope="col" { span.visually-hidden { "Share" } }
                th.end scope="col" { "Now" }
                th.rotation-trend scope="col" { "Since " (since) }
            } }
            tbody {
                (row("New", rotation.new_version, "current", "ok", &traffic.new))
                (row("Old", rotation.old_version, "retiring", "old", &traffic.old))
            }
        }
    }
}

/// How it stands, in words.
fn state(visit: &Visit, subject: &Subject, rotation: &RotationView, moves: Option<&Moves<'_>>, silent: bool) -> Markup {
    let (key, old) = (&subject.key, rotation.old_version);
    let behind = moves.map(|moves| moves.behind.as_slice()).unwrap_or_default();
    let last = last_of_old(subject, rotation);
    if silent {
        let text = html! {
            @match last {
                Some(_) => { "v" (old) " has been silent for 5 min. You can complete the rotation." }
                None => { "v" (old) " was never used. You can complete the rotation." }
            }
            @if !behind.is_empty() {
                p.meta { "Last seen with it: " (named(visit, behind)) "." }
            }
        };
        return note(Severity::Fine, &text);
    }
    let Some(one) = behind.first() else {
        let text = html! {
            "v" (old) " was last used " @if let Some(last) = last { (relative(&last.to_string(), visit.now)) } ". "
            @if subject.senders.is_some() || key.kind != "ingest" { "Nobody is known to be left on it." }
            @else { "Who uses it is not shown to you: your key lacks usage.view." }
        };
        return note(Severity::Info, &text);
    };
    let text = html! {
        @if behind.len() == 1 {
            strong { (sender_name(one)) }
            @if let (Some(host), true) = (&one.host, one.service.is_some()) { " on " code { (host) } }
            " still sends with v" (old) ", " (relative(&one.last_seen_at, visit.now)) ". Give it the new secret, then complete."
        } @else {
            strong { (behind.len()) " senders still use v" (old) ". " } "Give them the new secret, then complete."
            ul.behind {
                @for one in behind.iter().take(NAMED) {
                    li {
                        strong { (sender_name(one)) }
                        @if let (Some(host), true) = (&one.host, one.service.is_some()) { " on " code { (host) } }
                        ", " (relative(&one.last_seen_at, visit.now))
                    }
                }
                @if behind.len() > NAMED {
                    li { a href=(visit.frame.href(&format!("/keys/{}/senders?secret={old}", key.id))) { "and " (behind.len() - NAMED) " more" } }
                }
            }
        }
    };
    note(Severity::Warning, &text)
}

fn named(visit: &Visit, behind: &[&SenderView]) -> Markup {
    html! {
        @for (index, one) in behind.iter().take(NAMED).enumerate() {
            @if index > 0 { ", " }
            (sender_name(one)) " " (relative(&one.last_seen_at, visit.now))
        }
        @if behind.len() > NAMED { " and " (behind.len() - NAMED) " more" }
    }
}

fn foot(visit: &Visit, key: &KeyView, old: u32, new: u32, silent: bool) -> Markup {
    let path = |verb: &str| visit.frame.href(&format!("/keys/{}/{verb}", key.id));
    html! {
        div.panel-foot {
            @if silent {
                form method="post" action=(path("complete")) {
                    (visit.frame.form_fields())
                    input type="hidden" name=(SILENT) value="yes";
                    button.primary type="submit" { "Complete rotation" }
                }
            } @else {
                button type="button" disabled aria-describedby="rotation-opens" { "Complete rotation" }
            }
            a.button href=(path("cancel")) data-dialog { "Cancel rotation…" }
            @if silent {
                span.meta { "v" (old) " stops working then, and v" (new) " stays." }
            } @else {
                span.meta #rotation-opens { "Complete opens when v" (old) " has been silent for 5 min." }
                a.button.quiet-button.danger-button.push href=(path("complete")) data-dialog { "Complete anyway…" }
            }
        }
    }
}

/// What stands in the place of the panel once the rotation is over.
fn over(key: &KeyView) -> Markup {
    let version = key.secrets.first().map_or(1, |secret| secret.version);
    let said = format!("The rotation is over. v{version} works.");
    html! {
        section.panel.rotation #rotation data-state="over" data-say=(said) {
            div.panel-body { (note(Severity::Fine, &html! { (said) " " a href="" { "Load the page again" } " to see it all." })) }
        }
    }
}

/// How far the senders of a key have moved to its new secret.
struct Moves<'a> {
    /// How many there are.
    all: usize,
    /// Those that are still on the old one, each by its last sighting there; the last first.
    behind: Vec<&'a SenderView>,
}

impl<'a> Moves<'a> {
    /// `None` where who sends is not known. Whoever was seen with the old secret after the new one, or was silent with it for less than
    /// five minutes, is still on it.
    fn of(subject: &'a Subject, rotation: &RotationView, now: Timestamp) -> Option<Self> {
        let new = subject.key.secrets.iter().find(|secret| secret.version == rotation.new_version)?;
        let begun: Timestamp = new.created_at.parse().ok()?;
        let mut seen: BTreeMap<_, [Option<(Timestamp, &SenderView)>; 2]> = BTreeMap::new();
        for one in subject.senders.as_ref()? {
            let index = match one.secret_version {
                version if version == rotation.old_version => 0,
                version if version == rotation.new_version => 1,
                _ => continue,
            };
            let Ok(at) = one.last_seen_at.parse::<Timestamp>() else { continue };
            let who = match (&one.service, &one.host) {
                (None, None) => (None, None, one.user_agent.as_deref(), Some(one.address.as_str())),
                (service, host) => (service.as_deref(), host.as_deref(), None, None),
            };
            let last = &mut seen.entry(who).or_default()[index];
            if last.is_none_or(|(known, _)| known < at) {
                *last = Some((at, one));
            }
        }
        let since = begun.before(FORGOTTEN);
        seen.retain(|_, seen| seen.iter().flatten().any(|(at, _)| *at >= since));
        let mut behind: Vec<_> = seen
            .values()
            .filter_map(|[old, new]| {
                let &(old_at, sender) = old.as_ref()?;
                let moved = new.is_some_and(|(new_at, _)| new_at >= old_at) && now.since(old_at) >= SILENCE;
                (!moved).then_some((old_at, sender))
            })
            .collect();
        behind.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Some(Self { all: seen.len(), behind: behind.into_iter().map(|(_, sender)| sender).collect() })
    }

    fn words(&self) -> String {
        format!("{} of {} moved", self.all - self.behind.len(), counted(self.all as u64, "sender", "senders"))
    }
}
