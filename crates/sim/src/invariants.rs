//! The checker: what must hold, whatever goes wrong. Each invariant is a file with its source; all are linear in the trace.
//!
//! | | |
//! |---|---|
//! | I1 | `invariants/one_owner.rs` |
//! | I2 | `invariants/promises.rs` |
//! | I3, L2, owner and follower compared | `invariants/copies.rs` |
//! | I4, I4t | `invariants/limits.rs` (in shard time), `invariants/real_time.rs` (by a clock that nobody has), both by `history/over.rs` |
//! | I5 | `invariants/time_order.rs` |
//! | I6 | `invariants/take_over.rs` |
//! | I7 | `invariants/deadline.rs` |
//! | I9 | `invariants/denials.rs`, by `history/needless.rs` |
//! | I10 | `invariants/records.rs` |
//! | L1, L4 | `invariants/liveness.rs`, `invariants/liveness/gone.rs` |
//! | L3, epoch rule 7 | `invariants/redirects.rs` |
//! | epoch rule 5 | `invariants/policies.rs` |
//!
//! Not here: I8 (numbered checks are the node's, and tested there).

pub(crate) mod copies;
mod deadline;
mod denials;
mod limits;
pub(crate) mod liveness;
mod one_owner;
mod policies;
pub(crate) mod promises;
mod real_time;
pub(crate) mod records;
mod redirects;
pub(crate) mod take_over;
mod time_order;

use std::collections::{BTreeMap, BTreeSet};

use drl_core::{Epoch, Generation, NodeId, ShardId, ShardTime};
use drl_engine::ownership::{Holder, Origin, Promise, ShardRecord};

use crate::history::Admitted;
use crate::trace::{Client, Decided};

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{invariant} violated at {}.{:03} s: {what}", at / 1_000_000_000, at / 1_000_000 % 1_000)]
pub struct Violation {
    pub invariant: &'static str,
    pub at: u64,
    pub what: String,
}

impl Violation {
    pub(crate) fn new(invariant: &'static str, at: u64, what: String) -> Self {
        Self { invariant, at, what }
    }

    pub(crate) fn promise(shard: ShardId, at: u64) -> Self {
        promises::violation(shard, at)
    }
}

/// What really happened.
#[derive(Debug)]
pub(crate) struct Truth {
    pub clients: Vec<Client>,
    owners: one_owner::Owners,
    times: time_order::Times,
    limits: BTreeMap<(NodeId, Generation), u64>,
    /// Per shard: when it last started exhausted, in shard time.
    floors: Vec<Option<(Epoch, ShardTime)>>,
    /// Per shard: the epoch of the last cold take-over.
    taken_cold: Vec<Epoch>,
    /// Per shard: how many admissions were answered.
    admissions: Vec<u64>,
    /// Per shard: when it last answered.
    answered: Vec<u64>,
    /// Per node and generation: the epochs that its first reading said.
    owed: BTreeMap<(usize, Generation), Vec<Epoch>>,
    policies: policies::Policies,
    /// Until when each lifetime knows that it may answer, by real time.
    known_ends: BTreeMap<(usize, Generation), u64>,
    /// When shards were taken over without a plan, by real time.
    take_overs: Vec<Vec<u64>>,
    silences: liveness::Silences,
    /// When faults stopped.
    pub healed: Option<u64>,
    /// Epochs in which a follower could have taken over.
    in_sync: BTreeSet<(ShardId, Epoch)>,
    era: Era,
}

/// Whether etcd is what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Era {
    Usual,
    /// It was restored from a backup. What must hold then is only that nobody goes below a promise (protocol, epoch rule 8).
    Restored,
}

impl Truth {
    #[must_use]
    pub(crate) fn new(clients: Vec<Client>, shards: u16, nodes: usize) -> Self {
        let shards = usize::from(shards);
        Self {
            clients,
            owners: one_owner::Owners::new(shards),
            times: time_order::Times::new(shards),
            limits: BTreeMap::new(),
            floors: vec![None; shards],
            taken_cold: vec![Epoch(0); shards],
            admissions: vec![0; shards],
            answered: vec![0; shards],
            owed: BTreeMap::new(),
            policies: policies::Policies::new(shards),
            known_ends: BTreeMap::new(),
            take_overs: vec![Vec::new(); shards],
            silences: liveness::Silences::new(shards, nodes),
            healed: None,
            in_sync: BTreeSet::new(),
            era: Era::Usual,
        }
    }

    /// A node has decided. The decision, with its place in the client's list.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub(crate) fn decided(&mut self, decided: Decided) -> Result<Decided, Violation> {
        promises::decided(&decided)?;
        if self.era == Era::Restored {
            return Ok(decided);
        }
        redirects::decided(&decided)?;
        self.owners.decided(&decided)?;
        self.times.decided(&decided)?;
        if decided.allowed {
            self.policies.decided(&decided)?;
        }
        let floor = self.floors[decided.shard.index()];
        let client = &mut self.clients[decided.client];
        if !decided.allowed {
            // Limits that change deny by what they are at that moment.
            if client.smaller.is_none() {
                denials::check(client, &decided, floor)?;
            }
            return Ok(decided);
        }
        let Decided { real, at, cost, .. } = decided;
        client.admitted.push(Admitted { sent: real, real, at: Some(at), cost, answered: false });
        Ok(Decided { index: client.admitted.len() - 1, ..decided })
    }

    /// A shard starts exhausted: what was decided before binds nobody.
    pub(crate) fn policies_begin_anew(&mut self, shard: ShardId) {
        self.policies.begin_anew(shard);
    }

    /// Somebody became the owner without the help of the one before.
    pub(crate) fn taken_over(&mut self, shard: ShardId, now: u64) {
        self.take_overs[shard.index()].push(now);
    }

    /// A shard was taken over cold.
    pub(crate) fn taken_cold(&mut self, shard: ShardId, epoch: Epoch) {
        self.taken_cold[shard.index()] = epoch;
    }

    /// A record says that a shard has a follower in sync: from then on the follower is the fence.
    pub(crate) fn marked_in_sync(&mut self, shard: ShardId, epoch: Epoch) {
        self.in_sync.insert((shard, epoch));
    }

    /// The answer has left.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub(crate) fn answered(&mut self, decided: &Decided, node: &NodeId, now: u64) -> Result<(), Violation> {
        if self.era == Era::Restored {
            return Ok(());
        }
        let limit = self.limits.get(&(node.clone(), decided.generation)).copied().unwrap_or(0);
        deadline::check(decided, limit, now)?;
        self.answered[decided.shard.index()] = now;
        if decided.allowed {
            if !self.clients[decided.client].is_async() {
                self.times.answered(decided);
                self.policies.answered(decided);
            }
            let epochs = (decided.shard, decided.epoch)..(decided.shard, Epoch(u64::MAX));
            if self.in_sync.range(epochs).next().is_none() {
                self.owners.admitted(decided, now)?;
            }
            // What class `async` answered may be lost with whoever answered it.
            self.admissions[decided.shard.index()] += u64::from(!self.clients[decided.client].is_async());
            self.clients[decided.client].admitted[decided.index].answered = true;
        }
        Ok(())
    }

    /// Since when the shard that answered last the longest ago has not answered.
    pub(crate) fn silent_since(&self) -> u64 {
        self.answered.iter().min().copied().unwrap_or(0)
    }

    /// A follower acknowledges.
    ///
    /// # Errors
    /// A [`Violation`] when it does so past its own deadline.
    pub(crate) fn acknowledges(&self, by: &Holder, now: u64) -> Result<(), Violation> {
        if self.era == Era::Restored {
            return Ok(());
        }
        let limit = self.limits.get(&(by.node.clone(), by.generation)).copied().unwrap_or(0);
        deadline::check_acknowledgement(by, limit, now)
    }

    /// A heartbeat reached etcd: from when it was sent, its sender may answer for so long.
    pub(crate) fn beat(&mut self, node: &NodeId, generation: Generation, sent: u64) {
        let limit = self.limits.entry((node.clone(), generation)).or_default();
        *limit = (*limit).max(sent + deadline::AUTHORITY);
    }

    /// A node has learned that it may answer until `end`.
    ///
    /// # Errors
    /// A [`Violation`] when what it had known before had ended: it must have begun another lifetime.
    pub(crate) fn goes_on(&mut self, by: (usize, Generation), end: u64, now: u64) -> Result<(), Violation> {
        let before = self.known_ends.insert(by, end);
        if self.era == Era::Restored { Ok(()) } else { deadline::check_that_it_may_go_on(by.0, before, now) }
    }

    /// A node read everything. What its session began with binds it.
    pub(crate) fn read(&mut self, node: usize, generation: Generation, epochs: impl FnOnce() -> Vec<Epoch>) {
        self.owed.entry((node, generation)).or_insert_with(epochs);
    }

    /// A node sends a heartbeat: it serves.
    ///
    /// # Errors
    /// A [`Violation`] when its directory does not promise what it read.
    pub(crate) fn serves(
        &self,
        node: usize,
        generation: Generation,
        promised: impl Fn(ShardId) -> Promise,
        now: u64,
    ) -> Result<(), Violation> {
        match self.owed.get(&(node, generation)) {
            Some(owed) => promises::serves(owed, promised, node, now),
            None => Ok(()),
        }
    }

    /// etcd was restored from a backup.
    pub(crate) fn restored(&mut self) {
        self.era = Era::Restored;
    }

    /// A node answers for a shard from now on, from this time.
    ///
    /// # Errors
    /// A [`Violation`] when the record says something else about the counters.
    pub(crate) fn activated(
        &mut self,
        shard: ShardId,
        (epoch, origin, at): (Epoch, Origin, ShardTime),
        record: Option<&ShardRecord>,
        now: u64,
    ) -> Result<(), Violation> {
        if origin == Origin::Cold {
            self.floors[shard.index()] = Some((epoch, at));
        }
        let admissions = self.admissions[shard.index()];
        let is_taken_cold = self.taken_cold[shard.index()] == epoch;
        match record.filter(|record| record.epoch == epoch && self.era == Era::Usual) {
            Some(record) => take_over::activated(shard, origin, record, (is_taken_cold, admissions), now),
            None => Ok(()),
        }
    }

    /// What can only be seen in the whole trace.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub(crate) fn check_at_the_end(&self, end: u64, async_bound: u64) -> Result<(), Violation> {
        for (number, client) in self.clients.iter().enumerate() {
            let excess = real_time::Excess { bound: async_bound, take_overs: &self.take_overs[client.shard.index()] };
            if !client.is_async() {
                limits::check(number, client, end)?;
            }
            real_time::check(number, client, &excess, end)?;
        }
        if self.era == Era::Restored {
            return Ok(());
        }
        liveness::check(&self.answered, &self.clients, end)
    }
}
