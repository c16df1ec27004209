//! The checker: what must hold, whatever goes wrong. Each invariant is a file with its source; all are linear in the trace.
//!
//! | | |
//! |---|---|
//! | I1 | `invariants/one_owner.rs` |
//! | I2 | `invariants/promises.rs` |
//! | I4, I4t | `invariants/limits.rs` (in shard time), `invariants/real_time.rs` (by a clock that nobody has) |
//! | I5 | `invariants/time_order.rs` |
//! | I6 | `invariants/take_over.rs` |
//! | I7 | `invariants/deadline.rs` |
//! | I9 | `invariants/denials.rs` |
//! | I10 | `invariants/records.rs` |
//! | L1 | `invariants/liveness.rs` |
//!
//! Not here: I3, I4a, L2 (no followers yet), I8 (checks are not numbered yet), L3 (a check is forwarded once), L4 (moves of
//! written shards).

mod deadline;
mod denials;
mod limits;
mod liveness;
mod one_owner;
mod promises;
mod real_time;
pub(crate) mod records;
pub(crate) mod take_over;
mod time_order;

use std::collections::BTreeMap;

use drl_core::{Epoch, Generation, NodeId, ShardId, ShardTime};

use crate::trace::{Admitted, Client, Decided};

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
    /// Per shard: how many admissions were answered.
    admissions: Vec<u64>,
    /// Per shard: when it last answered.
    answered: Vec<u64>,
}

impl Truth {
    #[must_use]
    pub(crate) fn new(clients: Vec<Client>, shards: u16) -> Self {
        let shards = usize::from(shards);
        Self {
            clients,
            owners: one_owner::Owners::new(shards),
            times: time_order::Times::new(shards),
            limits: BTreeMap::new(),
            floors: vec![None; shards],
            admissions: vec![0; shards],
            answered: vec![0; shards],
        }
    }

    /// A node has decided. The decision, with its place in the client's list.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub(crate) fn decided(&mut self, decided: Decided) -> Result<Decided, Violation> {
        self.owners.decided(&decided)?;
        self.times.decided(&decided)?;
        let floor = self.floors[decided.shard.index()];
        let client = &mut self.clients[decided.client];
        if !decided.allowed {
            denials::check(client, &decided, floor)?;
            return Ok(decided);
        }
        let Decided { real, at, cost, .. } = decided;
        client.admitted.push(Admitted { real, at, cost, answered: false });
        Ok(Decided { index: client.admitted.len() - 1, ..decided })
    }

    /// The answer has left.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub(crate) fn answered(&mut self, decided: &Decided, node: &NodeId, now: u64) -> Result<(), Violation> {
        let limit = self.limits.get(&(node.clone(), decided.generation)).copied().unwrap_or(0);
        deadline::check(decided, limit, now)?;
        self.answered[decided.shard.index()] = now;
        if decided.allowed {
            self.owners.admitted(decided, now)?;
            self.admissions[decided.shard.index()] += 1;
            self.clients[decided.client].admitted[decided.index].answered = true;
        }
        Ok(())
    }

    /// A heartbeat reached etcd: from when it was sent, its sender may answer for so long.
    pub(crate) fn beat(&mut self, node: &NodeId, generation: Generation, sent: u64) {
        let limit = self.limits.entry((node.clone(), generation)).or_default();
        *limit = (*limit).max(sent + deadline::AUTHORITY);
    }

    /// A shard starts exhausted.
    pub(crate) fn floor(&mut self, shard: ShardId, epoch: Epoch, at: ShardTime) {
        self.floors[shard.index()] = Some((epoch, at));
    }

    /// What can only be seen in the whole trace.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub(crate) fn check_at_the_end(&self, end: u64) -> Result<(), Violation> {
        for (number, client) in self.clients.iter().enumerate() {
            limits::check(number, client, end)?;
            real_time::check(number, client, end)?;
        }
        liveness::check(&self.answered, &self.clients, end)
    }
}
