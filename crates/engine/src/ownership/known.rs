//! What a node knows of etcd: the newest view of every key.
//!
//! Rule (etcd's watch may repeat, delay and omit): a view of a key replaces what is known only when it is not older; whatever is
//! acted upon is compared again in a transaction.

use std::collections::{BTreeMap, BTreeSet};

use drl_core::{NodeId, ShardCount, ShardId};

use super::record::{Holder, ShardRecord};
use super::view::{Beat, NodeEntry, Revision, Scope, Versioned, View};

/// A value and the revision as of which it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen<T> {
    value: Option<T>,
    as_of: Revision,
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self { value: None, as_of: Revision(0) }
    }
}

impl<T: PartialEq> Seen<T> {
    /// Whether anything changed.
    fn learn(&mut self, value: Option<T>, as_of: Revision) -> bool {
        if as_of < self.as_of {
            return false;
        }
        self.as_of = as_of;
        let is_new = self.value != value;
        self.value = value;
        is_new
    }
}

/// The newest view of every key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    records: Vec<Seen<Versioned>>,
    nodes: BTreeMap<NodeId, Seen<NodeEntry>>,
    beats: BTreeMap<NodeId, Seen<Beat>>,
    /// Records that are there and make no sense. Nobody claims them: whatever they said before may still hold.
    unreadable: BTreeSet<ShardId>,
    /// Who is named by records and would have to be waited for, and by how many.
    fences: BTreeMap<Holder, usize>,
    /// Rises whenever a record or the list of nodes changes.
    pub(crate) changes: u64,
    /// Rises whenever another node owns a shard or follows it, or the list of nodes changes.
    pub(crate) layouts: u64,
}

impl Known {
    pub(crate) fn new(shards: ShardCount) -> Self {
        Self { records: shards.iter().map(|_| Seen::default()).collect(), ..Self::default() }
    }

    pub(crate) fn learn(&mut self, view: View) {
        let as_of = view.revision;
        let mut is_new = false;
        if view.scope == Scope::Everything {
            is_new |= forget_missing(&mut self.nodes, &view.nodes, as_of);
            forget_missing(&mut self.beats, &view.beats, as_of);
        }
        self.unreadable.extend(view.unreadable);
        for (shard, versioned) in view.records {
            self.unreadable.remove(&shard);
            self.learn_record(shard, versioned, as_of);
        }
        for (node, entry) in view.nodes {
            is_new |= self.nodes.entry(node).or_default().learn(entry, as_of);
        }
        for (node, beat) in view.beats {
            self.beats.entry(node).or_default().learn(beat, as_of);
        }
        self.changes += u64::from(is_new);
        self.layouts += u64::from(is_new);
    }

    fn learn_record(&mut self, shard: ShardId, versioned: Option<Versioned>, as_of: Revision) {
        let Some(seen) = self.records.get_mut(shard.index()) else { return };
        let before = seen.value.clone();
        if !seen.learn(versioned, as_of) {
            return;
        }
        let (before, after) = (before.map(|versioned| versioned.record), seen.value.as_ref().map(|it| &it.record));
        self.changes += 1;
        self.layouts += u64::from(before.as_ref().map(nodes) != after.map(nodes));
        for holder in after.into_iter().flat_map(ShardRecord::fences) {
            *self.fences.entry(holder.clone()).or_default() += 1;
        }
        for holder in before.iter().flat_map(ShardRecord::fences) {
            if let Some(count) = self.fences.get_mut(holder) {
                *count -= 1;
                if *count == 0 {
                    self.fences.remove(holder);
                }
            }
        }
    }

    pub(crate) fn is_unreadable(&self, shard: ShardId) -> bool {
        self.unreadable.contains(&shard)
    }

    pub(crate) fn record(&self, shard: ShardId) -> Option<&Versioned> {
        self.records.get(shard.index()).and_then(|seen| seen.value.as_ref())
    }

    pub(crate) fn node(&self, node: &NodeId) -> Option<&NodeEntry> {
        self.nodes.get(node).and_then(|seen| seen.value.as_ref())
    }

    pub(crate) fn beat(&self, node: &NodeId) -> Option<&Beat> {
        self.beats.get(node).and_then(|seen| seen.value.as_ref())
    }

    /// The nodes with a session, in order of their names.
    pub(crate) fn living(&self) -> impl Iterator<Item = (&NodeId, &NodeEntry)> {
        self.nodes.iter().filter_map(|(node, seen)| Some((node, seen.value.as_ref()?)))
    }

    /// Everybody who is named by a record and would have to be waited for, once.
    pub(crate) fn fences(&self) -> impl Iterator<Item = &Holder> {
        self.fences.keys()
    }
}

/// Who owns a shard and who follows it, in whichever lifetime.
fn nodes(record: &ShardRecord) -> (&NodeId, Option<&NodeId>) {
    (&record.owner.node, record.follower.as_ref().map(|follower| &follower.node))
}

/// Marks what a complete list does not name as absent. Whether anything changed.
fn forget_missing<T: PartialEq>(
    seen: &mut BTreeMap<NodeId, Seen<T>>,
    listed: &[(NodeId, Option<T>)],
    as_of: Revision,
) -> bool {
    let mut is_new = false;
    for (node, seen) in seen.iter_mut().filter(|(node, _)| !listed.iter().any(|(name, _)| name == *node)) {
        let _ = node;
        is_new |= seen.learn(None, as_of);
    }
    is_new
}
