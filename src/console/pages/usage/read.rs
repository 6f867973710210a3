//! What the page shows of usage: the groups with the most, each over time, and all others together.

use std::collections::BTreeMap;

use super::sums::{add, before, over, sum};
use super::{By, Choice};
use crate::admin::keys::KeyView;
use crate::admin::terms::EffectiveLimit;
use crate::admin::usage::{UsageTopView, UsageView};
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::pages::overview::figures::quota;
use crate::console::pages::usage_columns::{Axis, rows};
use crate::console::visit::Visit;

/// Everything that is shown.
pub(super) struct Usage {
    /// The sum of all.
    pub(super) total: UsageView,
    /// The same without the step that is not over yet.
    pub(super) over: UsageView,
    /// The sum of all by signal.
    pub(super) by_signal: BTreeMap<String, UsageView>,
    /// What [`Self::over`] was in the time before.
    pub(super) before: UsageView,
    /// How many groups there are.
    pub(super) groups: u64,
    /// The groups with the most, and the others.
    pub(super) lines: Vec<Line>,
}

/// One group, or what is left.
pub(super) struct Line {
    /// What it is called.
    pub(super) name: String,
    /// Which group it is; none: all others together.
    pub(super) of: Option<UsageView>,
    /// Its colour.
    pub(super) class: &'static str,
    /// Its rows, by signal.
    pub(super) rows: Vec<UsageView>,
    /// Its sum.
    pub(super) sum: UsageView,
    /// The same without the step that is not over yet.
    pub(super) over: UsageView,
    /// What that was in the time before, where that is known.
    pub(super) before: Option<UsageView>,
    /// Its quota for the month.
    pub(super) quota: Option<EffectiveLimit>,
}

/// Groups that are told apart.
const TOP: usize = 6;

/// The colours of groups in their order, and that of the others.
const CLASSES: [&str; TOP] = ["c1", "c2", "c3", "c4", "c5", "c6"];
const OTHERS: &str = "c7";

/// Groups of the time before among which the present ones are looked for.
const EARLIER: u32 = 200;

/// What `choice` shows.
pub(super) async fn usage(visit: &Visit, axis: &Axis, choice: Choice) -> Result<Usage, Fault> {
    let project = Some(&visit.frame.project);
    let by_signal = axis.query().with("project", project).with("group_by", Some("signal"));
    let all = rows(&visit.api, &by_signal).await?;
    let earlier = before(axis, choice.range, visit.now).with("project", project);
    let earlier: UsageTopView = visit.api.get(&format!("/usage/top{}", earlier.as_str())).await?;
    let (groups, lines) = match choice.by {
        By::Signal => (4, signals(visit, axis, choice, &all).await?),
        By::Tenant | By::Key => groups(visit, axis, choice, &all).await?,
    };
    let mut sums = BTreeMap::new();
    for row in &all {
        add(sums.entry(row.signal.clone().unwrap_or_default()).or_default(), row);
    }
    let over = over(axis, &all, visit.now);
    Ok(Usage { total: sum(&all), over, by_signal: sums, before: sum(&earlier.data), groups, lines })
}

/// One line for each signal.
async fn signals(visit: &Visit, axis: &Axis, choice: Choice, all: &[UsageView]) -> Result<Vec<Line>, Fault> {
    let earlier = earlier(visit, axis, choice).await?;
    let names = [("traces", "Traces"), ("metrics", "Metrics"), ("logs", "Logs"), ("profiles", "Profiles")];
    let line = |((signal, name), class): ((&str, &str), &'static str)| {
        let of = |row: &&UsageView| row.signal.as_deref() == Some(signal);
        let rows: Vec<_> = all.iter().filter(of).cloned().collect();
        Line {
            name: name.to_owned(),
            of: Some(UsageView { signal: Some(signal.to_owned()), ..UsageView::default() }),
            class,
            sum: sum(&rows),
            over: over(axis, &rows, visit.now),
            rows,
            before: Some(earlier.data.iter().find(of).cloned().unwrap_or_default()),
            quota: None,
        }
    };
    let mut lines: Vec<_> = names.into_iter().zip(CLASSES).map(line).collect();
    // Of some that were refused nobody knows what they would have been.
    let rest = others(all, &lines);
    if rest.iter().any(|row| row.received > 0) {
        lines.push(Line::of_others("No signal".to_owned(), rest));
    }
    Ok(lines)
}

/// A line for each of the groups with the most, and one for the others; and how many groups there are.
async fn groups(visit: &Visit, axis: &Axis, choice: Choice, all: &[UsageView]) -> Result<(u64, Vec<Line>), Fault> {
    let project = Some(&visit.frame.project);
    let top = axis.query().with("project", project).with("group_by", Some(choice.by.groups()));
    // One more, in the place of what nobody proved anything of.
    let top = top.with("rank_by", Some(choice.unit.rank())).with("limit", Some(TOP + 1));
    let top: UsageTopView = visit.api.get(&format!("/usage/top{}", top.as_str())).await?;
    let earlier = earlier(visit, axis, choice).await?;
    let every_earlier = earlier.groups < EARLIER.into();
    let mut lines = Vec::new();
    let shown = top.data.into_iter().filter(|group| group.project.is_some());
    for (group, class) in shown.zip(CLASSES) {
        let query = axis
            .query()
            .with("group_by", Some("signal"))
            .with("project", group.project.as_ref())
            .with("grid", group.grid.as_ref())
            .with("environment", group.environment.as_ref())
            .with("key", group.key.as_ref());
        let rows = rows(&visit.api, &query).await?;
        let found = earlier.data.iter().find(|one| is_same(one, &group)).cloned();
        let before = found.or_else(|| every_earlier.then(UsageView::default));
        let quota = if choice.by == By::Tenant { quota(visit, &group, "month").await? } else { None };
        lines.push(Line {
            name: name(visit, choice.by, &group).await?,
            of: Some(group),
            class,
            sum: sum(&rows),
            over: over(axis, &rows, visit.now),
            rows,
            before,
            quota,
        });
    }
    let shown = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    let rest = others(all, &lines);
    if rest.iter().any(|row| row.received > 0) {
        let left = top.groups.saturating_sub(shown);
        let words = if choice.by == By::Tenant { ("tenant", "tenants") } else { ("key", "keys") };
        let name = match left {
            0 => "Nobody’s".to_owned(),
            1 => format!("Other, 1 {}", words.0),
            more => format!("Other, {more} {}", words.1),
        };
        lines.push(Line::of_others(name, rest));
    }
    Ok((top.groups, lines))
}

impl Line {
    /// What is left.
    fn of_others(name: String, rows: Vec<UsageView>) -> Self {
        let (sum, over) = (sum(&rows), UsageView::default());
        Self { name, of: None, class: OTHERS, sum, over, rows, before: None, quota: None }
    }
}

/// The groups of the time before, as far as there is room for them.
async fn earlier(visit: &Visit, axis: &Axis, choice: Choice) -> Result<UsageTopView, Fault> {
    let query = before(axis, choice.range, visit.now).with("project", Some(&visit.frame.project));
    let query = query.with("group_by", Some(choice.by.groups())).with("limit", Some(EARLIER));
    visit.api.get(&format!("/usage/top{}", query.as_str())).await
}

fn is_same(one: &UsageView, other: &UsageView) -> bool {
    let names = |row: &UsageView| {
        [&row.project, &row.grid, &row.environment, &row.key].map(|name| name.clone().unwrap_or_default())
    };
    names(one) == names(other)
}

/// What is left of `all` without `lines`, by time and signal.
fn others(all: &[UsageView], lines: &[Line]) -> Vec<UsageView> {
    let mut rest: BTreeMap<(&str, &str), UsageView> = BTreeMap::new();
    for row in all {
        let place = (row.at.as_str(), row.signal.as_deref().unwrap_or_default());
        add(
            rest.entry(place).or_insert_with(|| UsageView {
                at: row.at.clone(),
                signal: row.signal.clone(),
                ..UsageView::default()
            }),
            row,
        );
    }
    for row in lines.iter().flat_map(|line| &line.rows) {
        let Some(left) = rest.get_mut(&(row.at.as_str(), row.signal.as_deref().unwrap_or_default())) else { continue };
        // What came between two answers counts as nothing, not as less.
        for (left, shown) in [
            (&mut left.received, row.received),
            (&mut left.accepted, row.accepted),
            (&mut left.refused, row.refused),
            (&mut left.gone, row.gone),
            (&mut left.items, row.items),
            (&mut left.bytes, row.bytes),
        ] {
            *left = left.saturating_sub(shown);
        }
    }
    rest.into_values().collect()
}

/// What a group is called in the legend.
async fn name(visit: &Visit, by: By, group: &UsageView) -> Result<String, Fault> {
    let part = |name: &Option<String>| name.clone().unwrap_or_default();
    let tenant = format!("{} / {} {}", part(&group.project), part(&group.grid), visit.code(&part(&group.environment)));
    let Some(id) = group.key.as_ref().filter(|_| by == By::Key) else {
        return Ok(if by == By::Key { format!("Not told apart, {tenant}") } else { tenant });
    };
    match Api::if_allowed(visit.api.get::<KeyView>(&format!("/keys/{id}"))).await {
        Ok(key) => Ok(key.map_or_else(|| id.clone(), |key| key.name)),
        // Its record may be erased by now.
        Err(fault) if fault.is("key_not_found") => Ok(id.clone()),
        Err(fault) => Err(fault),
    }
}

/// The query of a link to the page with one group alone.
pub(super) fn alone(group: &UsageView, choice: Choice) -> Query {
    Query::default()
        .with("project", group.project.as_ref())
        .with("range", Some(choice.range.name()))
        .with("by", Some(By::Key.name()))
        .with("unit", Some(choice.unit.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at: &str, signal: &str, received: u64, items: u64) -> UsageView {
        UsageView { at: at.to_owned(), signal: Some(signal.to_owned()), received, items, ..UsageView::default() }
    }

    #[test]
    fn what_is_left_is_all_without_what_is_shown() {
        let all = [row("a", "logs", 10, 100), row("a", "traces", 5, 50), row("b", "logs", 1, 1)];
        let line = Line {
            name: String::new(),
            of: None,
            class: "c1",
            rows: vec![row("a", "logs", 4, 40), row("b", "logs", 2, 2), row("c", "logs", 9, 9)],
            sum: UsageView::default(),
            over: UsageView::default(),
            before: None,
            quota: None,
        };
        let rest = others(&all, &[line]);
        let seen: Vec<_> = rest.iter().map(|row| (row.at.as_str(), row.received, row.items)).collect();
        assert_eq!(seen, [("a", 6, 60), ("a", 5, 50), ("b", 0, 0)]);
    }
}
