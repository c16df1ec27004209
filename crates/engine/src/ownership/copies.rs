//! Whom an owner wants to have a copy of its shards.
//!
//! Rule (protocol, sections 2 and 5): the ring says whom; whoever was dropped waits before it is tried again, and another node may be
//! named meanwhile.

use drl_core::{Nanos, NodeId, ShardId};
use drl_ring::Seats;

use super::agent::NodeAgent;
use super::bugs::Bugs;
use super::record::Holder;

impl<B: Bugs> NodeAgent<B> {
    /// Who should have a copy of a shard that this node owns, and can have one now. As long as whom the plan names says nothing, or was
    /// dropped a moment ago, it is whoever the plan would name without it: its session may take long to end.
    pub(super) fn wanted_copy(&mut self, shard: ShardId, now: Nanos) -> Option<Holder> {
        let planned = self.planned_copy(shard)?;
        if !self.is_of_no_use(&planned, now) {
            return Some(planned);
        }
        let living =
            self.known.living().map(|(node, entry)| Holder { node: node.clone(), generation: entry.generation });
        let gone = living.filter(|holder| self.is_of_no_use(holder, now)).map(|holder| holder.node).collect();
        let seats = self.plan_without(&gone)?.get(shard)?.clone();
        self.copy_among(seats).filter(|holder| !self.is_of_no_use(holder, now))
    }

    fn is_of_no_use(&self, holder: &Holder, now: Nanos) -> bool {
        self.is_lost(holder) || self.drops.waits(&holder.node, now)
    }

    /// Whoever should own a shard of this node, else whoever should follow it.
    pub(super) fn planned_copy(&mut self, shard: ShardId) -> Option<Holder> {
        let seats = self.plan()?.get(shard)?.clone();
        self.copy_among(seats)
    }

    fn copy_among(&self, seats: Seats) -> Option<Holder> {
        let node: NodeId = match seats.owner {
            Some(owner) if owner != self.me => owner,
            _ => seats.follower.filter(|follower| *follower != self.me)?,
        };
        let generation = self.known.node(&node)?.generation;
        Some(Holder { generation, node })
    }
}
