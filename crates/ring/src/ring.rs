//! The consistent-hash ring: every member has [`VIRTUAL_NODES`] places on a circle, and a shard prefers the members in the order
//! in which it meets them, clockwise from its own place (Karger et al. 1997).
//!
//! Built once per membership change. Members are sorted by name first, so their order in the list means nothing. Draining
//! members have no place, unless all drain: somebody must hold what nobody holds yet. The ring knows nothing of load.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use drl_core::{NodeId, ShardId};
use hashring::HashRing;

use crate::member::{Duty, Member};
use crate::position::{AsIs, Position};
use crate::preference::Preference;

/// Places of one member. With 128 the shares of three nodes differ by a tenth or so before the planner evens them out, and 100
/// nodes are built in a few milliseconds; more would spread better than the shards themselves do.
pub const VIRTUAL_NODES: u16 = 128;

/// A member of a ring, by its number in the order of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(pub(crate) usize);

/// A machine, by the first member that runs on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Machine(pub(crate) usize);

/// The ring of one membership.
#[derive(Debug, Clone)]
pub struct Ring {
    nodes: Vec<NodeId>,
    /// Of each node.
    machines: Vec<Machine>,
    /// Finds the virtual node at or behind a position.
    circle: HashRing<VirtualNode, AsIs>,
    /// Whose virtual node stands at each rank of the circle.
    order: Vec<Slot>,
    everyone_drains: bool,
}

#[derive(Debug, Clone, Copy)]
struct VirtualNode {
    position: Position,
    owner: Slot,
    /// Its place in the order of positions, so that a walk can start from it.
    rank: usize,
}

impl Hash for VirtualNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.position.hash(state);
    }
}

impl Ring {
    /// A ring of the serving members. Of two members with the same name one counts.
    #[must_use]
    pub fn new(members: &[Member]) -> Self {
        let everyone_drains = members.iter().all(|member| member.duty == Duty::Draining);
        let mut eligible: Vec<&Member> =
            members.iter().filter(|member| everyone_drains || member.duty == Duty::Serving).collect();
        eligible.sort();
        eligible.dedup_by(|later, first| later.node == first.node);
        let nodes: Vec<NodeId> = eligible.iter().map(|member| member.node.clone()).collect();
        let order = in_order(&nodes);
        let mut circle = HashRing::with_hasher(AsIs);
        circle.batch_add(order.clone());
        let order = order.into_iter().map(|place| place.owner).collect();
        Self { machines: machines(&eligible), nodes, circle, order, everyone_drains }
    }

    /// The nodes that may hold shards, in order of their names.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// Whether nobody wants shards: then nothing moves, but what nobody holds is still given to someone.
    #[must_use]
    pub const fn everyone_drains(&self) -> bool {
        self.everyone_drains
    }

    /// All nodes in the order in which the ring proposes them for `shard`, each once.
    pub fn preference(&self, shard: ShardId) -> impl Iterator<Item = &NodeId> {
        self.walk(shard).map(|slot| &self.nodes[slot.0])
    }

    pub(crate) fn walk(&self, shard: ShardId) -> Preference<'_> {
        let start = self.circle.get(&Position::of_shard(shard)).map_or(0, |place| place.rank);
        Preference::new(&self.order, start, self.nodes.len())
    }

    pub(crate) fn slot(&self, node: &NodeId) -> Option<Slot> {
        self.nodes.binary_search(node).ok().map(Slot)
    }

    pub(crate) fn node(&self, slot: Slot) -> &NodeId {
        &self.nodes[slot.0]
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        (0..self.nodes.len()).map(Slot)
    }

    pub(crate) fn machine(&self, slot: Slot) -> Machine {
        self.machines[slot.0]
    }

    pub(crate) fn machine_count(&self) -> usize {
        self.machines.iter().collect::<BTreeSet<_>>().len()
    }
}

/// All virtual nodes by position, two on one position in order of names. `hashring` sorts them in the same way, but tells its
/// order only for its own hasher.
fn in_order(nodes: &[NodeId]) -> Vec<VirtualNode> {
    let places = nodes.iter().enumerate().flat_map(|(index, node)| {
        (0..VIRTUAL_NODES).map(move |number| VirtualNode {
            position: Position::of_virtual_node(node, number),
            owner: Slot(index),
            rank: 0,
        })
    });
    let mut places: Vec<VirtualNode> = places.collect();
    places.sort_by_key(|place| place.position);
    places.into_iter().enumerate().map(|(rank, place)| VirtualNode { rank, ..place }).collect()
}

fn machines(members: &[&Member]) -> Vec<Machine> {
    let mut first: BTreeMap<&str, Machine> = BTreeMap::new();
    let numbered = members.iter().enumerate().map(|(index, member)| match &member.machine {
        Some(name) => *first.entry(name).or_insert(Machine(index)),
        None => Machine(index),
    });
    numbered.collect()
}

#[cfg(test)]
mod tests;
