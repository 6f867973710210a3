//! What of each tenant waits for a destination or lies in its quarantine, and who is refused because of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::{Signal, Tenant};
use crate::storage::route::Routes;

/// The backlog of one destination, in bytes.
#[derive(Clone, Debug)]
pub struct Usage(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: u64,
    tenant_limit: u64,
    /// Whether anybody is refused, so that the path of an export takes no lock while nobody is.
    full: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    total: u64,
    tenants: HashMap<Arc<Tenant>, u64>,
    full_tenants: usize,
}

impl Usage {
    /// Nothing so far. From `limit` bytes in all every tenant of the destination is refused, from `tenant_limit` bytes of its own
    /// a tenant is.
    #[must_use]
    pub fn new(limit: u64, tenant_limit: u64) -> Self {
        let (full, state) = (AtomicBool::new(false), Mutex::default());
        Self(Arc::new(Shared { limit, tenant_limit, full, state }))
    }

    /// The bytes of all tenants.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.state().total
    }

    /// The bytes of `tenant`.
    #[must_use]
    pub fn bytes_of(&self, tenant: &Tenant) -> u64 {
        self.state().tenants.get(tenant).copied().unwrap_or(0)
    }

    /// Whether nothing more of `tenant` may be accepted for this destination.
    #[must_use]
    pub fn is_full_for(&self, tenant: &Tenant) -> bool {
        if !self.0.full.load(Ordering::Relaxed) {
            return false;
        }
        let state = self.state();
        state.total >= self.0.limit || state.tenants.get(tenant).is_some_and(|&bytes| bytes >= self.0.tenant_limit)
    }

    pub(super) fn add(&self, tenant: &Arc<Tenant>, bytes: u64) {
        self.change(tenant, |has| has.saturating_add(bytes));
    }

    pub(super) fn subtract(&self, tenant: &Arc<Tenant>, bytes: u64) {
        self.change(tenant, |has| has.saturating_sub(bytes));
    }

    fn change(&self, tenant: &Arc<Tenant>, to: impl FnOnce(u64) -> u64) {
        let Shared { limit, tenant_limit, full, .. } = &*self.0;
        let mut state = self.state();
        let before = state.tenants.get(tenant).copied().unwrap_or(0);
        let after = to(before);
        if after == 0 {
            state.tenants.remove(tenant);
        } else {
            state.tenants.insert(Arc::clone(tenant), after);
        }
        state.total = state.total.saturating_sub(before).saturating_add(after);
        match (before >= *tenant_limit, after >= *tenant_limit) {
            (false, true) => state.full_tenants += 1,
            (true, false) => state.full_tenants -= 1,
            _ => {}
        }
        full.store(state.total >= *limit || state.full_tenants > 0, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the destinations of an export have room for it.
#[derive(Debug)]
pub struct Admission {
    /// Where exports go now.
    pub(in crate::storage) routes: Routes,
    /// The backlogs of the forwards, in the order of their ids.
    pub(in crate::storage) usages: Vec<Usage>,
}

impl Admission {
    /// Whether a destination of `tenant` and `signal` takes nothing more.
    #[must_use]
    pub fn is_full_for(&self, tenant: &Tenant, signal: Signal) -> bool {
        // The lake has no backlog but the log's.
        let forwards = self.routes.of(tenant, signal).iter().filter_map(|id| id.index().checked_sub(1));
        forwards.filter_map(|place| self.usages.get(place)).any(|usage| usage.is_full_for(tenant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(project: &str) -> Arc<Tenant> {
        let slug = |text: &str| text.parse().expect("a slug");
        Arc::new(Tenant { project: slug(project), grid: slug("web"), environment: slug("staging") })
    }

    #[test]
    fn a_tenant_is_refused_for_its_own_backlog_and_for_that_of_all() {
        let (shop, bank) = (tenant("shop"), tenant("bank"));
        let usage = Usage::new(100, 60);
        let full = || (usage.is_full_for(&shop), usage.is_full_for(&bank));
        usage.add(&shop, 59);
        assert_eq!(full(), (false, false));
        usage.add(&shop, 1);
        assert_eq!(full(), (true, false));
        usage.add(&bank, 40);
        assert_eq!(full(), (true, true));
        usage.subtract(&shop, 1);
        assert_eq!(full(), (false, false));
        usage.subtract(&shop, 1000);
        assert_eq!((usage.bytes(), usage.bytes_of(&shop), usage.bytes_of(&bank)), (40, 0, 40));
    }
}
