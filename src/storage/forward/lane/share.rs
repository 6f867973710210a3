//! How much may be under way at once, and how much of that each tenant may have.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::Tenant;

/// What is under way may take about this much memory.
const MEMORY: u64 = 64 << 20;

/// One record counts for so much at the most, so that the largest can be sent, too.
const HALF: u64 = MEMORY / 2;

/// What is under way: in all, of lanes that fail, and of each tenant.
#[derive(Debug)]
pub(super) struct Shares {
    slots: usize,
    all: Load,
    failing: Load,
    tenants: HashMap<Arc<Tenant>, Load>,
}

#[derive(Clone, Copy, Default, Debug)]
struct Load {
    records: usize,
    memory: u64,
}

impl Load {
    fn takes(self, memory: u64, slots: usize, most: u64) -> bool {
        self.records < slots && self.memory + memory.min(HALF) <= most
    }

    fn add(&mut self, memory: u64) {
        self.records += 1;
        self.memory += memory.min(HALF);
    }

    fn remove(&mut self, memory: u64) {
        self.records = self.records.saturating_sub(1);
        self.memory = self.memory.saturating_sub(memory.min(HALF));
    }
}

impl Shares {
    pub(super) fn new(slots: usize) -> Self {
        Self { slots: slots.max(1), all: Load::default(), failing: Load::default(), tenants: HashMap::new() }
    }

    /// Whether any record at all can join.
    pub(super) fn has_slot(&self) -> bool {
        self.all.records < self.slots
    }

    /// Whether there is room for a record that takes `memory` bytes.
    pub(super) fn takes(&self, memory: u64) -> bool {
        self.all.takes(memory, self.slots, MEMORY)
    }

    /// Whether its tenant has room for it: one has half of everything.
    pub(super) fn takes_of(&self, tenant: &Tenant, memory: u64) -> bool {
        self.tenants.get(tenant).copied().unwrap_or_default().takes(memory, self.half(), HALF)
    }

    /// Whether a lane that fails has room for it: all of those have half of everything together.
    pub(super) fn takes_of_failing(&self, memory: u64) -> bool {
        self.failing.takes(memory, self.half(), HALF)
    }

    pub(super) fn add(&mut self, tenant: &Arc<Tenant>, memory: u64, is_failing: bool) {
        self.all.add(memory);
        self.tenants.entry(Arc::clone(tenant)).or_default().add(memory);
        if is_failing {
            self.failing.add(memory);
        }
    }

    pub(super) fn remove(&mut self, tenant: &Arc<Tenant>, memory: u64, is_failing: bool) {
        self.all.remove(memory);
        if let Some(of_tenant) = self.tenants.get_mut(tenant) {
            of_tenant.remove(memory);
            if of_tenant.records == 0 {
                self.tenants.remove(tenant);
            }
        }
        if is_failing {
            self.failing.remove(memory);
        }
    }

    fn half(&self) -> usize {
        (self.slots / 2).max(1)
    }
}
