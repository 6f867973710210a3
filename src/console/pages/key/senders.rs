//! Who uses a key: in short on its first tab, one by one on a tab of their own.

use axum::extract::Path;
use maud::{Markup, html};
use serde::Deserialize;

use super::{At, Subject};
use crate::admin::keys::KeyView;
use crate::admin::senders::SenderView;
use crate::console::api::Query;
use crate::console::guard::Fault;
use crate::console::parts::chip::{Tone, chip};
use crate::console::parts::empty::empty;
use crate::console::parts::icon::Icon;
use crate::console::parts::note::{Severity, note};
use crate::console::parts::number::{counted, number};
use crate::console::parts::time::relative;
use crate::console::visit::{UrlQuery, Visit};

/// The most rows on the first tab.
const MAX_SHORT: usize = 8;

/// Which of them are wanted.
#[derive(Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    secret: Option<u32>,
}

/// `GET /keys/{id}/senders`
pub(super) async fn page(
    visit: Visit,
    Path(id): Path<String>,
    UrlQuery(wanted): UrlQuery<Wanted>,
) -> Result<Markup, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    let content = table(&visit, &subject, wanted.secret, At::Senders);
    subject.page(&visit, At::Senders, &content).await
}

/// The panel of the first tab.
pub(super) fn panel(visit: &Visit, subject: &Subject, secret: Option<u32>) -> Markup {
    table(visit, subject, secret, At::Overview)
}

/// Senders with the same service, SDK and secret. On the tab of its own each is one.
struct Group<'a> {
    /// The one that was seen last.
    last: &'a SenderView,
    hosts: usize,
    addresses: usize,
    exports: u64,
    refused: u64,
}

fn table(visit: &Visit, subject: &Subject, secret: Option<u32>, at: At) -> Markup {
    let Some(senders) = &subject.senders else { return html! {} };
    let wanted: Vec<_> =
        senders.data.iter().filter(|one| secret.is_none_or(|version| version == one.secret_version)).collect();
    let in_short = at == At::Overview;
    let groups = if in_short { groups(&wanted) } else { wanted.iter().map(|one| group(one)).collect() };
    let shown = if in_short { MAX_SHORT } else { groups.len() };
    html! {
        section.panel.table-panel #senders data-fresh="10" {
            div.panel-head {
                h2 { "Senders" }
                span.meta { (wanted.len()) }
                (by_secret(visit, subject, secret, at))
            }
            @if groups.is_empty() { (nobody(visit, subject)) } @else {
                div.scroll tabindex="0" role="region" aria-label="Senders" {
                    table.senders {
                        thead { tr {
                            th scope="col" { "Service, host" }
                            th.if-room scope="col" { "SDK" }
                            th.if-room scope="col" { "Address" }
                            th scope="col" { "Secret" }
                            th.end scope="col" { "Exports" }
                            @if !in_short { th.end scope="col" { "Refused" } th.if-room scope="col" { "First seen" } }
                            th.end.if-room scope="col" { "Last seen" }
                        } }
                        tbody { @for one in groups.iter().take(shown) { (row(visit, &subject.key, one, in_short)) } }
                    }
                }
            }
            @if groups.len() > shown {
                div.panel-foot { a href=(visit.frame.href(&subject.path(At::Senders))) { "All " (groups.len()) } }
            }
            @if senders.others.senders > 0 && !in_short {
                div.panel-body {
                    (note(Severity::Info, &html! {
                        (counted(senders.others.senders, "more sender", "more senders"))
                        " had no room here, with " (counted(senders.others.exports, "export", "exports")) "."
                    }))
                }
            }
        }
    }
}

fn row(visit: &Visit, key: &KeyView, group: &Group<'_>, in_short: bool) -> Markup {
    let one = group.last;
    let name = one.service.as_deref().or(one.user_agent.as_deref()).unwrap_or("Unknown service");
    html! {
        tr.two {
            th scope="row" {
                span.name { (name) }
                span.meta {
                    @if let Some(host) = &one.host { code { (host) } } @else { "no host named" }
                    @if group.hosts > 1 { " and " (counted(group.hosts as u64 - 1, "more host", "more hosts")) }
                }
            }
            td.if-room { (one.sdk.as_deref().or(one.user_agent.as_deref()).unwrap_or("–")) }
            td.if-room { @if group.addresses > 1 { (group.addresses) " addresses" } @else { code { (one.address) } } }
            td { (secret_chip(key, one.secret_version)) }
            td.end { (number(group.exports)) }
            @if !in_short {
                td.end { (number(group.refused)) }
                td.if-room { (relative(&one.first_seen_at, visit.now)) }
            }
            td.end.if-room { (relative(&one.last_seen_at, visit.now)) }
        }
    }
}

/// The version of a secret: plain if it is the current one.
fn secret_chip(key: &KeyView, version: u32) -> Markup {
    let state = key.secrets.iter().find(|secret| secret.version == version).map_or("retired", |secret| &secret.state);
    match state {
        "current" => html! { "v" (version) },
        "retiring" => chip(Tone::Amber, Icon::Warning, &format!("v{version} old")),
        _ => chip(Tone::Grey, Icon::Inactive, &format!("v{version} retired")),
    }
}

/// Links to the senders of each secret, where there are several.
fn by_secret(visit: &Visit, subject: &Subject, chosen: Option<u32>, at: At) -> Markup {
    let senders = subject.senders.as_ref().map(|senders| senders.data.as_slice()).unwrap_or_default();
    let mut versions: Vec<u32> = senders.iter().map(|one| one.secret_version).collect();
    versions.sort_unstable_by(|one, other| other.cmp(one));
    versions.dedup();
    let path = visit.frame.href(&subject.path(at));
    let href = |secret: Option<u32>| format!("{path}{}#senders", Query::default().with("secret", secret).as_str());
    let count = |version: u32| senders.iter().filter(|one| one.secret_version == version).count();
    html! {
        @if versions.len() > 1 || chosen.is_some() {
            nav.choice.push aria-label="Secret" data-arrows {
                a href=(href(None)) aria-current=[chosen.is_none().then_some("true")] { "All" }
                @for version in versions {
                    a href=(href(Some(version))) aria-current=[(chosen == Some(version)).then_some("true")] {
                        "v" (version) " " span.count { (count(version)) }
                    }
                }
            }
        }
    }
}

fn nobody(visit: &Visit, subject: &Subject) -> Markup {
    let is_sent_with = subject.senders.as_ref().is_some_and(|senders| !senders.data.is_empty());
    if is_sent_with {
        return html! { p.panel-body { "Nobody sends with this secret." } };
    }
    let action = html! {
        @if subject.key.status == "active" {
            a.button data-dialog href=(visit.frame.href(&format!("/keys/{}/snippets", subject.key.id))) { "See snippets" }
        }
    };
    empty("Nobody has sent with this key", "Services, hosts and SDKs are listed here as soon as they send.", &action)
}

fn group(one: &SenderView) -> Group<'_> {
    Group { last: one, hosts: 1, addresses: 1, exports: one.exports, refused: one.refused }
}

/// Those of a service in one row, in the order in which they were seen last.
fn groups<'a>(senders: &[&'a SenderView]) -> Vec<Group<'a>> {
    let same = |one: &SenderView, other: &SenderView| {
        one.service == other.service
            && one.secret_version == other.secret_version
            && one.sdk == other.sdk
            && (one.service.is_some() || one.user_agent == other.user_agent)
    };
    let distinct = |members: &[&SenderView], of: fn(&SenderView) -> Option<&str>| {
        let mut all: Vec<_> = members.iter().filter_map(|one| of(one)).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    let mut rest: Vec<&SenderView> = senders.to_vec();
    let mut groups = Vec::new();
    while let Some(&first) = rest.first() {
        let (members, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|one| same(first, one));
        rest = others;
        groups.push(Group {
            last: first,
            hosts: distinct(&members, |one| one.host.as_deref()),
            addresses: distinct(&members, |one| Some(&one.address)),
            exports: members.iter().map(|one| one.exports).sum(),
            refused: members.iter().map(|one| one.refused).sum(),
        });
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(service: Option<&str>, host: &str, secret_version: u32, exports: u64) -> SenderView {
        SenderView {
            key: "key_7Hq2mZxK9wPa".to_owned(),
            key_name: "checkout".to_owned(),
            project: "shop".to_owned(),
            secret_version,
            service: service.map(str::to_owned),
            host: Some(host.to_owned()),
            sdk: Some("java 1.49.0".to_owned()),
            user_agent: None,
            address: "10.4.18.7".to_owned(),
            first_seen_at: "2026-11-20T10:00:00.000000Z".to_owned(),
            last_seen_at: "2026-11-20T10:15:00.000000Z".to_owned(),
            last_accepted_at: None,
            exports,
            refused: 1,
            shared: false,
        }
    }

    #[test]
    fn hosts_of_a_service_are_one_row_for_each_secret() {
        let all = [
            sender(Some("checkout"), "a", 2, 5),
            sender(Some("cart"), "b", 2, 7),
            sender(Some("checkout"), "c", 2, 1),
            sender(Some("checkout"), "a", 1, 3),
        ];
        let all: Vec<_> = all.iter().collect();
        let found: Vec<_> = groups(&all)
            .iter()
            .map(|group| {
                let service = group.last.service.as_deref().unwrap_or_default();
                (service, group.last.secret_version, group.hosts, group.addresses, group.exports, group.refused)
            })
            .collect();
        assert_eq!(found, [("checkout", 2, 2, 1, 6, 2), ("cart", 2, 1, 1, 7, 1), ("checkout", 1, 1, 1, 3, 1)]);
    }
}
