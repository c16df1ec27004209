//! Where every shard lives and how its owner is reached, as the coordination service says. A value: who keeps it up to date sends
//! another one through a `tokio::sync::watch`.

use std::collections::BTreeMap;

use drl_core::{Epoch, Generation, NodeId, ShardId};
use drl_engine::ownership::Holder;

/// A snapshot of the placement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement {
    /// Of the coordination service; zero: nothing was read yet.
    pub revision: u64,
    /// By shard; `None`: nobody has owned it.
    pub seats: Vec<Option<Seat>>,
    /// The nodes that have a session.
    pub nodes: BTreeMap<NodeId, Node>,
}

/// Who owns a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    pub epoch: Epoch,
    pub owner: Holder,
    /// The counters were lost and count as exhausted.
    pub cold: bool,
}

/// A node that has a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub generation: Generation,
    pub addresses: NodeAddresses,
    pub version: String,
    pub draining: bool,
}

/// Where clients and peers reach a node, each as `host:port`; `None`: that door is shut.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeAddresses {
    pub grpc: String,
    pub http: Option<String>,
    pub resp: Option<String>,
}

impl Placement {
    #[must_use]
    pub fn seat(&self, shard: ShardId) -> Option<&Seat> {
        self.seats.get(shard.index())?.as_ref()
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
