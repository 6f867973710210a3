//! Places for connections: so many in all, and so many from one address, so that one client cannot take them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::address::origin;
use crate::observe::metrics::Crowded;

/// Places that are taken and given back.
#[derive(Clone, Debug)]
pub(super) struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    most_per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_origin: HashMap<IpAddr, usize>,
}

impl Slots {
    /// `most` places in all, `most_per_address` of them for one address.
    #[must_use]
    pub(super) fn new(most: usize, most_per_address: usize) -> Self {
        Self(Arc::new(Shared { most, most_per_address, taken: Mutex::default() }))
    }

    /// A place for a connection from `peer`. Nobody waits: who is there already keeps his.
    ///
    /// # Errors
    /// Where all are taken.
    pub(super) fn take(&self, peer: IpAddr) -> Result<Slot, Crowded> {
        let origin = origin(peer);
        let mut taken = self.0.taken();
        if taken.all >= self.0.most {
            return Err(Crowded::Total);
        }
        let of_origin = taken.by_origin.entry(origin).or_default();
        // Never so where the entry has just been made: a limit is at least 1.
        if *of_origin >= self.0.most_per_address {
            return Err(Crowded::Address);
        }
        *of_origin += 1;
        taken.all += 1;
        Ok(Slot { shared: Arc::clone(&self.0), origin })
    }
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    shared: Arc<Shared>,
    origin: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.shared.taken();
        taken.all -= 1;
        if let Some(of_origin) = taken.by_origin.get_mut(&self.origin) {
            *of_origin -= 1;
            if *of_origin == 0 {
                taken.by_origin.remove(&self.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> IpAddr {
        address.parse().expect("an address")
    }

    #[test]
    fn both_limits_are_exact_and_places_come_back() {
        let slots = Slots::new(3, 2);
        let first = slots.take(peer("192.0.2.1")).expect("1 of 2");
        let _second = slots.take(peer("192.0.2.1")).expect("2 of 2");
        assert_eq!(slots.take(peer("192.0.2.1")).err(), Some(Crowded::Address));
        let other = slots.take(peer("192.0.2.2")).expect("3 of 3");
        assert_eq!(slots.take(peer("192.0.2.3")).err(), Some(Crowded::Total));
        drop(first);
        let _again = slots.take(peer("192.0.2.1")).expect("2 of 2");
        drop(other);
        assert_eq!(slots.0.taken().by_origin.len(), 1, "nothing is kept of an address without connections");
    }
}
