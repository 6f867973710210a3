//! The cells of a key's row.

use maud::{Markup, html};

use super::rows::Day;
use crate::admin::keys::{KeyView, RotationView};
use crate::admin::terms::LimitView;
use crate::console::parts::chart::sparkline;
use crate::console::parts::chip;
use crate::console::parts::copy::copy_button;
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::number::{bytes, counted, grouped, number, short};
use crate::console::parts::time::{date, relative};
use crate::console::visit::Visit;
use crate::domain::Timestamp;
use crate::domain::hygiene::Flag;

/// The name, which leads to the key, above its id.
pub(super) fn name(visit: &Visit, key: &KeyView) -> Markup {
    html! {
        a.name href=(visit.frame.href(&format!("/keys/{}", key.id))) { (key.name) }
        span.key-id { code { (key.id) } (copy_button(&key.id, &format!("the id of {}", key.name))) }
    }
}

/// What it is bound to.
pub(super) fn tenant(visit: &Visit, key: &KeyView) -> Markup {
    match (&key.project, &key.grid, &key.environment) {
        (Some(project), Some(grid), Some(environment)) => visit.tenant(project, grid, environment),
        (project, ..) => html! {
            span.tenant { (project.as_deref().unwrap_or("Whole installation")) }
            span.meta { "Admin key" }
        },
    }
}

/// What it may do.
pub(super) fn role(key: &KeyView) -> Markup {
    html! {
        (key.role.as_deref().unwrap_or("Own permissions"))
        span.meta { (what(key)) }
    }
}

fn what(key: &KeyView) -> String {
    const SIGNALS: [&str; 4] = ["traces", "metrics", "logs", "profiles"];
    if key.kind == "admin" {
        return "Admin API".to_owned();
    }
    let holds = |signal: &&str| key.permissions.contains(&format!("telemetry.{signal}.write"));
    let held: Vec<&str> = SIGNALS.into_iter().filter(|signal| holds(signal)).collect();
    if held.len() == SIGNALS.len() {
        return "All signals".to_owned();
    }
    let text = held.join(", ");
    let mut letters = text.chars();
    letters.next().map_or_else(|| "No signal".to_owned(), |first| first.to_uppercase().chain(letters).collect())
}

/// What it is limited to: by itself, or else by `plan`.
pub(super) fn limit(key: &KeyView, plan: &[LimitView]) -> Markup {
    if key.kind == "admin" {
        return html! { span.meta { "No limit" } };
    }
    let (limits, source) = if key.limits.is_empty() { (plan, "by plan") } else { (&*key.limits, "") };
    let rate = limits.iter().find(|limit| limit.per == "second" && limit.signal.is_none());
    let Some(first) = rate.or(limits.first()) else { return html! { span.meta { "No key limit" } } };
    let more = limits.len() - 1;
    html! {
        span title=(first.to_string()) { (amount(first)) }
        span.meta {
            (first.unit)
            @if let Some(signal) = &first.signal { " of " (signal) }
            @if more > 0 { ", " (more) " more" }
            @if !source.is_empty() { ", " (source) }
        }
    }
}

/// `2,000/s`, `20 GiB/month`.
fn amount(limit: &LimitView) -> String {
    let amount = if limit.unit == "bytes" { bytes(limit.amount) } else { short(limit.amount) };
    let per = if limit.per == "second" { "s" } else { &limit.per };
    format!("{amount}/{per}")
}

/// Its status, with what is out of the ordinary below.
pub(super) fn status(key: &KeyView, now: Timestamp) -> Markup {
    html! {
        (chip::status(&key.status, true))
        @if let Some(rotation) = &key.rotation {
            @if key.status == "active" { span.badge.accent {
                    (icon(Icon::Rotating)) "Rotating"
                    @if is_old_in_use(rotation, now) { span.more { ", old in use" } }
                } }
        }
        @if let Some((class, words)) = attention(&key.attention) {
            span.badge.(class) { (icon(if class == "red" { Icon::Danger } else { Icon::Warning })) (words) }
        }
    }
}

/// How long after its last use the old secret of a rotation counts as in use.
const IN_USE_MICROS: i64 = 5 * 60 * 1_000_000;

fn is_old_in_use(rotation: &RotationView, now: Timestamp) -> bool {
    let used = rotation.old_last_used_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
    used.is_some_and(|at| now.micros().saturating_sub(at.micros()) < IN_USE_MICROS)
}

/// The gravest flag that no other cell tells of.
fn attention(flags: &[String]) -> Option<(&'static str, &'static str)> {
    const WORDS: [(&str, &str, &str); 5] = [
        ("exposed", "red", "Found in public"),
        ("rotation_due", "amber", "Rotation due"),
        ("weak", "amber", "Weak secret"),
        ("unused_90", "plain", "Unused 90 d"),
        ("unused_45", "plain", "Unused 45 d"),
    ];
    let found = WORDS.iter().find(|(flag, ..)| flags.iter().any(|one| one == flag));
    found.map(|&(_, class, words)| (class, words))
}

/// What came in during the last 24 hours.
pub(super) fn day(day: Option<&Day>) -> Markup {
    let Some(day) = day else { return html! { span.meta { "–" } } };
    let sum = |of: fn(&(u64, u64)) -> u64| day.iter().map(of).sum::<u64>();
    let (accepted, refused) = (sum(|hour| hour.0), sum(|hour| hour.1));
    let summary = format!("{} accepted and {} refused in 24 hours", grouped(accepted), grouped(refused));
    html! {
        div.day {
            (sparkline(day, &summary))
            div {
                (number(accepted))
                @if refused > 0 {
                    span.meta .refused[is_much(accepted, refused)] title=(grouped(refused)) { (short(refused)) " refused" }
                }
            }
        }
    }
}

/// One of a hundred, or more.
const fn is_much(accepted: u64, refused: u64) -> bool {
    refused.saturating_mul(100) >= accepted.saturating_add(refused)
}

/// When it was last used, and from where. `day` is what came in today.
pub(super) fn used(visit: &Visit, key: &KeyView, day: Option<&Day>) -> Markup {
    let is_refused = day.is_some_and(|day| day.iter().any(|(_, refused)| *refused > 0));
    html! {
        @if let Some(at) = &key.last_used_at {
            span.card-word { "Used " }
            (relative(at, visit.now))
        } @else {
            span .refused[is_refused] .zero[!is_refused] { "Never used" }
        }
        @if key.id == visit.me.id {
            span.meta { "this session" }
        } @else if let Some(address) = &key.last_used_address {
            span.meta title=[key.last_used_user_agent.as_deref()] { (address) }
        } @else if key.last_used_at.is_none() {
            span.meta { "created " (relative(&key.created_at, visit.now)) }
        }
    }
}

/// When it expires.
pub(super) fn expires(key: &KeyView, now: Timestamp) -> Markup {
    let Some(at) = &key.expires_at else {
        return html! { span.zero { span.card-word { "Never expires" } span.table-word { "Never" } } };
    };
    let ends = at.parse::<Timestamp>();
    let is_over = ends.is_ok_and(|ends| ends <= now);
    let is_near = !is_over && ends.is_ok_and(|ends| ends <= now.after(Flag::ExpiringSoon.span()));
    html! {
        span.card-word { @if is_over { "Expired " } @else { "Expires " } }
        span .near[is_near] .zero[is_over] { (relative(at, now)) }
        span.meta { (date(at)) }
    }
}

/// How many keys there are, in words.
pub(super) fn keys(number: usize) -> String {
    counted(number as u64, "key", "keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(unit: &str, per: &str, amount: u64) -> LimitView {
        let (unit, per) = (unit.to_owned(), per.to_owned());
        LimitView { unit, per, amount, burst: None, signal: None, mode: "enforce".to_owned() }
    }

    #[test]
    fn limits_are_short() {
        for (one, text) in [
            (limit("requests", "second", 2_000), "2,000/s"),
            (limit("items", "day", 10_000_000), "10 M/day"),
            (limit("bytes", "month", 20 << 30), "20 GiB/month"),
        ] {
            assert_eq!(amount(&one), text);
        }
    }

    #[test]
    fn the_gravest_flag_is_told() {
        let flags = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(attention(&flags(&["unused_45", "unused_90", "rotation_due"])), Some(("amber", "Rotation due")));
        assert_eq!(attention(&flags(&["unused_45", "unused_90"])), Some(("plain", "Unused 90 d")));
        assert_eq!(attention(&flags(&["rotation_due", "exposed"])), Some(("red", "Found in public")));
        assert_eq!(attention(&flags(&["expiring", "never_used"])), None);
    }

    #[test]
    fn one_refused_of_a_hundred_is_much() {
        assert!(is_much(99, 1) && is_much(0, 1));
        assert!(!is_much(100, 1));
    }
}
