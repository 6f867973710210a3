//! What needs somebody's attention, worst first: each with one way to go on.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use tokio::try_join;

use crate::admin::alerts::AlertView;
use crate::admin::jobs::{JobView, JobsView};
use crate::admin::keys::KeyView;
use crate::admin::keys::counts::KeyCountOf;
use crate::admin::page::PageView;
use crate::admin::refusals::RefusalView;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::layout::Frame;
use crate::console::pages::refusals::title;
use crate::console::parts::note::{Severity, mark};
use crate::console::parts::number::{counted, grouped};
use crate::console::parts::time::{apart, exact, span};
use crate::console::visit::Visit;
use crate::domain::Timestamp;

/// Something that needs attention.
struct Matter {
    severity: Severity,
    title: String,
    text: String,
    /// Project, grid and environment, as far as they are known.
    tenant: Vec<String>,
    since: Option<String>,
    /// What can be done, and where.
    action: (&'static str, String),
}

/// What is looked back at.
const DAY: std::time::Duration = std::time::Duration::from_hours(24);

/// Whoever was seen in this time still sends.
const STILL: std::time::Duration = std::time::Duration::from_mins(10);

/// Groups of refusals and alerts that are looked at.
const GROUPS: u32 = 200;

/// Keys with one flag that are named or counted.
const KEYS: u32 = 20;

/// Rotations whose senders are looked up.
const ROTATIONS: usize = 5;

/// Rows that are shown at first.
const ROWS: usize = 12;

/// The panel.
pub(super) async fn panel(visit: &Visit) -> Result<Markup, Fault> {
    let mut matters = matters(visit).await?;
    matters.sort_by_key(|matter| (matter.severity, Reverse(since(matter, visit.now))));
    let more = matters.len().saturating_sub(ROWS);
    Ok(html! {
        section.panel aria-labelledby="attention" {
            div.panel-head {
                h2 #attention { "Needs attention" }
                @if !matters.is_empty() { span.meta { (matters.len()) } }
            }
            @if matters.is_empty() {
                p.panel-body.calm { (mark(Severity::Fine)) "Nothing needs you" }
            }
            ul.matters {
                @for matter in matters.iter().take(ROWS) { (row(visit, matter)) }
            }
            @if more > 0 {
                details.more-matters {
                    summary { (counted_of(more)) " more" }
                    ul.matters {
                        @for matter in matters.iter().skip(ROWS) { (row(visit, matter)) }
                    }
                }
            }
        }
    })
}

fn row(visit: &Visit, matter: &Matter) -> Markup {
    html! {
        li {
            (mark(matter.severity))
            div.what { strong { (matter.title) } p { (matter.text) } }
            div.whose {
                @match &matter.tenant[..] {
                    [project, grid, environment] => { (visit.tenant(project, grid, environment)) }
                    names => { (names.join(" / ")) }
                }
            }
            div.since {
                @if let Some(at) = &matter.since {
                    time datetime=(at) title=(exact(at)) { (span(since(matter, visit.now))) }
                }
            }
            div.then { a href=(matter.action.1) { (matter.action.0) span.visually-hidden { ": " (matter.title) } } }
        }
    }
}

/// For how many seconds it has been so.
fn since(matter: &Matter, now: Timestamp) -> u64 {
    let at = matter.since.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
    at.map_or(0, |at| now.since(at).as_secs())
}

async fn matters(visit: &Visit) -> Result<Vec<Matter>, Fault> {
    let project = Some(&visit.frame.project);
    let from = visit.now.before(DAY).to_string();
    let refused = Query::default().with("project", project).with("from", Some(&from)).with("limit", Some(GROUPS));
    let alerts = Query::default().with("project", project).with("limit", Some(GROUPS));
    let flagged = |name: &'static str, value: &'static str| {
        let query = Query::default().with("project", project).with(name, Some(value)).with("limit", Some(KEYS));
        async move { Api::if_allowed(visit.api.list::<KeyView>("/keys", &query)).await }
    };
    let (jobs, refused, alerts) = try_join!(
        Api::if_allowed(visit.api.get::<JobsView>("/jobs")),
        Api::if_allowed(visit.api.list::<RefusalView>("/refusals", &refused)),
        Api::if_allowed(visit.api.list::<AlertView>("/alerts", &alerts)),
    )?;
    let (rotating, exposed, expiring, due, unused, never, weak) = try_join!(
        flagged("rotating", "true"),
        flagged("attention", "exposed"),
        flagged("attention", "expiring_soon"),
        flagged("attention", "rotation_due"),
        flagged("attention", "unused_45"),
        flagged("attention", "never_used"),
        flagged("attention", "weak"),
    )?;
    let frame = &visit.frame;
    let mut matters = Vec::new();
    matters.extend(jobs.into_iter().flat_map(|jobs| jobs.data).filter_map(|job| of_job(frame, job)));
    matters.extend(refused.map(|page| of_refusals(frame, &page.data)).unwrap_or_default());
    let alerts = alerts.map(|page| page.data).unwrap_or_default();
    matters.extend(alerts.iter().filter(|alert| alert.last_found_at > from).filter_map(|alert| of_alert(frame, alert)));
    for key in rotating.map(|page| page.data).unwrap_or_default().into_iter().take(ROTATIONS) {
        matters.extend(of_rotation(visit, &key).await?);
    }
    for key in exposed.map(|page| page.data).unwrap_or_default() {
        matters.push(Matter {
            severity: Severity::Danger,
            title: "Secret found in public".to_owned(),
            text: format!("The secret of {} is still good. Rotate or regenerate it.", key.name),
            tenant: of_key(&key),
            since: None,
            action: ("Open key", frame.href(&format!("/keys/{}", key.id))),
        });
    }
    let until = |key: &KeyView| {
        let at = key.expires_at.as_deref().and_then(|at| at.parse().ok());
        at.map_or_else(|| key.name.clone(), |at| format!("{} {}", key.name, apart(at, visit.now)))
    };
    let named = |key: &KeyView| key.name.clone();
    let flags = [
        (expiring, Severity::Warning, "expiring_soon", "expires within 7 days", "expire within 7 days"),
        (due, Severity::Warning, "rotation_due", "is due for rotation", "are due for rotation"),
        (unused, Severity::Info, "unused_45", "was not used for 45 days", "were not used for 45 days"),
        (never, Severity::Info, "never_used", "was never used", "were never used"),
        (weak, Severity::Info, "weak", "has a weak secret", "have weak secrets"),
    ];
    for (page, severity, flag, one, several) in flags {
        let Some(page) = page else { continue };
        let words: &dyn Fn(&KeyView) -> String = if flag == "expiring_soon" { &until } else { &named };
        matters.extend(of_keys(frame, &page, severity, flag, (one, several), words));
    }
    Ok(matters)
}

fn of_job(frame: &Frame, job: JobView) -> Option<Matter> {
    (job.state == "failing").then(|| Matter {
        severity: Severity::Danger,
        title: format!("{} fails", job.name),
        text: job.last_error.unwrap_or_else(|| "It went wrong the last time.".to_owned()),
        tenant: vec!["Whole installation".to_owned()],
        since: job.succeeded_at.or(job.failed_at),
        action: ("Show jobs", frame.href("/settings/jobs")),
    })
}

/// Refusals of one key, or of nobody, for one reason.
struct Turned<'r> {
    first: &'r RefusalView,
    count: u64,
    since: &'r str,
    addresses: BTreeSet<&'r str>,
    services: BTreeSet<&'r str>,
}

/// One matter for each key and reason; of exports that name no key, for each reason.
fn of_refusals(frame: &Frame, refused: &[RefusalView]) -> Vec<Matter> {
    let mut groups: BTreeMap<(&str, Option<&str>), Turned<'_>> = BTreeMap::new();
    for one in refused {
        let key = one.key.as_deref().or(one.claimed_key.as_deref());
        let turned = groups.entry((&one.reason, key)).or_insert_with(|| Turned {
            first: one,
            count: 0,
            since: &one.first_seen,
            addresses: BTreeSet::new(),
            services: BTreeSet::new(),
        });
        turned.count += one.count;
        turned.since = turned.since.min(&one.first_seen);
        turned.addresses.extend(one.address.as_deref());
        turned.services.extend(one.service.as_deref().or(one.likely_service.as_deref()));
    }
    groups.into_values().map(|turned| of_turned(frame, &turned)).collect()
}

fn of_turned(frame: &Frame, turned: &Turned<'_>) -> Matter {
    let Turned { first, count, .. } = turned;
    let key = first.key.as_deref().or(first.claimed_key.as_deref());
    let name = first.key_name.as_deref().or(key).unwrap_or("Somebody");
    let exports = counted(*count, "export", "exports");
    let from = senders(&turned.addresses, &turned.services);
    let fix =
        Query::default().with("project", Some(&frame.project)).with("reason", Some(&first.reason)).with("key", key);
    let fix = ("Show fix", format!("{}{}", frame.href("/refusals"), fix.as_str()));
    let who = key.map(|key| ("Show senders", frame.href(&format!("/keys/{key}/senders"))));
    let (severity, title, text, action) = match first.reason.as_str() {
        "key_revoked" => (
            Severity::Danger,
            "Revoked key still in use".to_owned(),
            format!("{name} was revoked, and is still sent {from}. {exports} refused."),
            who.unwrap_or(fix),
        ),
        "secret_retired" => (
            Severity::Danger,
            "Retired secret still in use".to_owned(),
            format!("A secret of {name} that a rotation took away is still sent {from}. {exports} refused."),
            who.unwrap_or(fix),
        ),
        "environment_drift" => (
            Severity::Warning,
            "Environment drift".to_owned(),
            format!(
                "{name}: {}.",
                first.detail.as_deref().unwrap_or("its exports name another environment than its own")
            ),
            ("Compare", fix.1),
        ),
        "rate_limited" | "quota_exhausted" => (
            Severity::Warning,
            title(&first.reason).to_owned(),
            format!("{name}: {exports} refused."),
            ("Review limit", frame.here("/limits")),
        ),
        _ if key.is_some() => (
            Severity::Danger,
            format!("{name}: exports refused"),
            format!("{}. {exports} {from}.", title(&first.reason)),
            fix,
        ),
        _ => (Severity::Warning, title(&first.reason).to_owned(), format!("{exports} refused, {from}."), fix),
    };
    let whose = [&first.project, &first.grid, &first.environment];
    Matter {
        severity,
        title,
        text,
        tenant: whose.into_iter().flatten().cloned().collect(),
        since: Some(turned.since.to_owned()),
        action,
    }
}

/// `from 10.4.51.9, likely otelcol-edge`.
fn senders(addresses: &BTreeSet<&str>, services: &BTreeSet<&str>) -> String {
    let mut text = match addresses.iter().next() {
        None => "from several addresses".to_owned(),
        Some(one) if addresses.len() == 1 => format!("from {one}"),
        Some(_) => format!("from {}", counted_of(addresses.len()) + " addresses"),
    };
    if let Some(service) = services.iter().next() {
        text.push_str(", likely ");
        text.push_str(service);
    }
    text
}

fn of_alert(frame: &Frame, alert: &AlertView) -> Option<Matter> {
    let quota = (alert.alert == "quota.warning").then(|| alert.data["percent"].as_u64().unwrap_or_default());
    let (severity, title) = match (alert.alert.as_str(), quota) {
        (_, Some(100..)) => (Severity::Warning, "Quota used up"),
        (_, Some(_)) => (Severity::Info, "Quota nearly used up"),
        ("authentication.failing", _) => (Severity::Danger, "Many exports fail to authenticate"),
        ("key.shared", _) => (Severity::Info, "One key, several services"),
        ("key.volume_jump", _) => (Severity::Warning, "Far more than usual"),
        // The others are seen in what was refused, or need nobody.
        _ => return None,
    };
    let action = match &alert.key {
        _ if quota.is_some() => ("Review limit", frame.here("/limits")),
        Some(key) => ("Show senders", frame.href(&format!("/keys/{key}/senders"))),
        None => ("Show refusals", frame.here("/refusals")),
    };
    Some(Matter {
        severity,
        title: title.to_owned(),
        text: format!("{}.", alert.summary),
        tenant: alert.project.iter().cloned().collect(),
        since: Some(alert.at.clone()),
        action,
    })
}

async fn of_rotation(visit: &Visit, key: &KeyView) -> Result<Option<Matter>, Fault> {
    // The list does not say who sends with the old secret.
    let key: KeyView = visit.api.get(&format!("/keys/{}", key.id)).await?;
    let Some(rotation) = &key.rotation else { return Ok(None) };
    let recently = visit.now.before(STILL).to_string();
    let behind = rotation.old_senders.iter().flatten().filter(|sender| sender.last_seen_at > recently);
    let names: BTreeSet<_> = behind.map(|one| one.service.as_deref().unwrap_or(&one.address)).collect();
    let used = rotation.old_last_used_at.as_ref().is_some_and(|at| *at > recently);
    let stops = rotation.until.parse().map(|until| apart(until, visit.now)).unwrap_or_default();
    let old = rotation.old_version;
    let (severity, title, text) = match names.iter().next() {
        Some(first) => {
            let others = names.len() - 1;
            let others = if others == 0 { String::new() } else { format!(" and {others} more") };
            let verb = if others.is_empty() { "sends" } else { "send" };
            (
                Severity::Warning,
                format!("Rotation waits for {}", counted(grouped_len(names.len()), "sender", "senders")),
                format!("{}: {first}{others} still {verb} with v{old}, which stops {stops}.", key.name),
            )
        }
        None if used => (
            Severity::Warning,
            "Rotation waits".to_owned(),
            format!("{}: somebody still sends with v{old}, which stops {stops}.", key.name),
        ),
        None => (
            Severity::Info,
            "Rotation can be completed".to_owned(),
            format!("{}: nobody sends with v{old} any more. It stops {stops}.", key.name),
        ),
    };
    let begun = key.secrets.iter().find(|secret| secret.version == rotation.new_version);
    Ok(Some(Matter {
        severity,
        title,
        text,
        tenant: of_key(&key),
        since: begun.map(|secret| secret.created_at.clone()),
        action: ("Open rotation", visit.frame.href(&format!("/keys/{}", key.id))),
    }))
}

fn of_keys(
    frame: &Frame,
    page: &PageView<KeyView>,
    severity: Severity,
    flag: &str,
    (one, several): (&str, &str),
    words: &dyn Fn(&KeyView) -> String,
) -> Option<Matter> {
    let first = page.data.first()?;
    let all = page.data.len();
    let alone = all == 1;
    let title = if alone {
        format!("1 key {one}")
    } else {
        format!("{all}{} keys {several}", if page.has_more { "+" } else { "" })
    };
    let mut names: Vec<_> = page.data.iter().take(3).map(words).collect();
    if all > names.len() {
        names.push("and others".to_owned());
    }
    let tenants: BTreeSet<_> = page.data.iter().map(of_key).collect();
    let tenant = if tenants.len() == 1 { of_key(first) } else { vec![counted_of(tenants.len()) + " tenants"] };
    // A flag without a view of its own is found among all that need attention.
    let view = KeyCountOf::ALL.into_iter().find(|view| view.as_str() == flag).unwrap_or(KeyCountOf::Attention);
    let list = Query::default().with("project", Some(&frame.project)).with("view", Some(view.as_str()));
    let action = if alone {
        ("Open key", frame.href(&format!("/keys/{}", first.id)))
    } else {
        ("Review keys", format!("{}{}", frame.href("/keys"), list.as_str()))
    };
    Some(Matter { severity, title, text: format!("{}.", names.join(", ")), tenant, since: None, action })
}

/// The tenant of a key, or what an admin key is for.
fn of_key(key: &KeyView) -> Vec<String> {
    let names: Vec<_> = [&key.project, &key.grid, &key.environment].into_iter().flatten().cloned().collect();
    if names.is_empty() { vec!["Whole installation".to_owned()] } else { names }
}

fn counted_of(number: usize) -> String {
    grouped(grouped_len(number))
}

fn grouped_len(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
