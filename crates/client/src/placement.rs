//! Where every shard is, as this client knows it. A later word about a shard has a higher epoch; an earlier one changes nothing.
//!
//! It knows no network: updates come in, addresses go out.

use std::collections::BTreeMap;
use std::sync::Arc;

use drl_core::{Epoch, InvalidShardCount, LimitKey, ShardCount, ShardId};
use drl_proto::v1;

/// The name of a node.
pub(crate) type NodeName = Arc<str>;

#[derive(Debug, Clone)]
pub(crate) struct Placement {
    revision: u64,
    shards: ShardCount,
    nodes: BTreeMap<NodeName, Node>,
    seats: Vec<Option<Seat>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    /// The gRPC address, `host:port`.
    address: Arc<str>,
    /// A node that went keeps its address while a shard names it: its session may only have been renewed late.
    is_here: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) epoch: Epoch,
    pub(crate) owner: NodeName,
}

/// Whom to ask about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) shard: ShardId,
    /// As of which epoch; zero when nobody is known.
    pub(crate) epoch: Epoch,
    /// `None`: the shard has no owner yet, or none whose address is known.
    pub(crate) owner: Option<Owner>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) node: NodeName,
    pub(crate) address: Arc<str>,
}

/// How far to believe the first words of a node that is behind what is known already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Another node may know better.
    Newer,
    /// No other node knows better: the cluster itself went back (a backup was restored).
    Any,
}

/// An update that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("it is behind: it knows revision {told}, revision {known} is known already")]
    Behind { told: u64, known: u64 },
    #[error("it speaks of {told} shards, the cluster has {known}; is it a node of the same cluster?")]
    OtherCluster { told: u32, known: u16 },
    #[error(transparent)]
    Shards(#[from] InvalidShardCount),
    #[error("its first message is not the whole placement")]
    NotWhole,
}

impl Placement {
    /// What the first message of a watch says.
    pub(crate) fn new(update: v1::PlacementUpdate) -> Result<Self, NotTaken> {
        if !update.whole {
            return Err(NotTaken::NotWhole);
        }
        let shards = ShardCount::new(update.shard_count.into())?;
        let seats = vec![None; shards.get().into()];
        let mut placement = Self { revision: update.revision, shards, nodes: BTreeMap::new(), seats };
        placement.merge(update);
        Ok(placement)
    }

    /// Takes an update of a watch in.
    pub(crate) fn apply(&mut self, update: v1::PlacementUpdate, trust: Trust) -> Result<(), NotTaken> {
        if update.shard_count != u32::from(self.shards.get()) {
            return Err(NotTaken::OtherCluster { told: update.shard_count, known: self.shards.get() });
        }
        let is_behind = update.revision < self.revision;
        match (is_behind, trust) {
            (true, Trust::Newer) => Err(NotTaken::Behind { told: update.revision, known: self.revision }),
            (true, Trust::Any) if update.whole => {
                *self = Self::new(update)?;
                Ok(())
            }
            _ => {
                self.revision = update.revision;
                if update.whole {
                    self.nodes.values_mut().for_each(|node| node.is_here = false);
                }
                self.merge(update);
                Ok(())
            }
        }
    }

    fn merge(&mut self, update: v1::PlacementUpdate) {
        for node in update.nodes {
            let address: Arc<str> = node.addresses.unwrap_or_default().grpc.into();
            if !address.is_empty() {
                self.nodes.insert(node.id.into(), Node { address, is_here: true });
            }
        }
        for gone in &update.nodes_gone {
            if let Some(node) = self.nodes.get_mut(&**gone) {
                node.is_here = false;
            }
        }
        for seat in update.seats {
            if let Ok(shard) = u16::try_from(seat.shard) {
                self.learn(ShardId::new(shard), Epoch(seat.epoch), &seat.node);
            }
        }
        self.forget_gone();
    }

    /// Somebody says that `owner` owns the shard since `epoch`. Returns whether that is news.
    pub(crate) fn learn(&mut self, shard: ShardId, epoch: Epoch, owner: &str) -> bool {
        let Some(seat) = self.seats.get_mut(shard.index()) else { return false };
        let known = seat.as_ref().map_or(Epoch(0), |seat| seat.epoch);
        if epoch <= known || owner.is_empty() {
            return false;
        }
        // One name for all shards of a node.
        let owner = self.nodes.get_key_value(owner).map_or_else(|| owner.into(), |(name, _)| Arc::clone(name));
        *seat = Some(Seat { epoch, owner });
        true
    }

    fn forget_gone(&mut self) {
        let Self { nodes, seats, .. } = self;
        if nodes.values().any(|node| !node.is_here) {
            nodes.retain(|name, node| node.is_here || seats.iter().flatten().any(|seat| seat.owner == *name));
        }
    }

    /// Whom to ask about a key.
    pub(crate) fn route(&self, key: LimitKey<'_>) -> Route {
        let shard = key.shard(self.shards);
        let Some(seat) = self.seat(shard) else { return Route { shard, epoch: Epoch(0), owner: None } };
        let owner = self
            .nodes
            .get(&seat.owner)
            .map(|node| Owner { node: Arc::clone(&seat.owner), address: Arc::clone(&node.address) });
        Route { shard, epoch: seat.epoch, owner }
    }

    pub(crate) fn seat(&self, shard: ShardId) -> Option<&Seat> {
        self.seats.get(shard.index())?.as_ref()
    }

    /// The epoch of a shard; zero when nobody is known to own it.
    pub(crate) fn epoch(&self, shard: ShardId) -> Epoch {
        self.seat(shard).map_or(Epoch(0), |seat| seat.epoch)
    }

    /// The address of a node, if it is known.
    pub(crate) fn address(&self, node: &str) -> Option<&Arc<str>> {
        self.nodes.get(node).map(|node| &node.address)
    }

    /// The addresses of all nodes that have a session.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Arc<str>> {
        self.nodes.values().filter(|node| node.is_here).map(|node| &node.address)
    }

    /// The nodes that have a session.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = Owner> {
        let is_here = self.nodes.iter().filter(|(_, node)| node.is_here);
        is_here.map(|(name, node)| Owner { node: Arc::clone(name), address: Arc::clone(&node.address) })
    }
}

#[cfg(test)]
mod tests;
