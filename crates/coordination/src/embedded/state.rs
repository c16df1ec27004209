//! The store itself, as a value: entries, leases and what changed lately. No task, no clock: time passes when it is told.

use std::collections::BTreeMap;
use std::ops::Bound;

use drl_core::Nanos;

use super::history::History;
use super::leases::Leases;
use crate::{
    Change, Changes, ClusterId, Compare, Entry, Grant, Header, Key, LeaseId, Listing, Op, Outcome, Prefix, Renewal,
    Reply, Revision, Ttl, Txn,
};

#[derive(Debug)]
pub(super) struct State {
    cluster: ClusterId,
    revision: Revision,
    entries: BTreeMap<Key, Entry>,
    leases: Leases,
    history: History,
}

impl State {
    pub(super) fn new(cluster: ClusterId) -> Self {
        // etcd's own first revision.
        let revision = Revision(1);
        let history = History::new(revision);
        Self { cluster, revision, entries: BTreeMap::new(), leases: Leases::default(), history }
    }

    pub(super) const fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) const fn header(&self) -> Header {
        Header { cluster: self.cluster, member: 1, revision: self.revision }
    }

    /// `None`: the branch has a put under a lease that is gone, and nothing happened.
    pub(super) fn transact(&mut self, txn: &Txn) -> Option<Outcome> {
        let holds = txn.compares.iter().all(|compare| self.holds(compare));
        let branch = if holds { &txn.then } else { &txn.otherwise };
        let leases = branch.iter().filter_map(|op| if let Op::Put { lease, .. } = op { *lease } else { None });
        if !leases.into_iter().all(|lease| self.leases.contains(lease)) {
            return None;
        }
        let at = self.revision.next();
        let mut changes = Vec::new();
        let (mut read, mut listed) = (Vec::new(), Vec::new());
        for op in branch {
            match op {
                Op::Put { key, value, lease } => changes.push(self.put(at, key, value, *lease)),
                Op::Delete { key } => changes.extend(self.delete(key)),
                Op::Get { key } => read.push(self.entries.get(key).cloned()),
                Op::List { prefix } => listed.push(self.list(prefix).entries),
            }
        }
        self.commit(at, changes);
        let reply = Reply { header: self.header(), read, listed };
        Some(if holds { Outcome::Committed(reply) } else { Outcome::Refused(reply) })
    }

    pub(super) fn list(&self, prefix: &Prefix) -> Listing {
        self.page(prefix, None, usize::MAX)
    }

    /// At most `size` entries behind the key `after`.
    pub(super) fn page(&self, prefix: &Prefix, after: Option<&Key>, size: usize) -> Listing {
        let first = Key::from(prefix.as_bytes().to_vec());
        let after = after.filter(|after| **after >= first);
        let from = after.map_or(Bound::Included(&first), Bound::Excluded);
        let entries = self.entries.range((from, Bound::Unbounded)).map(|(_, entry)| entry);
        let entries = entries.take_while(|entry| prefix.contains(&entry.key)).take(size).cloned().collect();
        Listing { header: self.header(), revision: self.revision, entries }
    }

    /// What changed behind `revision`; `None` when that is not known any more.
    pub(super) fn changes_after(&self, revision: Revision) -> Option<Vec<Changes>> {
        self.history.after(revision)
    }

    pub(super) fn compact(&mut self) {
        self.history.compact();
    }

    pub(super) fn grant(&mut self, ttl: Ttl) -> Grant {
        Grant { lease: self.leases.grant(ttl), ttl, header: self.header() }
    }

    pub(super) fn renew(&mut self, lease: LeaseId) -> Renewal {
        if self.leases.renew(lease) { Renewal::Alive } else { Renewal::Gone }
    }

    pub(super) fn revoke(&mut self, lease: LeaseId) {
        let keys = self.leases.remove(lease);
        let changes = keys.iter().filter_map(|key| self.delete(key)).collect();
        self.commit(self.revision.next(), changes);
    }

    pub(super) fn advance(&mut self, span: Nanos) {
        for lease in self.leases.advance(span) {
            self.revoke(lease);
        }
    }

    fn holds(&self, compare: &Compare) -> bool {
        let entry = self.entries.get(compare.key());
        match compare {
            Compare::Changed { at, .. } => entry.map_or(Revision::ABSENT, |entry| entry.changed) == *at,
            Compare::Created { at, .. } => entry.map_or(Revision::ABSENT, |entry| entry.created) == *at,
            Compare::Lease { is, .. } => entry.is_some_and(|entry| entry.lease == Some(*is)),
            Compare::Value { is, .. } => entry.is_some_and(|entry| entry.value == *is),
        }
    }

    fn put(&mut self, at: Revision, key: &Key, value: &[u8], lease: Option<LeaseId>) -> Change {
        let before = self.entries.get(key);
        let created = before.map_or(at, |entry| entry.created);
        self.leases.attach(key, before.and_then(|entry| entry.lease), lease);
        let entry = Entry { key: key.clone(), value: value.to_vec(), created, changed: at, lease };
        self.entries.insert(key.clone(), entry.clone());
        Change::Put(entry)
    }

    fn delete(&mut self, key: &Key) -> Option<Change> {
        let entry = self.entries.remove(key)?;
        self.leases.attach(key, entry.lease, None);
        Some(Change::Deleted(entry.key))
    }

    /// A transaction that changes nothing has no revision of its own.
    fn commit(&mut self, revision: Revision, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.revision = revision;
            self.history.push(Changes { revision, changes });
        }
    }
}
