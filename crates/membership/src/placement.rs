//! Who owns what and where everybody is, as this node last read it. A hint for routing: the owner itself decides whether it answers.

use std::collections::BTreeMap;

use drl_core::{Epoch, Generation, NodeId, ShardId};
use drl_engine::ownership::Holder;

use crate::documents::NodeAddresses;

/// What was read last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement {
    /// The newest revision of the store that is in it.
    pub revision: u64,
    /// By shard; `None` as long as nobody has claimed it.
    pub seats: Vec<Option<Seat>>,
    /// The nodes that hold a session.
    pub nodes: BTreeMap<NodeId, Node>,
}

/// Who owns a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    pub epoch: Epoch,
    pub owner: Holder,
    /// Who has a copy, or is about to.
    pub follower: Option<Holder>,
    /// The copy is complete, and no admission leaves without it.
    pub in_sync: bool,
    /// Its counters were lost and count as used up.
    pub cold: bool,
}

/// Whether a copy counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InSync {
    Yes,
    No,
}

/// A node that holds a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub generation: Generation,
    pub addresses: NodeAddresses,
    pub version: String,
    /// It was asked to leave.
    pub draining: bool,
}

impl Placement {
    #[must_use]
    pub fn seat(&self, shard: ShardId) -> Option<&Seat> {
        self.seats.get(shard.index()).and_then(Option::as_ref)
    }

    /// How many shards a node owns, whichever of its lifetimes.
    #[must_use]
    pub fn owned_by(&self, node: &NodeId) -> usize {
        self.seats.iter().flatten().filter(|seat| seat.owner.node == *node).count()
    }

    /// Of how many shards a node has a copy, or is to have one, whichever of its lifetimes.
    #[must_use]
    pub fn followed_by(&self, node: &NodeId, in_sync: InSync) -> usize {
        let follows = |seat: &&Seat| seat.follower.as_ref().is_some_and(|follower| follower.node == *node);
        self.seats.iter().flatten().filter(follows).filter(|seat| seat.in_sync == (in_sync == InSync::Yes)).count()
    }

    /// How many records name a node.
    #[must_use]
    pub fn naming(&self, node: &NodeId) -> usize {
        self.seats.iter().flatten().filter(|seat| seat.names(node)).count()
    }

    /// How many nodes there are beside this one that were not asked to leave.
    #[must_use]
    pub fn staying_beside(&self, node: &NodeId) -> usize {
        self.nodes.iter().filter(|(id, other)| *id != node && !other.draining).count()
    }

    /// The shards whose owner has a session.
    pub fn owned(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter().flatten().filter(|seat| {
            self.nodes.get(&seat.owner.node).is_some_and(|node| node.generation == seat.owner.generation)
        })
    }

    /// How many shards have an owner that has a session.
    #[must_use]
    pub fn with_owner(&self) -> usize {
        self.owned().count()
    }
}

impl Seat {
    /// Whether a node is the owner or the follower, whichever of its lifetimes.
    #[must_use]
    pub fn names(&self, node: &NodeId) -> bool {
        self.owner.node == *node || self.follower.as_ref().is_some_and(|follower| follower.node == *node)
    }
}
