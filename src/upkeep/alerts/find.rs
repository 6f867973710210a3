//! What there is a cause to alert of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::catalog::{Catalog, CatalogError, FailedMinute, NewWhat, Paging, RefusalFilter, Refused, Volume};
use crate::domain::alert::Alert;
use crate::domain::limit::ScopeId;
use crate::domain::sender::SeenSender;
use crate::domain::trouble::Cause;
use crate::domain::usage::Step;
use crate::domain::webhook::EventKind;
use crate::domain::{KeyId, Reason, Slug, Timestamp};
use crate::metering::limiter::Crossed;

/// What was seen within this time counts as present.
const PRESENT: Duration = Duration::from_hours(1);

/// The senders, addresses or groups that an alert names.
const NAMED: usize = 10;

/// An hour is a jump when it has more than so many times the mean of those before.
const JUMP: u64 = 5;

/// Less than so many exports of an hour are no jump.
const LEAST_EXPORTS: u64 = 1_000;

/// Less than so many items of an hour are no jump.
const LEAST_ITEMS: u64 = 100_000;

/// The hours before that are looked at.
const BEFORE: Duration = Duration::from_hours(7 * 24);

/// A key that has been used for less than this has nothing to be compared with.
const FIRST_DAY: Duration = Duration::from_hours(24);

/// So many failures of one minute are a burst.
const BURST: u64 = 100;

/// In how old a minute a burst is looked for.
const RECENT: Duration = Duration::from_mins(10);

/// What exports fail with that prove no key.
const FAILURES: [Reason; 5] = [
    Reason::CredentialsMissing,
    Reason::CredentialsAmbiguous,
    Reason::KeyMalformed,
    Reason::KeyInvalid,
    Reason::RateLimited,
];

/// Everything but quotas.
pub(super) async fn all(catalog: &dyn Catalog, now: Timestamp) -> Result<Vec<Alert>, CatalogError> {
    let since = now.before(PRESENT);
    let mut found = Vec::new();
    for (key, senders) in by_key(catalog.senders_after_revoke(since).await?) {
        found.push(used_after_revoke(key, &senders));
    }
    for (key, senders) in by_key(catalog.senders_of_shared_keys(since).await?) {
        found.push(shared(key, &senders));
    }
    found.extend(catalog.new_senders(NewWhat::Address, since).await?.iter().map(new_address));
    found.extend(catalog.new_senders(NewWhat::Service, since).await?.iter().map(new_sender));
    let drift = RefusalFilter { cause: Some(Cause::EnvironmentDrift), from: Some(since), ..RefusalFilter::default() };
    let drifting = catalog.refusals(&drift, &Paging { limit: 1_000, after: None }).await?.items;
    found.extend(drifting.iter().filter_map(environment_drift));
    let hour = Step::Hour.start(now);
    for volume in catalog.volumes(hour, hour.before(BEFORE), LEAST_EXPORTS, LEAST_ITEMS).await? {
        found.extend(volume_jump(&volume, hour));
    }
    if let Some(minute) = catalog.failed_minute(Step::Minute.start(now.before(RECENT)), BURST).await? {
        found.push(authentication_failing(catalog, minute).await?);
    }
    // Several senders may bring the same address, and several groups be of one key.
    let mut known = BTreeSet::new();
    found.retain(|alert| known.insert(alert.id()));
    Ok(found)
}

/// A quota that has come to a part of it.
pub(super) fn quota(crossed: &Crossed, project: Option<Slug>) -> Alert {
    let Crossed { id, limit, percent, used, period, at } = crossed;
    let key = match id {
        ScopeId::Key(key) => Some(*key),
        ScopeId::Tenant(_) | ScopeId::Project(_) => None,
    };
    let scope = id.scope();
    Alert {
        kind: EventKind::QuotaWarning,
        key,
        cause: format!("{id} {limit} {} {percent}", period.micros()),
        summary: format!("{percent} % of the quota of {scope} {id} is used: {limit}"),
        data: data([
            ("scope", json!(scope.as_str())),
            ("id", json!(id.to_string())),
            ("project", json!(project.as_ref().map(Slug::as_str))),
            ("limit", json!(limit.to_string())),
            ("percent", json!(percent)),
            ("used", json!(used)),
            ("amount", json!(limit.amount)),
            ("period", json!(period.to_string())),
            ("crossed_at", json!(at.to_string())),
        ]),
        project,
    }
}

fn used_after_revoke(key: KeyId, senders: &[SeenSender]) -> Alert {
    let summary = format!("revoked, and still sent by {}", names(senders));
    of_key(EventKind::UsedAfterRevoke, key, senders, String::new(), &summary)
}

fn shared(key: KeyId, senders: &[SeenSender]) -> Alert {
    let summary = format!("used by several services: {}", names(senders));
    of_key(EventKind::Shared, key, senders, String::new(), &summary)
}

fn new_address(new: &SeenSender) -> Alert {
    let address = new.sender.address;
    let summary = format!("used from {address} for the first time, by {}", name(new));
    let senders = std::slice::from_ref(new);
    of_key(EventKind::NewAddress, new.sender.key, senders, address.to_string(), &summary)
}

fn new_sender(new: &SeenSender) -> Alert {
    let summary = format!("used by {} for the first time, from {}", name(new), new.sender.address);
    let cause = new.sender.service.as_deref().unwrap_or_default().to_owned();
    of_key(EventKind::NewSender, new.sender.key, std::slice::from_ref(new), cause, &summary)
}

/// An alert about senders of one key, of which there is at least one.
fn of_key(kind: EventKind, key: KeyId, senders: &[SeenSender], cause: String, summary: &str) -> Alert {
    let project = senders.first().map(|one| one.project.clone());
    let data = data([
        ("key", json!(key.to_string())),
        ("project", json!(project.as_ref().map(Slug::as_str))),
        ("senders", senders.iter().take(NAMED).map(shown).collect()),
    ]);
    Alert { kind, project, key: Some(key), cause, summary: format!("{key} is {summary}"), data }
}

fn environment_drift(refused: &Refused) -> Option<Alert> {
    let trouble = &refused.trouble;
    let (project, key) = (trouble.group.project.clone()?, trouble.group.key?);
    let detail = trouble.seen.detail.as_deref().unwrap_or_default();
    let source = trouble.group.source.as_ref();
    Some(Alert {
        kind: EventKind::EnvironmentDrift,
        cause: String::new(),
        summary: format!("{key} is used for another environment than its own: {detail:?}"),
        data: data([
            ("key", json!(key.to_string())),
            ("project", json!(project.as_str())),
            ("detail", json!(detail)),
            ("service", json!(source.and_then(|source| source.service.as_deref()))),
            ("address", json!(source.map(|source| source.address.to_string()))),
            ("last_seen_at", json!(trouble.seen.last_at.to_string())),
        ]),
        project: Some(project),
        key: Some(key),
    })
}

/// Compared with the hours in which something came: what works once a night does not jump every night.
fn volume_jump(volume: &Volume, hour: Timestamp) -> Option<Alert> {
    let Volume { key, tenant, exports, items, first_at, hours, exports_before, items_before } = volume;
    let jumps = |now: u64, before: u64, least: u64| {
        now >= least && u128::from(now) * u128::from(*hours) > u128::from(before) * u128::from(JUMP)
    };
    let jump = jumps(*exports, *exports_before, LEAST_EXPORTS) || jumps(*items, *items_before, LEAST_ITEMS);
    if *hours == 0 || !jump || hour.since(*first_at) < FIRST_DAY {
        return None;
    }
    let (mean_exports, mean_items) = (exports_before / hours, items_before / hours);
    Some(Alert {
        kind: EventKind::VolumeJump,
        project: Some(tenant.project.clone()),
        key: Some(*key),
        cause: String::new(),
        summary: format!(
            "{key} has sent {exports} exports with {items} items this hour, and mostly {mean_exports} with {mean_items} \
             an hour before"
        ),
        data: data([
            ("key", json!(key.to_string())),
            ("project", json!(tenant.project.as_str())),
            ("grid", json!(tenant.grid.as_str())),
            ("environment", json!(tenant.environment.as_str())),
            ("hour", json!(hour.to_string())),
            ("exports", json!(exports)),
            ("items", json!(items)),
            ("mean_exports", json!(mean_exports)),
            ("mean_items", json!(mean_items)),
        ]),
    })
}

async fn authentication_failing(catalog: &dyn Catalog, minute: FailedMinute) -> Result<Alert, CatalogError> {
    let FailedMinute { at, exports } = minute;
    let (mut addresses, mut reasons) = (BTreeSet::new(), BTreeSet::new());
    for reason in FAILURES {
        let filter = RefusalFilter { cause: Some(Cause::Refused(reason)), from: Some(at), ..RefusalFilter::default() };
        let refused = catalog.refusals(&filter, &Paging { limit: 50, after: None }).await?.items;
        for group in refused.iter().map(|one| &one.trouble.group).filter(|group| group.project.is_none()) {
            reasons.insert(reason.as_str());
            addresses.extend(group.source.as_ref().map(|source| source.address.to_string()));
        }
    }
    let addresses: Vec<_> = addresses.into_iter().take(NAMED).collect();
    Ok(Alert {
        kind: EventKind::AuthenticationFailing,
        project: None,
        key: None,
        cause: String::new(),
        summary: format!("{exports} exports failed to authenticate in the minute from {at}"),
        data: data([
            ("minute", json!(at.to_string())),
            ("exports", json!(exports)),
            ("reasons", json!(reasons)),
            ("addresses", json!(addresses)),
        ]),
    })
}

fn by_key(senders: Vec<SeenSender>) -> BTreeMap<KeyId, Vec<SeenSender>> {
    let mut keys = BTreeMap::<_, Vec<_>>::new();
    for one in senders {
        keys.entry(one.sender.key).or_default().push(one);
    }
    keys
}

fn data<const N: usize>(fields: [(&str, Value); N]) -> String {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>()).to_string()
}

fn shown(one: &SeenSender) -> Value {
    let SeenSender { sender, seen, .. } = one;
    json!({
        "service": sender.service,
        "host": sender.host,
        "sdk": sender.sdk,
        "user_agent": sender.agent,
        "address": sender.address.to_string(),
        "secret_version": sender.secret_version,
        "first_seen_at": seen.first_at.to_string(),
        "last_seen_at": seen.last_at.to_string(),
        "exports": seen.exports,
        "refused": seen.refused,
    })
}

/// Each service once.
fn names(senders: &[SeenSender]) -> String {
    let services: BTreeSet<_> = senders.iter().map(name).collect();
    let more = match services.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", services.into_iter().take(NAMED).collect::<Vec<_>>().join(", "))
}

/// The service, quoted so that nothing of it can be taken for anything else.
fn name(one: &SeenSender) -> String {
    one.sender.service.as_deref().map_or_else(|| "an unknown service".to_owned(), |service| format!("{service:?}"))
}
