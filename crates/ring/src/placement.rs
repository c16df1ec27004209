//! Who holds which shard: a table of all shards, as the ownership records have it or as a plan would have it. Nothing here judges:
//! a present placement may name nodes that are gone, or a machine twice.

use drl_core::{NodeId, ShardCount, ShardId};

/// Who holds one shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seats {
    /// `None`: nobody has claimed it yet.
    pub owner: Option<NodeId>,
    /// `None`: there is one copy only.
    pub follower: Option<NodeId>,
}

/// Who holds which shard, for all shards of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    seats: Vec<Seats>,
}

impl Seats {
    /// Whether the node has a copy of the shard, in either role.
    #[must_use]
    pub fn names(&self, node: &NodeId) -> bool {
        self.nodes().any(|held| held == node)
    }

    /// The owner, then the follower.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeId> {
        self.owner.iter().chain(&self.follower)
    }
}

impl Placement {
    /// Nobody holds anything: a cluster before its first claim.
    #[must_use]
    pub fn empty(shards: ShardCount) -> Self {
        Self { seats: vec![Seats::default(); usize::from(shards.get())] }
    }

    /// `None` when the cluster has no such shard.
    #[must_use]
    pub fn get(&self, shard: ShardId) -> Option<&Seats> {
        self.seats.get(shard.index())
    }

    /// `None` when the cluster has no such shard.
    pub fn get_mut(&mut self, shard: ShardId) -> Option<&mut Seats> {
        self.seats.get_mut(shard.index())
    }

    /// How many shards the cluster has.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.seats.len()
    }

    /// All shards in order.
    pub fn iter(&self) -> impl Iterator<Item = (ShardId, &Seats)> {
        (0..=u16::MAX).map(ShardId::new).zip(&self.seats)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (ShardId, &mut Seats)> {
        (0..=u16::MAX).map(ShardId::new).zip(&mut self.seats)
    }
}
