//! Who holds which shard in one role, while it is planned, and how many each node holds.

use drl_core::ShardId;

use crate::ring::{Ring, Slot};

/// Who sits where in one role, by shard.
pub(super) struct Seating {
    nodes: Vec<Option<Slot>>,
    loads: Vec<usize>,
}

impl Seating {
    /// Nobody holds any of `shards`.
    pub(super) fn empty(ring: &Ring, shards: usize) -> Self {
        Self { nodes: vec![None; shards], loads: vec![0; ring.nodes().len()] }
    }

    pub(super) fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..=u16::MAX).map(ShardId::new).take(self.nodes.len())
    }

    pub(super) fn node_at(&self, shard: ShardId) -> Option<Slot> {
        self.nodes[shard.index()]
    }

    /// Gives the shard to `node`, from whoever held it.
    pub(super) fn seat(&mut self, shard: ShardId, node: Slot) {
        if let Some(before) = self.nodes[shard.index()].replace(node) {
            self.loads[before.0] -= 1;
        }
        self.loads[node.0] += 1;
    }

    pub(super) fn load(&self, node: Slot) -> usize {
        self.loads[node.0]
    }

    /// By node.
    pub(super) fn loads(&self) -> &[usize] {
        &self.loads
    }

    /// How many shards nobody holds.
    pub(super) fn vacant(&self) -> usize {
        self.nodes.len() - self.loads.iter().sum::<usize>()
    }
}
