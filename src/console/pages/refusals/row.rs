//! One reason: how often, who, and what to do.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::words::{self, Way, Words};
use super::{Found, Wanted, tokens};
use crate::admin::refusals::RefusalView;
use crate::admin::requests::RequestView;
use crate::console::parts::chart::sparkline;
use crate::console::parts::chip;
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::note::{Severity, mark};
use crate::console::parts::number::{counted, number};
use crate::console::parts::time::{day, relative};
use crate::console::visit::Visit;
use crate::domain::trouble::Cause;
use crate::domain::{Reason, Timestamp, TokenError};

/// A reason with everything that is known of it.
pub(super) struct Row<'a> {
    pub(super) reason: Reason,
    /// Its exports in the range.
    pub(super) exports: u64,
    /// Who was refused for it, the latest first.
    pub(super) groups: Vec<&'a RefusalView>,
    words: Words,
    /// Refused exports over time; empty where only who sent them is known.
    columns: Vec<(u64, u64)>,
    is_open: bool,
    visit: &'a Visit,
    wanted: &'a Wanted,
    found: &'a Found,
}

/// Senders that a row names.
const NAMED: usize = 8;
/// Columns of a row's chart.
const COLUMNS: usize = 24;
/// Rows that are open at first.
const OPEN: usize = 2;

/// What was refused, the gravest first, and then what happened most often.
pub(super) fn rows<'a>(visit: &'a Visit, wanted: &'a Wanted, found: &'a Found) -> Vec<Row<'a>> {
    let mut groups: BTreeMap<Reason, Vec<&RefusalView>> = BTreeMap::new();
    for group in &found.groups {
        if let Ok(Cause::Refused(reason)) = group.reason.parse() {
            groups.entry(reason).or_default().push(group);
        }
    }
    let mut rows: Vec<_> = Reason::ALL
        .iter()
        .filter(|reason| wanted.has_outcome(**reason))
        .filter_map(|&reason| {
            let groups = groups.remove(&reason).unwrap_or_default();
            let columns = if wanted.is_searched() { Vec::new() } else { columns(found, reason) };
            let exports = exports(found, wanted, reason, &groups);
            let row = Row {
                reason,
                exports,
                words: said(reason, &groups),
                columns,
                groups,
                is_open: false,
                visit,
                wanted,
                found,
            };
            (exports > 0).then_some(row)
        })
        .collect();
    rows.sort_by_key(|row| (row.words.severity, std::cmp::Reverse(row.exports)));
    let is_alone = rows.len() == 1;
    for row in rows.iter_mut().take(OPEN) {
        row.is_open = is_alone || row.words.severity == Severity::Danger;
    }
    rows
}

/// The words for a reason: those of one way to get a token wrong, where all senders got it wrong in this one.
fn said(reason: Reason, groups: &[&RefusalView]) -> Words {
    let cause = Cause::Refused(reason);
    let mut each = groups.iter().map(|group| tokens::of_detail(cause, group.detail.as_deref()));
    let Some(first) = each.next() else { return words::of(cause) };
    if each.all(|words| words.title == first.title) { first } else { words::of(cause) }
}

/// How many exports were refused for `reason` in the range. Usage counts all of them, and knows of no search. What claims a key of a
/// project without proving it is none of the project's usage.
fn exports(found: &Found, wanted: &Wanted, reason: Reason, groups: &[&RefusalView]) -> u64 {
    let sum = |groups: &mut dyn Iterator<Item = &&RefusalView>| groups.map(|group| group.count).sum::<u64>();
    if wanted.is_searched() {
        return sum(&mut groups.iter());
    }
    let narrowed = wanted.is_narrowed();
    let counted: u64 = found.usage.iter().filter_map(|row| row.refused_by.get(reason.as_str())).sum();
    let began_before = |group: &RefusalView| group.first_seen.parse::<Timestamp>().is_ok_and(|at| at < found.from);
    let is_counted = |group: &RefusalView| !narrowed || group.key.is_some();
    // Usage is written down a little later than the groups are.
    let inside = sum(&mut groups.iter().filter(|group| is_counted(group) && !began_before(group)));
    // A group counts the exports of all its signals together.
    let inside = if wanted.is_of_signal() { 0 } else { inside };
    let claimed = sum(&mut groups.iter().filter(|group| !is_counted(group)));
    let least = u64::from(!groups.is_empty());
    (counted.max(inside) + claimed).max(least)
}

/// How many were refused for `reason` in each of equal parts of the range.
fn columns(found: &Found, reason: Reason) -> Vec<(u64, u64)> {
    let mut columns = vec![(0, 0); COLUMNS];
    let length = found.to.since(found.from).as_micros().max(1);
    for row in &found.usage {
        let Ok(at) = row.at.parse::<Timestamp>() else { continue };
        let part = at.since(found.from).as_micros() * COLUMNS as u128 / length;
        let column = usize::try_from(part).unwrap_or(usize::MAX).min(COLUMNS - 1);
        columns[column].1 += row.refused_by.get(reason.as_str()).copied().unwrap_or_default();
    }
    columns
}

impl Row<'_> {
    /// The row, and below it what it says when it is open.
    pub(super) fn draw(&self) -> Markup {
        let now = self.visit.now;
        let last = self.groups.iter().map(|group| group.last_seen.as_str()).max();
        let name = format!("{} refused exports over time", self.exports);
        html! {
            details.reason open[self.is_open] {
                summary {
                    span.chevron { (icon(Icon::Right)) }
                    (mark(self.words.severity))
                    span.reason-what {
                        h2 { (self.words.title) }
                        span.meta { (self.who_in_short()) }
                    }
                    span.reason-code { code.codeword { (self.reason.as_str()) } span.meta { "HTTP " (self.reason.http_status()) } }
                    span.reason-outcome { (chip::refused(self.reason.retry_after().is_some())) }
                    span.reason-spark { @if !self.columns.is_empty() { (sparkline(&self.columns, &name)) } }
                    span.end.reason-count { (number(self.exports)) span.visually-hidden { " exports" } }
                    span.reason-seen.end.meta { @if let Some(last) = last { (relative(last, now)) } }
                }
                div.reason-body {
                    section.reason-who {
                        h3 { "Who" }
                        @if self.groups.is_empty() {
                            p { "Nobody is named: these senders found no room, or are not written down yet." }
                        } @else {
                            (self.senders())
                        }
                        p { (self.words.meaning) " " (words::outcome(self.reason)) }
                    }
                    section.reason-fix {
                        h3 { "Fix" }
                        (self.got_and_needs())
                        p { (prose(self.words.fix)) }
                        (self.ways())
                    }
                }
            }
        }
    }

    /// `2 addresses, likely invoice-worker, key payment-gateway`.
    fn who_in_short(&self) -> String {
        let addresses: BTreeSet<_> = self.groups.iter().filter_map(|group| group.address.as_deref()).collect();
        let services: BTreeSet<_> = self.groups.iter().filter_map(|group| group.service.as_deref()).collect();
        let likely: BTreeSet<_> = self.groups.iter().filter_map(|group| group.likely_service.as_deref()).collect();
        let keys: BTreeSet<_> = self.groups.iter().filter_map(|group| group.key_name.as_deref()).collect();
        let mut parts = Vec::new();
        if services.is_empty() && !addresses.is_empty() {
            parts.push(counted(addresses.len() as u64, "address", "addresses"));
        }
        let named = |names: &BTreeSet<&str>| match names.first() {
            Some(first) if names.len() == 1 => (*first).to_owned(),
            Some(first) => format!("{first} and {} more", names.len() - 1),
            None => String::new(),
        };
        if !services.is_empty() {
            parts.push(named(&services));
        } else if !likely.is_empty() {
            parts.push(format!("likely {}", named(&likely)));
        }
        match keys.len() {
            0 => {}
            1 => parts.push(format!("key {}", named(&keys))),
            several => parts.push(counted(several as u64, "key", "keys")),
        }
        parts.join(", ")
    }

    fn senders(&self) -> Markup {
        let reason = Some(self.reason.as_str());
        html! {
            div.scroll.why-inset tabindex="0" role="region" aria-label={ "Who: " (self.words.title) } {
                table.who-table {
                    thead { tr {
                        th scope="col" { "Sender" }
                        th.likely scope="col" { "Likely service" }
                        th scope="col" { "Key" }
                        th.end scope="col" { "Exports" }
                        th.end.first-seen scope="col" { "First seen" }
                    } }
                    tbody { @for group in self.groups.iter().take(NAMED) { (self.sender(group)) } }
                }
            }
            @if self.groups.len() > NAMED && !self.wanted.is_searched() {
                p { a href={ (self.visit.frame.href("/refusals")) (self.wanted.link(self.wanted.range(), reason).as_str()) } {
                    "Show all " (self.groups.len()) " senders"
                } }
            } @else if self.groups.len() > NAMED {
                p { (self.groups.len() - NAMED) " more, seen longer ago." }
            }
        }
    }

    fn sender(&self, group: &RefusalView) -> Markup {
        let transports = group.transports.iter().map(|one| if one == "grpc" { "gRPC" } else { "HTTP" });
        let transports: Vec<_> = transports.collect();
        html! {
            tr.two {
                td {
                    @match &group.address {
                        Some(address) => code { (address) },
                        None => span { "Many senders" },
                    }
                    span.meta.agent { (group.user_agent.as_deref().unwrap_or("No user agent")) ", " (transports.join(" and ")) }
                }
                td.likely {
                    @match (&group.service, &group.likely_service) {
                        (Some(service), _) => (service),
                        (None, Some(likely)) => { (likely) span.meta { "seen here before" } },
                        (None, None) => span.meta { "Never seen before" },
                    }
                }
                td { (self.key(group)) }
                td.end { (number(group.count)) }
                td.end.first-seen { (relative(&group.first_seen, self.visit.now)) }
            }
        }
    }

    fn key(&self, group: &RefusalView) -> Markup {
        let id = group.key.as_deref().or(group.claimed_key.as_deref());
        html! {
            @match (id, &group.key_name) {
                (Some(id), Some(name)) => a href=(self.visit.frame.href(&format!("/keys/{id}"))) { (name) },
                (Some(id), None) => code { (id) },
                (None, _) => span.meta { "None" },
            }
            @if group.claimed_key.is_some() { span.meta { "claimed, not proved" } }
            @else if let Some(version) = self.version(group) { span.meta { "secret v" (version) } }
        }
    }

    /// The version of the secret that the group sends with, as its latest export tells.
    fn version(&self, group: &RefusalView) -> Option<u32> {
        if self.reason != Reason::SecretRetired {
            return None;
        }
        let of_group = |one: &&RequestView| {
            one.key == group.key && Some(&one.address) == group.address.as_ref() && one.user_agent == group.user_agent
        };
        self.found.retired.iter().find(of_group).and_then(|one| one.secret_version)
    }

    fn got_and_needs(&self) -> Markup {
        let first = self.groups.first();
        let detail = first.and_then(|group| group.detail.as_deref());
        let (mut got, mut needs) = (self.words.got.to_owned(), self.words.needs.to_owned());
        match (self.reason, first) {
            (Reason::KeyMalformed, Some(group)) => {
                if let Some(key) = &group.claimed_key {
                    if self.words.title == tokens::of_token(&TokenError::KeyId).title {
                        got = format!("api-key: {key}");
                    }
                    needs = format!("api-key: {}", self.token_of(group, key));
                }
            }
            (Reason::SecretRetired, Some(group)) => {
                if let Some(version) = self.version(group) {
                    got = format!("secret v{version}{}", self.retirement(version));
                }
                if let Some(key) = &self.found.rotated
                    && let Some(newest) = key.secrets.iter().find(|secret| secret.state == "current")
                {
                    needs = format!("secret v{}, current since {}", newest.version, day(&newest.created_at));
                }
            }
            (
                Reason::EnvironmentMismatch
                | Reason::IpNotAllowed
                | Reason::PermissionDenied
                | Reason::RateLimited
                | Reason::QuotaExhausted
                | Reason::ProjectSuspended
                | Reason::PathUnknown
                | Reason::WrongPort
                | Reason::ContentTypeUnsupported
                | Reason::CompressionUnsupported
                | Reason::BodyTooLarge
                | Reason::TooManyItems,
                _,
            ) => got = detail.map_or(got, str::to_owned),
            _ => {}
        }
        html! {
            dl.got {
                div { dt { "Got" } dd.got-it { (got) } }
                div { dt { "Needs" } dd.needs-it { (needs) } }
            }
        }
    }

    /// What a token of the key begins with; what follows is secret.
    fn token_of(&self, group: &RefusalView, key: &str) -> String {
        let bare = key.trim_start_matches("key_");
        let environment = self.visit.environments.iter().find(|one| Some(&one.slug) == group.environment.as_ref());
        environment.map_or_else(|| format!("ggi_…_{bare}_•••"), |one| format!("ggi_{}_{bare}_•••", one.code))
    }

    fn retirement(&self, version: u32) -> String {
        let secrets = self.found.rotated.as_ref().map(|key| key.secrets.as_slice()).unwrap_or_default();
        let secret = secrets.iter().find(|secret| secret.version == version);
        let retired = secret.and_then(|secret| secret.retires_at.as_deref());
        retired.map(|at| format!(", retired {}", day(at))).unwrap_or_default()
    }

    /// The buttons: only those of what there is, and of what the visitor may do.
    fn ways(&self) -> Markup {
        let group = self.groups.iter().find(|group| group.key_name.is_some()).or(self.groups.first());
        let key = group.filter(|group| group.key_name.is_some());
        let id = key.and_then(|group| group.key.as_deref().or(group.claimed_key.as_deref()));
        let name = key.and_then(|group| group.key_name.as_deref()).unwrap_or_default();
        let project = group.and_then(|group| group.project.as_deref());
        let of_key = |verb: &str| id.map(|id| self.visit.frame.href(&format!("/keys/{id}{verb}")));
        let may = |permission: &str| self.visit.may(permission);
        let drawn: Vec<_> = self
            .words
            .ways
            .iter()
            .filter_map(|way| {
                let (allowed, href, text, dialog) = match way {
                    Way::Snippets => (may("api.key.view"), of_key("/snippets"), "Show snippets".to_owned(), true),
                    Way::Regenerate => (
                        may("api.key.update") && may("api.key.create"),
                        of_key("/regenerate"),
                        "Regenerate secret…".to_owned(),
                        true,
                    ),
                    Way::Key => (may("api.key.view"), of_key(""), format!("Open {name}"), false),
                    Way::Enable => (may("api.key.update"), of_key("/enable"), "Enable…".to_owned(), true),
                    Way::Renew => (may("api.key.update"), of_key("/renew"), "Renew…".to_owned(), true),
                    Way::Settings => (may("api.key.update"), of_key("/settings"), "Key settings".to_owned(), false),
                    Way::NewKey => {
                        (may("api.key.create"), Some(self.visit.frame.here("/keys/new")), "Create key".to_owned(), true)
                    }
                    Way::Limits => {
                        (may("quota.view"), Some(self.visit.frame.here("/limits")), "Open limits".to_owned(), false)
                    }
                    Way::Project => {
                        let href = project.map(|project| self.visit.frame.href(&format!("/projects/{project}")));
                        (may("project.view"), href, "Open project".to_owned(), false)
                    }
                    Way::Check => (
                        may("api.key.view"),
                        Some(self.visit.frame.here("/refusals/check")),
                        "Check a key…".to_owned(),
                        true,
                    ),
                    Way::Jobs => (
                        may("usage.view") && self.visit.me.project.is_none(),
                        Some(self.visit.frame.href("/settings/jobs")),
                        "Background jobs".to_owned(),
                        false,
                    ),
                };
                href.filter(|_| allowed).map(|href| html! { a.button.small href=(href) data-dialog[dialog] { (text) } })
            })
            .collect();
        html! {
            @if !drawn.is_empty() { div.actions { @for way in drawn { (way) } } }
        }
    }
}

/// `text` with variables, fields and paths in it as code.
pub(super) fn prose(text: &str) -> Markup {
    html! {
        @for word in text.split_inclusive(' ') {
            @let bare = word.trim_end_matches([' ', '.', ',', ':', ';']);
            @if bare.contains(['_', '=']) || bare.starts_with('/') { code { (bare) } (word.get(bare.len()..).unwrap_or_default()) }
            @else { (word) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_stand_out_of_prose() {
        let text = "Set OTEL_EXPORTER_OTLP_HEADERS=api-key=<token>, or ask /healthz. Done.";
        let drawn =
            "Set <code>OTEL_EXPORTER_OTLP_HEADERS=api-key=&lt;token&gt;</code>, or ask <code>/healthz</code>. Done.";
        assert_eq!(prose(text).into_string(), drawn);
    }
}
