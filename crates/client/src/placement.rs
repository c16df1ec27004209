//! Where every shard is, as this client knows it. A later word about a shard has a higher epoch; an earlier one changes nothing.
//!
//! It knows no network: updates come in, addresses go out. Every limiter of a process has one for itself, so a shard takes ten bytes of
//! it: its epoch, and the number that `roster.rs` has given its owner.

mod roster;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use drl_core::{Epoch, InvalidShardCount, LimitKey, ShardCount, ShardId};
use drl_proto::v1;
use roster::{Number, Roster};

/// The name of a node.
pub(crate) type NodeName = Arc<str>;

#[derive(Debug, Clone)]
pub(crate) struct Placement {
    revision: u64,
    shards: ShardCount,
    roster: Roster,
    /// Of each shard; zero when nobody is known to own it.
    epochs: Box<[Epoch]>,
    owners: Box<[Number]>,
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
        let count = shards.get().into();
        let (epochs, owners) = (vec![Epoch(0); count].into(), vec![Number::NOBODY; count].into());
        let mut placement = Self { revision: update.revision, shards, roster: Roster::default(), epochs, owners };
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
                    self.roster.leave_all();
                }
                self.merge(update);
                Ok(())
            }
        }
    }

    fn merge(&mut self, update: v1::PlacementUpdate) {
        for node in update.nodes {
            let address = node.addresses.unwrap_or_default().grpc;
            if !address.is_empty() {
                self.roster.arrive(&node.id, &address);
            }
        }
        for gone in &update.nodes_gone {
            self.roster.leave(gone);
        }
        for seat in update.seats {
            if let Ok(shard) = u16::try_from(seat.shard) {
                self.learn(ShardId::new(shard), Epoch(seat.epoch), &seat.node);
            }
        }
        self.roster.forget_gone(&self.owners);
    }

    /// Somebody says that `owner` owns the shard since `epoch`. Returns whether that is news.
    pub(crate) fn learn(&mut self, shard: ShardId, epoch: Epoch, owner: &str) -> bool {
        if shard.index() >= self.epochs.len() || epoch <= self.epoch(shard) || owner.is_empty() {
            return false;
        }
        let Some(owner) = self.roster.entry(owner) else { return false };
        self.epochs[shard.index()] = epoch;
        self.owners[shard.index()] = owner;
        true
    }

    /// Whom to ask about a key.
    pub(crate) fn route(&self, key: LimitKey<'_>) -> Route {
        let shard = key.shard(self.shards);
        Route { shard, epoch: self.epoch(shard), owner: self.owner(shard) }
    }

    /// The owner of a shard; `None` when there is none, or none whose address is known.
    pub(crate) fn owner(&self, shard: ShardId) -> Option<Owner> {
        self.owners.get(shard.index()).and_then(|number| self.roster.get(*number)).and_then(Owner::of)
    }

    /// The epoch of a shard; zero when nobody is known to own it.
    pub(crate) fn epoch(&self, shard: ShardId) -> Epoch {
        self.epochs.get(shard.index()).copied().unwrap_or(Epoch(0))
    }

    /// The address of a node, if it is known.
    pub(crate) fn address(&self, node: &str) -> Option<&Arc<str>> {
        self.roster.by_name(node)?.address.as_ref()
    }

    /// The nodes that have a session.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = Owner> {
        self.roster.all().filter(|node| node.is_here).filter_map(Owner::of)
    }
}

impl Owner {
    fn of(node: &roster::Node) -> Option<Self> {
        Some(Self { node: Arc::clone(&node.name), address: Arc::clone(node.address.as_ref()?) })
    }
}
