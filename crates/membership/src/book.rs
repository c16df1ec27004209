//! What was read last of every key that ownership is about, and which of them make no sense.
//!
//! Rules for values that somebody broke by hand: the last good one stays in force. A record that cannot be read is not told to the
//! state machine; a heartbeat that cannot be read still counts as one, with the latest time that its node is known to have promised.

use std::collections::BTreeMap;
use std::sync::Arc;

use drl_coordination::{Entry, Key, Revision as StoreRevision};
use drl_core::{Epoch, NodeId, ShardCount, ShardId, ShardTime};
use drl_engine::ownership::{Beat, Holder, LeaseId, NodeEntry, Revision, Versioned};

use crate::documents::{self, NodeDocument};
use crate::moves::{Move, Moves, What, Why, between};
use crate::placement::{Node, Placement, Seat};

#[derive(Debug)]
struct Read<T> {
    value: Option<T>,
    as_of: Revision,
}

/// A key that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) reason: String,
    /// In which revision it got so; what a repair compares.
    pub(crate) changed: StoreRevision,
}

/// The last values.
#[derive(Debug)]
pub(crate) struct Book {
    records: Vec<Option<Read<Versioned>>>,
    nodes: BTreeMap<NodeId, Read<(NodeEntry, NodeDocument)>>,
    beats: BTreeMap<NodeId, Read<ShardTime>>,
    broken: BTreeMap<Key, Broken>,
    revision: Revision,
    /// Whether the placement has changed since it was last taken.
    is_changed: bool,
    moves: Arc<Moves>,
    /// Wall time, as of the last time that it was told.
    pub(crate) now: ShardTime,
}

impl Book {
    pub(crate) fn new(shards: ShardCount, moves: Arc<Moves>) -> Self {
        Self {
            records: shards.iter().map(|_| None).collect(),
            nodes: BTreeMap::new(),
            beats: BTreeMap::new(),
            broken: BTreeMap::new(),
            revision: Revision(0),
            is_changed: true,
            moves,
            now: ShardTime::default(),
        }
    }

    /// Takes a record as of a revision. `None`: it cannot be read, or is of no shard of this cluster.
    pub(crate) fn record(&mut self, shard: ShardId, entry: &Entry, as_of: Revision) -> Option<Versioned> {
        let read = documents::read_record(&entry.value).map_err(|error| error.to_string());
        let record = self.note(&entry.key, entry.changed, read)?;
        let versioned = Versioned { record, changed: Revision(entry.changed.0) };
        self.note_move(shard, &versioned, as_of);
        let slot = self.records.get_mut(shard.index())?;
        if slot.as_ref().is_none_or(|read| read.as_of <= as_of) {
            let value = Some(versioned.clone());
            self.is_changed |= slot.as_ref().is_none_or(|read| read.value != value);
            *slot = Some(Read { value, as_of });
        }
        self.revision = self.revision.max(as_of);
        Some(versioned)
    }

    /// Remembers what happened to a shard. The first reading of a record that is older says nothing about that.
    fn note_move(&self, shard: ShardId, new: &Versioned, as_of: Revision) {
        let old = self.last_record(shard);
        let what = match old {
            Some(old) if old.changed < new.changed => between(&old.record, &new.record, |holder| self.lot(holder)),
            None if new.changed == as_of && new.record.epoch == Epoch(1) => {
                Some(What::Claimed { by: new.record.owner.node.clone() })
            }
            _ => None,
        };
        if let Some(what) = what {
            self.moves.note(shard, Move { epoch: new.record.epoch, at: self.now, what });
        }
    }

    fn lot(&self, holder: &Holder) -> Why {
        match self.nodes.get(&holder.node).and_then(|read| read.value.as_ref()) {
            Some((entry, _)) if entry.generation != holder.generation => Why::IsGone,
            Some((entry, _)) if entry.draining => Why::Drains,
            Some(_) => Why::Serves,
            None => Why::IsGone,
        }
    }

    /// The record as it was last read.
    pub(crate) fn last_record(&self, shard: ShardId) -> Option<&Versioned> {
        self.records.get(shard.index())?.as_ref()?.value.as_ref()
    }

    /// The shards whose records were there in a revision, as far as is known.
    pub(crate) fn recorded(&self, in_revision: Revision) -> Vec<ShardId> {
        let is_there =
            |read: &Read<Versioned>| read.value.as_ref().is_some_and(|versioned| versioned.changed <= in_revision);
        let shards = (0..).map(ShardId::new).zip(&self.records);
        shards.filter(|(_, read)| read.as_ref().is_some_and(is_there)).map(|(shard, _)| shard).collect()
    }

    /// Takes what this node wrote itself.
    pub(crate) fn wrote_record(&mut self, shard: ShardId, versioned: Versioned) {
        let as_of = versioned.changed;
        self.note_move(shard, &versioned, as_of);
        if let Some(slot) = self.records.get_mut(shard.index())
            && slot.as_ref().is_none_or(|read| read.as_of <= as_of)
        {
            *slot = Some(Read { value: Some(versioned), as_of });
            self.is_changed = true;
        }
        self.revision = self.revision.max(as_of);
    }

    /// Takes a node's key. `None`: it cannot be read.
    pub(crate) fn node(&mut self, node: &NodeId, entry: &Entry, as_of: Revision) -> Option<NodeEntry> {
        let read = documents::read_node(&entry.value).map_err(|error| error.to_string());
        let document = self.note(&entry.key, entry.changed, read)?;
        let found = NodeEntry {
            generation: document.generation,
            lease: LeaseId(entry.lease.map_or(0, drl_coordination::LeaseId::get)),
            created: Revision(entry.created.0),
            draining: document.draining,
        };
        self.put_node(node, Some((found, document)), as_of);
        Some(found)
    }

    /// The node's key is gone.
    pub(crate) fn node_gone(&mut self, node: &NodeId, key: &Key, as_of: Revision) {
        self.broken.remove(key);
        self.put_node(node, None, as_of);
    }

    fn put_node(&mut self, node: &NodeId, value: Option<(NodeEntry, NodeDocument)>, as_of: Revision) {
        let slot = self.nodes.entry(node.clone()).or_insert(Read { value: None, as_of: Revision(0) });
        if slot.as_of <= as_of {
            self.is_changed |= slot.value != value;
            *slot = Read { value, as_of };
        }
        self.revision = self.revision.max(as_of);
    }

    /// Takes a heartbeat. One that cannot be read has the latest time that is known of it, or `otherwise`.
    pub(crate) fn beat(&mut self, node: &NodeId, entry: &Entry, as_of: Revision, otherwise: ShardTime) -> Beat {
        let read = documents::read_beat(&entry.value).map_err(|error| error.to_string());
        let known = self.beats.get(node).and_then(|read| read.value);
        let time_hi = self.note(&entry.key, entry.changed, read).or(known).unwrap_or(otherwise);
        let slot = self.beats.entry(node.clone()).or_insert(Read { value: None, as_of: Revision(0) });
        if slot.as_of <= as_of {
            *slot = Read { value: Some(time_hi), as_of };
        }
        Beat { changed: Revision(entry.changed.0), time_hi }
    }

    /// Everybody whose key is known to be there.
    pub(crate) fn living(&self) -> Vec<NodeId> {
        self.nodes.iter().filter(|(_, read)| read.value.is_some()).map(|(node, _)| node.clone()).collect()
    }

    /// Those of them that were not asked to leave.
    pub(crate) fn staying(&self) -> impl Iterator<Item = &NodeId> {
        let stays =
            |read: &Read<(NodeEntry, NodeDocument)>| read.value.as_ref().is_some_and(|(entry, _)| !entry.draining);
        self.nodes.iter().filter(move |(_, read)| stays(read)).map(|(node, _)| node)
    }

    /// Everybody of whom a heartbeat is known.
    pub(crate) fn beating(&self) -> Vec<NodeId> {
        self.beats.keys().cloned().collect()
    }

    pub(crate) fn beat_gone(&mut self, node: &NodeId, key: &Key) {
        self.broken.remove(key);
        self.beats.remove(node);
    }

    /// A key that is no key of this cluster, or whose place is unknown.
    pub(crate) fn misplaced(&mut self, key: &Key, reason: String) {
        let _: Option<()> = self.note(key, StoreRevision::ABSENT, Err(reason));
    }

    /// The keys that cannot be read, with the reasons.
    pub(crate) const fn broken(&self) -> &BTreeMap<Key, Broken> {
        &self.broken
    }

    /// The placement, if it has changed since it was last taken.
    pub(crate) fn take_placement(&mut self) -> Option<Placement> {
        if !std::mem::take(&mut self.is_changed) {
            return None;
        }
        let seat = |versioned: &Versioned| Seat {
            epoch: versioned.record.epoch,
            owner: versioned.record.owner.clone(),
            follower: versioned.record.follower.clone(),
            in_sync: versioned.record.in_sync,
            cold: versioned.record.cold,
        };
        let seats = self.records.iter().map(|read| read.as_ref()?.value.as_ref().map(seat)).collect();
        let nodes = self.nodes.iter().filter_map(|(node, read)| {
            let (entry, document) = read.value.as_ref()?;
            let NodeDocument { addresses, version, draining, .. } = document.clone();
            Some((node.clone(), Node { generation: entry.generation, addresses, version, draining }))
        });
        Some(Placement { revision: self.revision.0, seats, nodes: nodes.collect() })
    }

    /// Remembers whether a key made sense, and says so once when that changes.
    fn note<T>(&mut self, key: &Key, changed: StoreRevision, read: Result<T, String>) -> Option<T> {
        match read {
            Ok(value) => {
                if self.broken.remove(key).is_some() {
                    tracing::info!(%key, "the key can be read again");
                }
                Some(value)
            }
            Err(reason) => {
                let broken = Broken { reason, changed };
                if self.broken.get(key) != Some(&broken) {
                    tracing::error!(%key, broken.reason, "the key cannot be read; what was read last stays in force");
                    self.broken.insert(key.clone(), broken);
                }
                None
            }
        }
    }
}
