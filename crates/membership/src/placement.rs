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

    /// How many shards have an owner that has a session.
    #[must_use]
    pub fn with_owner(&self) -> usize {
        let lives = |seat: &&Seat| {
            self.nodes.get(&seat.owner.node).is_some_and(|node| node.generation == seat.owner.generation)
        };
        self.seats.iter().flatten().filter(lives).count()
    }
}
