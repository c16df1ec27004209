//! The model of etcd: one linearizable key space with revisions and leases. It is always right and never late; loss, delay, outages
//! and unknown outcomes happen on the way to it (`world/coordination.rs`).

use std::collections::BTreeMap;

use drl_core::{Generation, NodeId, ShardId};
use drl_engine::ownership::{
    Beat, ClusterId, Guard, LeaseId, NodeEntry, Outcome, Reads, Revision, Scope, Transaction, Versioned, View, Write,
};

use crate::swarm::SECOND;

/// TTL of every lease.
pub(crate) const LEASE_TTL: u64 = 5 * SECOND;

/// What a restored backup does to revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revisions {
    AsTheyWere,
    /// They go on above every one that was ever seen.
    Bumped,
}

/// All keys and leases.
#[derive(Debug, Clone)]
pub(crate) struct Etcd {
    revision: Revision,
    records: Vec<Option<Versioned>>,
    nodes: BTreeMap<NodeId, NodeEntry>,
    beats: BTreeMap<NodeId, Beat>,
    /// When each lease ends unless it is kept alive.
    leases: BTreeMap<i64, u64>,
    leases_granted: i64,
}

const CLUSTER: ClusterId = ClusterId(7);

impl Etcd {
    #[must_use]
    pub(crate) fn new(shards: u16) -> Self {
        Self {
            revision: Revision(1),
            records: vec![None; usize::from(shards)],
            nodes: BTreeMap::new(),
            beats: BTreeMap::new(),
            leases: BTreeMap::new(),
            leases_granted: 0,
        }
    }

    /// Becomes what it was when the backup was taken. Leases begin anew, as after any start of etcd.
    pub(crate) fn restore(&mut self, backup: Self, revisions: Revisions, now: u64) {
        let (granted, highest) = (self.leases_granted, self.revision);
        *self = backup;
        // Real leases have random numbers: one is not given out twice.
        self.leases_granted = granted;
        if revisions == Revisions::Bumped {
            self.revision = Revision(highest.0 + 1_000);
        }
        self.renew_leases(now);
    }

    #[must_use]
    pub(crate) fn record(&self, shard: ShardId) -> Option<&Versioned> {
        self.records.get(shard.index())?.as_ref()
    }

    /// The generation of a node's key; zero when it is absent.
    #[must_use]
    pub(crate) fn generation(&self, node: &NodeId) -> Generation {
        self.nodes.get(node).map_or(Generation(0), |entry| entry.generation)
    }

    /// Every node's key.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&NodeId, &NodeEntry)> {
        self.nodes.iter()
    }

    /// A node's key, and the revision of its last heartbeat; zero: none.
    #[must_use]
    pub(crate) fn stands(&self, node: &NodeId) -> (Option<&NodeEntry>, Revision) {
        (self.nodes.get(node), self.beats.get(node).map_or(Revision(0), |beat| beat.changed))
    }

    /// The lease that a node's key is attached to.
    pub(crate) fn lease_of(&self, node: &NodeId) -> Option<LeaseId> {
        self.nodes.get(node).map(|entry| entry.lease)
    }

    pub(crate) fn grant(&mut self, now: u64) -> LeaseId {
        self.leases_granted += 1;
        self.leases.insert(self.leases_granted, now + LEASE_TTL);
        LeaseId(self.leases_granted)
    }

    #[must_use]
    pub(crate) fn has_lease(&self, lease: LeaseId) -> bool {
        self.leases.contains_key(&lease.0)
    }

    pub(crate) fn keep_alive(&mut self, lease: LeaseId, now: u64) {
        if let Some(ends) = self.leases.get_mut(&lease.0) {
            *ends = now + LEASE_TTL;
        }
    }

    /// As after a change of etcd's leader: every lease begins anew.
    pub(crate) fn renew_leases(&mut self, now: u64) {
        self.leases.values_mut().for_each(|ends| *ends = now + LEASE_TTL);
    }

    /// When the next lease ends.
    #[must_use]
    pub(crate) fn next_end(&self) -> Option<u64> {
        self.leases.values().copied().min()
    }

    /// Ends the leases that nobody kept alive. What changed, one view per lease.
    pub(crate) fn expire(&mut self, now: u64) -> Vec<View> {
        let over: Vec<i64> = self.leases.iter().filter(|(_, ends)| **ends <= now).map(|(lease, _)| *lease).collect();
        over.into_iter().filter_map(|lease| self.revoke(LeaseId(lease))).collect()
    }

    /// Some lease that is alive, for revoking it early.
    #[must_use]
    pub(crate) fn any_lease(&self, choice: usize) -> Option<LeaseId> {
        let count = self.leases.len().max(1);
        self.leases.keys().nth(choice % count).map(|lease| LeaseId(*lease))
    }

    /// Ends a lease and deletes the key that is attached to it. What changed.
    pub(crate) fn revoke(&mut self, lease: LeaseId) -> Option<View> {
        self.leases.remove(&lease.0)?;
        let node = self.nodes.iter().find(|(_, entry)| entry.lease == lease).map(|(node, _)| node.clone())?;
        self.nodes.remove(&node);
        self.revision.0 += 1;
        Some(View { nodes: vec![(node, None)], ..View::at(CLUSTER, self.revision) })
    }

    /// Carries a transaction out: its outcome, and what changed.
    pub(crate) fn transact(&mut self, transaction: &Transaction) -> (Outcome, Option<View>) {
        if !transaction.guards.iter().all(|guard| self.holds(guard)) {
            return (Outcome::Refused(self.read_guarded(transaction)), None);
        }
        let has_lease = |write: &Write| match write {
            Write::Node { lease, .. } => self.leases.contains_key(&lease.0),
            _ => true,
        };
        if !transaction.writes.iter().all(has_lease) {
            return (Outcome::LeaseGone, None);
        }
        self.revision.0 += 1;
        let mut changed = View::at(CLUSTER, self.revision);
        for write in &transaction.writes {
            self.write(write, &mut changed);
        }
        let answer = match transaction.reads {
            Reads::Nothing => View::at(CLUSTER, self.revision),
            Reads::Everything => self.read_everything(),
        };
        (Outcome::Committed(answer), Some(changed))
    }

    fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Lease { node, lease } => self.nodes.get(node).is_some_and(|entry| entry.lease == *lease),
            Guard::Record { shard, changed } => {
                self.record(*shard).map_or(Revision(0), |versioned| versioned.changed) == *changed
            }
            Guard::NodeAbsent(node) => !self.nodes.contains_key(node),
            Guard::NodeSince { node, created } => self.nodes.get(node).is_some_and(|entry| entry.created == *created),
            Guard::Beat { node, changed } => self.beats.get(node).map_or(Revision(0), |beat| beat.changed) == *changed,
        }
    }

    fn write(&mut self, write: &Write, changed: &mut View) {
        let revision = self.revision;
        match write {
            Write::Record { shard, record } => {
                let versioned = Versioned { record: record.clone(), changed: revision };
                changed.records.push((*shard, Some(versioned.clone())));
                self.records[shard.index()] = Some(versioned);
            }
            Write::Node { node, generation, lease, draining } => {
                let created = self.nodes.get(node).map_or(revision, |entry| entry.created);
                let entry = NodeEntry { generation: *generation, lease: *lease, created, draining: *draining };
                changed.nodes.push((node.clone(), Some(entry)));
                self.nodes.insert(node.clone(), entry);
            }
            Write::Beat { node, time_hi } => {
                let beat = Beat { changed: revision, time_hi: *time_hi };
                changed.beats.push((node.clone(), Some(beat)));
                self.beats.insert(node.clone(), beat);
            }
        }
    }

    fn read_guarded(&self, transaction: &Transaction) -> View {
        let mut view = View::at(CLUSTER, self.revision);
        for guard in &transaction.guards {
            match guard {
                Guard::Record { shard, .. } => view.records.push((*shard, self.record(*shard).cloned())),
                Guard::Beat { node, .. } => view.beats.push((node.clone(), self.beats.get(node).copied())),
                Guard::Lease { node, .. } | Guard::NodeAbsent(node) | Guard::NodeSince { node, .. } => {
                    view.nodes.push((node.clone(), self.nodes.get(node).copied()));
                }
            }
        }
        view
    }

    fn read_everything(&self) -> View {
        let shards = (0..).map(ShardId::new);
        View {
            scope: Scope::Everything,
            records: shards.zip(self.records.iter().cloned()).collect(),
            nodes: self.nodes.iter().map(|(node, entry)| (node.clone(), Some(*entry))).collect(),
            beats: self.beats.iter().map(|(node, beat)| (node.clone(), Some(*beat))).collect(),
            ..View::at(CLUSTER, self.revision)
        }
    }
}
