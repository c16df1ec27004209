//! Who holds which shard, read from etcd: the JSON of the ownership records and of the nodes, which people and scripts may read as well.

use std::collections::BTreeMap;

use drl_coordination::{Entry, Keys, Place};
use drl_core::{ClientId, LimitKey, Namespace, NodeId, ShardCount, ShardId};
use serde::Deserialize;

#[derive(Debug, Clone, Default)]
pub(in super::super) struct Records {
    by_shard: BTreeMap<ShardId, Record>,
    /// Generation of each node that has a session.
    living: BTreeMap<NodeId, String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Record {
    owner: Holder,
    follower: Option<Holder>,
    in_sync: bool,
    cold: bool,
}

#[derive(Debug, Clone, Deserialize)]
struct Holder {
    node: String,
    generation: String,
}

#[derive(Deserialize)]
struct Session {
    generation: String,
}

impl Records {
    /// What cannot be read is left out, and then missing.
    pub(super) fn read(keys: &Keys, entries: &[Entry]) -> Self {
        let mut records = Self::default();
        for entry in entries {
            match keys.parse(&entry.key) {
                Ok(Place::Shard(shard)) => {
                    let record = serde_json::from_slice(&entry.value).ok();
                    records.by_shard.extend(record.map(|record| (shard, record)));
                }
                Ok(Place::Node(node)) => {
                    let session = serde_json::from_slice(&entry.value).ok();
                    records.living.extend(session.map(|session: Session| (node, session.generation)));
                }
                _ => {}
            }
        }
        records
    }

    /// Every shard has an owner and a copy in sync, both alive, and so many nodes have half of an even share at least.
    pub(in super::super) fn is_settled(&self, nodes: usize) -> bool {
        let share = self.shards() / nodes.max(1) / 2;
        let owned = self.owned();
        self.copied() == self.shards() && owned.len() == nodes && owned.values().all(|owned| *owned >= share)
    }

    /// Shards with an owner and a copy in sync, both alive.
    pub(in super::super) fn copied(&self) -> usize {
        let is_copied = |record: &&Record| {
            let is_followed = record.follower.as_ref().is_some_and(|follower| self.is_alive(follower));
            record.in_sync && !record.cold && is_followed && self.is_alive(&record.owner)
        };
        self.by_shard.values().filter(is_copied).count()
    }

    /// Whether this node owns every shard.
    pub(in super::super) fn are_all_of(&self, node: &str) -> bool {
        self.owned_by(node) == self.shards()
    }

    /// How many shards a node owns.
    pub(in super::super) fn owned_by(&self, node: &str) -> usize {
        self.by_shard.values().filter(|record| record.owner.node == node && self.is_alive(&record.owner)).count()
    }

    /// The places of those clients in the list that this node decides for.
    pub(in super::super) fn clients_of(&self, node: &str, clients: &[String]) -> Vec<usize> {
        let is_its = |client: &String| {
            let Ok(id) = ClientId::new(client.as_bytes()) else { return false };
            let shard = LimitKey::new(Namespace::DEFAULT, id).shard(ShardCount::DEFAULT);
            self.by_shard.get(&shard).is_some_and(|record| record.owner.node == node)
        };
        (0..).zip(clients).filter(|(_, client)| is_its(client)).map(|(place, _)| place).collect()
    }

    /// The nodes of a run do not choose another number.
    #[expect(clippy::unused_self, reason = "it is a fact about these records")]
    pub(in super::super) fn shards(&self) -> usize {
        usize::from(ShardCount::DEFAULT.get())
    }

    fn owned(&self) -> BTreeMap<&str, usize> {
        let mut owned = BTreeMap::new();
        for record in self.by_shard.values() {
            *owned.entry(record.owner.node.as_str()).or_default() += 1;
        }
        owned
    }

    fn is_alive(&self, holder: &Holder) -> bool {
        let node = NodeId::new(&holder.node).ok();
        node.and_then(|node| self.living.get(&node)).is_some_and(|generation| *generation == holder.generation)
    }
}

/// How far a cluster is, for people.
impl std::fmt::Display for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = self.by_shard.values().filter(|record| record.follower.is_some()).count();
        let cold = self.by_shard.values().filter(|record| record.cold).count();
        write!(
            f,
            "of {} shards {} have an owner ({:?}), {named} a follower named, {} a copy in sync, {cold} are cold",
            self.shards(),
            self.by_shard.len(),
            self.owned(),
            self.copied()
        )
    }
}

#[cfg(test)]
mod tests;
