//! Which leases there are, which keys vanish with each, and when. Time is a sum of the spans that passed.

use std::collections::{BTreeMap, BTreeSet};

use drl_core::Nanos;

use crate::{Key, LeaseId, Ttl};

#[derive(Debug, Default)]
pub(super) struct Leases {
    now: Nanos,
    last: i64,
    by_id: BTreeMap<LeaseId, Lease>,
}

#[derive(Debug)]
struct Lease {
    ttl: Ttl,
    expires_at: Nanos,
    keys: BTreeSet<Key>,
}

impl Leases {
    pub(super) fn grant(&mut self, ttl: Ttl) -> LeaseId {
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if let Some(id) = LeaseId::new(self.last)
                && !self.by_id.contains_key(&id)
            {
                self.by_id.insert(id, Lease { ttl, expires_at: self.in_ttl(ttl), keys: BTreeSet::new() });
                return id;
            }
        }
    }

    pub(super) fn contains(&self, lease: LeaseId) -> bool {
        self.by_id.contains_key(&lease)
    }

    /// Whether there was such a lease.
    pub(super) fn renew(&mut self, lease: LeaseId) -> bool {
        let now = self.now;
        let found = self.by_id.get_mut(&lease);
        found.map(|lease| lease.expires_at = plus(now, lease.ttl)).is_some()
    }

    /// Moves a key from one lease to another.
    pub(super) fn attach(&mut self, key: &Key, from: Option<LeaseId>, to: Option<LeaseId>) {
        if let Some(lease) = from.and_then(|lease| self.by_id.get_mut(&lease)) {
            lease.keys.remove(key);
        }
        if let Some(lease) = to.and_then(|lease| self.by_id.get_mut(&lease)) {
            lease.keys.insert(key.clone());
        }
    }

    /// Ends a lease; its keys are to be deleted.
    pub(super) fn remove(&mut self, lease: LeaseId) -> BTreeSet<Key> {
        self.by_id.remove(&lease).map(|lease| lease.keys).unwrap_or_default()
    }

    /// Lets time pass; the leases that are over now.
    pub(super) fn advance(&mut self, span: Nanos) -> Vec<LeaseId> {
        self.now = Nanos(self.now.0.saturating_add(span.0));
        let over = self.by_id.iter().filter(|(_, lease)| lease.expires_at <= self.now);
        over.map(|(id, _)| *id).collect()
    }

    fn in_ttl(&self, ttl: Ttl) -> Nanos {
        plus(self.now, ttl)
    }
}

fn plus(now: Nanos, ttl: Ttl) -> Nanos {
    Nanos(now.0.saturating_add(Nanos::from(ttl.span()).0))
}
