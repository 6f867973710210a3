//! The table of keys, and what its rows need beside the keys.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::cells;
use super::menu::menu;
use super::wanted::Wanted;
use crate::admin::keys::KeyView;
use crate::admin::page::PageView;
use crate::admin::plans::PlanView;
use crate::admin::projects::ProjectView;
use crate::admin::terms::LimitView;
use crate::admin::usage::UsageView;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::visit::Visit;
use crate::domain::Timestamp;

/// What is known around the keys of a page: nothing here is asked for key by key.
pub(super) struct Around {
    /// What came in of each key, by the hours of a day: accepted and refused. `None`: the visitor may not see it.
    day: Option<BTreeMap<String, Day>>,
    /// What the plans of projects limit each key to.
    plans: BTreeMap<String, Vec<LimitView>>,
}

/// The hours of a day, oldest first: how many exports were accepted and refused.
pub(super) type Day = [(u64, u64); HOURS];

const HOURS: usize = 24;
const HOUR_MICROS: i64 = 3_600_000_000;

impl Around {
    /// What is known around `keys`.
    ///
    /// # Errors
    /// As any call of the API.
    pub(super) async fn of(visit: &Visit, keys: &[KeyView]) -> Result<Self, Fault> {
        let ingest: Vec<&str> = keys.iter().filter(|key| key.kind == "ingest").map(|key| &*key.id).collect();
        Ok(Self { day: day(visit, &ingest).await?, plans: plans(visit, keys).await? })
    }

    /// The day of `key`; `None` where it has none to be seen.
    pub(super) fn day(&self, key: &KeyView) -> Option<Day> {
        let days = self.day.as_ref().filter(|_| key.kind == "ingest")?;
        Some(days.get(&key.id).copied().unwrap_or_default())
    }

    /// What its project's plan limits `key` to.
    pub(super) fn plan(&self, key: &KeyView) -> &[LimitView] {
        key.project.as_ref().and_then(|project| self.plans.get(project)).map_or(&[], Vec::as_slice)
    }
}

async fn day(visit: &Visit, ids: &[&str]) -> Result<Option<BTreeMap<String, Day>>, Fault> {
    if ids.is_empty() {
        return Ok(Some(BTreeMap::new()));
    }
    let this_hour = visit.now.micros().div_euclid(HOUR_MICROS);
    let first = this_hour - 23;
    let query = Query::default()
        .with("from", Some(Timestamp::from_micros(first * HOUR_MICROS)))
        .with("step", Some("hour"))
        .with("group_by", Some("key"))
        .with("key", Some(ids.join(",")))
        .with("limit", Some(ids.len() * (HOURS + 1)));
    let rows: Option<PageView<UsageView>> = Api::if_allowed(visit.api.list("/usage", &query)).await?;
    let Some(rows) = rows else { return Ok(None) };
    let mut days: BTreeMap<String, Day> = BTreeMap::new();
    for row in rows.data {
        let Some((key, at)) = row.key.zip(row.at.parse::<Timestamp>().ok()) else { continue };
        let hour = usize::try_from(at.micros().div_euclid(HOUR_MICROS) - first).unwrap_or(HOURS);
        if let Some(of_hour) = days.entry(key).or_default().get_mut(hour) {
            *of_hour = (row.accepted, row.refused);
        }
    }
    Ok(Some(days))
}

/// What plans limit keys to, by project, where a key has no limit of its own.
async fn plans(visit: &Visit, keys: &[KeyView]) -> Result<BTreeMap<String, Vec<LimitView>>, Fault> {
    if keys.iter().all(|key| key.kind == "admin" || !key.limits.is_empty()) {
        return Ok(BTreeMap::new());
    }
    let all = || Query::default().with("limit", Some(200));
    let plans = Api::if_allowed(visit.api.list::<PlanView>("/plans", &all())).await?;
    let Some(plans) = plans.map(|page| page.data).filter(|plans| !plans.is_empty()) else {
        return Ok(BTreeMap::new());
    };
    let projects = Api::if_allowed(visit.api.list::<ProjectView>("/projects", &all())).await?;
    let projects = projects.map(|page| page.data).unwrap_or_default();
    let of_project = |project: ProjectView| {
        let plan = plans.iter().find(|plan| Some(&plan.slug) == project.plan.as_ref())?;
        Some((project.slug, plan.limits.key.clone()))
    };
    Ok(projects.into_iter().filter_map(of_project).collect())
}

/// A row for each of `keys`.
pub(super) fn table(visit: &Visit, wanted: &Wanted, keys: &[KeyView], around: &Around) -> Markup {
    html! {
        table aria-label="Keys" {
            thead { tr {
                (sorted(visit, wanted, "Name", "name"))
                th scope="col" { "Tenant" }
                th.role scope="col" { "Role" }
                th.limit scope="col" { "Limit" }
                th scope="col" { "Status" }
                th scope="col" { "Exports, 24 h" }
                (sorted(visit, wanted, "Last used", "last_used_at"))
                (sorted(visit, wanted, "Expires", "expires_at"))
                th scope="col" { span.visually-hidden { "Actions" } }
            } }
            tbody {
                @for key in keys {
                    tr.two {
                        th.key-name scope="row" { (cells::name(visit, key)) }
                        td.key-tenant { (cells::tenant(visit, key)) }
                        td.key-role.role { (cells::role(key)) }
                        td.limit { (cells::limit(key, around.plan(key))) }
                        td.key-status { (cells::status(key, visit.now)) }
                        td.key-day { (cells::day(around.day(key).as_ref())) }
                        td.key-used { (cells::used(visit, key, around.day(key).as_ref())) }
                        td.key-expires { (cells::expires(key, visit.now)) }
                        td.key-menu { (menu(visit, key)) }
                    }
                }
            }
        }
    }
}

/// The head of a column that can be sorted by: a link to the other way round, or to its usual one.
fn sorted(visit: &Visit, wanted: &Wanted, name: &str, field: &str) -> Markup {
    let (of, is_down) = wanted.sort().strip_prefix('-').map_or((wanted.sort(), false), |of| (of, true));
    let is_sorted = of == field;
    // What was used last is asked for first; names and expiries are read from their beginning.
    let down = if is_sorted { !is_down } else { field == "last_used_at" };
    let sort = format!("{}{field}", if down { "-" } else { "" });
    let direction = if is_down { "descending" } else { "ascending" };
    html! {
        th scope="col" aria-sort=[is_sorted.then_some(direction)] {
            a href={ (visit.frame.href("/keys")) (wanted.query(Some(&sort)).as_str()) } {
                (name)
                @if is_sorted { span.sort-arrow aria-hidden="true" { @if is_down { " ↓" } @else { " ↑" } } }
            }
            // Where the heads are not seen nothing in them takes the focus.
            span.head-word { (name) }
        }
    }
}
