//! How limits stand on this node, and what those that are only watched would have refused.

use super::{EffectiveLimit, LimitView};
use crate::admin::AdminState;
use crate::catalog::{CatalogError, Paging, UsageFilter};
use crate::domain::limit::{Mode, Per, ScopeId, Unit};
use crate::domain::usage::{Amount, Fate, Step};
use crate::domain::{Limits, Plan, Reopens, Signal, Timestamp};
use crate::metering::limiter::Standing;

/// What holds in one scope, and how it stands: its own limits, and those of the plan that have no counterpart there.
pub(super) async fn effective(
    state: &AdminState,
    id: &ScopeId,
    own: &Limits,
    plan: Option<&Plan>,
) -> Result<Vec<EffectiveLimit>, CatalogError> {
    let all = plan.map_or_else(|| own.clone(), |plan| own.over(plan.limits(id.scope())));
    let now = state.clock.now();
    let mut effective = Vec::new();
    for Standing { limit, left, resets } in standings(state, id, &all, now).await? {
        let is_own = own.iter().any(|one| one.slot() == limit.slot());
        let would_have_refused = match limit.mode {
            Mode::Enforce => None,
            Mode::Warn | Mode::Observe => would_have_refused(state, id, limit.signal, now).await?,
        };
        let resets_at = match resets {
            Reopens::In(time) => now.after(time),
            Reopens::At(end) => end,
        };
        effective.push(EffectiveLimit {
            scope: id.scope().to_string(),
            source: if is_own { "own" } else { "plan" }.to_owned(),
            limit: LimitView::from(&limit),
            // Of a quota, the burst is the amount.
            used: limit.burst.get().saturating_sub(left),
            remaining: left,
            resets_at: resets_at.to_string(),
            would_have_refused,
        });
    }
    Ok(effective)
}

/// How `limits` of `id` stand. Of quotas that this process has not counted all of, what is written down is used.
pub(in crate::admin) async fn standings(
    state: &AdminState,
    id: &ScopeId,
    limits: &Limits,
    now: Timestamp,
) -> Result<Vec<Standing>, CatalogError> {
    let mut standings = state.limiter.standings(id, limits, now);
    let date = now.date();
    let begins = [(Per::Day, Step::Day.start(now)), (Per::Month, Timestamp::first_of_month(date.year, date.month))];
    for (per, from) in begins {
        let end = standings.iter().find_map(|standing| match standing.resets {
            Reopens::At(end) if standing.limit.per == per => Some(end),
            _ => None,
        });
        let Some(end) = end else { continue };
        let written = state.catalog.used(id, from, end).await?;
        for Standing { limit, left, .. } in standings.iter_mut().filter(|standing| standing.limit.per == per) {
            *left = (*left).min(limit.amount.get().saturating_sub(used(&written, limit.unit, limit.signal)));
        }
    }
    Ok(standings)
}

/// What was used of a signal, or of all together.
fn used(written: &[Amount; Signal::ALL.len()], unit: Unit, signal: Option<Signal>) -> u64 {
    let amounts = Signal::ALL.iter().zip(written).filter(|(one, _)| signal.is_none_or(|signal| signal == **one));
    let amounts = amounts.map(|(_, amount)| if unit == Unit::Bytes { amount.bytes } else { amount.items });
    amounts.fold(0, u64::saturating_add)
}

/// The part of yesterday's exports that the watched limits over them would have refused; `None` where there were none.
async fn would_have_refused(
    state: &AdminState,
    id: &ScopeId,
    signal: Option<Signal>,
    now: Timestamp,
) -> Result<Option<f64>, CatalogError> {
    let today = Step::Day.start(now);
    let mut filter = UsageFilter {
        step: Step::Day,
        from: today.before(Step::Day.length()),
        to: today,
        by: Vec::new(),
        project: None,
        grid: None,
        environment: None,
        keys: Vec::new(),
        signal,
    };
    match id {
        ScopeId::Key(key) => filter.keys = vec![*key],
        ScopeId::Tenant(tenant) => {
            filter.project = Some(tenant.project.clone());
            filter.grid = Some(tenant.grid.clone());
            filter.environment = Some(tenant.environment.clone());
        }
        ScopeId::Project(project) => filter.project = Some(project.clone()),
    }
    let page = state.catalog.usage(&filter, &Paging { limit: 1, after: None }).await?;
    let exports = |fate| {
        let amounts = page.items.iter().flat_map(|row| &row.amounts).filter(|(of, _)| *of == fate);
        amounts.map(|(_, amount)| u128::from(amount.exports)).sum::<u128>()
    };
    let share = (exports(Fate::WouldRefuse) * SHARES).checked_div(exports(Fate::Received));
    Ok(share.and_then(|share| u32::try_from(share).ok()).map(|share| f64::from(share) / 10_000.0))
}

/// How finely a share is told.
const SHARES: u128 = 10_000;
