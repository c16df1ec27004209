//! What was read from etcd: values with the revision at which they stood. Driver and engine speak in these types; keys and JSON
//! are the driver's.

use drl_core::{Generation, NodeId, ShardId, ShardTime};

use super::record::ShardRecord;

/// A revision of the whole key space. It rises with every change, and goes back only when a backup was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

/// The id of an etcd cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClusterId(pub u64);

/// The id of an etcd lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub i64);

/// A record and the revision that changed it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    pub record: ShardRecord,
    pub changed: Revision,
}

/// A node's key: it is there as long as the node's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeEntry {
    pub generation: Generation,
    /// The lease that the key is attached to.
    pub lease: LeaseId,
    /// The revision that created the key. Another one means that the key was gone in between.
    pub created: Revision,
    pub draining: bool,
}

/// A node's last heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    pub changed: Revision,
    /// The node stamps nothing later than this, on any shard, before its next heartbeat.
    pub time_hi: ShardTime,
}

/// Whether keys that a view does not name are known to be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All records, nodes and beats; what is not there does not exist.
    Everything,
    /// Only what is named.
    Named,
}

/// Keys as they stood at one revision. `None` says that a key is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub cluster: ClusterId,
    pub revision: Revision,
    pub scope: Scope,
    pub records: Vec<(ShardId, Option<Versioned>)>,
    /// Records that are there and make no sense: somebody changed them by hand. What was known of them stays known.
    pub unreadable: Vec<ShardId>,
    pub nodes: Vec<(NodeId, Option<NodeEntry>)>,
    pub beats: Vec<(NodeId, Option<Beat>)>,
}

impl View {
    /// A view that says nothing but the revision.
    #[must_use]
    pub const fn at(cluster: ClusterId, revision: Revision) -> Self {
        Self {
            cluster,
            revision,
            scope: Scope::Named,
            records: Vec::new(),
            unreadable: Vec::new(),
            nodes: Vec::new(),
            beats: Vec::new(),
        }
    }
}
