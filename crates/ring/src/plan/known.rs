//! The present placement as the planner sees it: nodes that are in the ring, by number. Whoever is not in the ring holds
//! nothing; why it is not there does not matter.

use drl_core::{NodeId, ShardId};

use crate::placement::Placement;
use crate::ring::{Ring, Slot};

/// Who of the ring holds what at present.
pub(super) struct Known {
    owners: Vec<Option<Slot>>,
    followers: Vec<Option<Slot>>,
}

impl Known {
    pub(super) fn of(ring: &Ring, present: &Placement) -> Self {
        let slot = |node: &Option<NodeId>| node.as_ref().and_then(|node| ring.slot(node));
        Self {
            owners: present.iter().map(|(_, seats)| slot(&seats.owner)).collect(),
            followers: present.iter().map(|(_, seats)| slot(&seats.follower)).collect(),
        }
    }

    pub(super) fn owner(&self, shard: ShardId) -> Option<Slot> {
        self.owners[shard.index()]
    }

    pub(super) fn follower(&self, shard: ShardId) -> Option<Slot> {
        self.followers[shard.index()]
    }

    pub(super) fn shards(&self) -> usize {
        self.owners.len()
    }
}
