//! A guarded transaction: everything is written if every guard holds, nothing otherwise.
//!
//! Rule (protocol, the record and who may change it): a record changes only in a transaction that compares its revision and the
//! sender's own lease. Every transaction writes something, also those that are sent to read: read-only ones may be answered by a
//! stale member. A guard that failed once never holds again, so a transaction whose outcome is unknown is resolved by sending it
//! once more: it takes effect once, or it is refused for good.

use drl_core::{Generation, NodeId, ShardId, ShardTime};

use super::record::ShardRecord;
use super::view::{LeaseId, Revision, View};

/// One compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// `nodes/<node>` is attached to this lease.
    Lease { node: NodeId, lease: LeaseId },
    /// The record was changed last at this revision; zero: it is absent.
    Record { shard: ShardId, changed: Revision },
    /// `nodes/<node>` is absent.
    NodeAbsent(NodeId),
    /// `nodes/<node>` is there since this revision.
    NodeSince { node: NodeId, created: Revision },
    /// The last heartbeat of the node was at this revision; zero: there was none.
    Beat { node: NodeId, changed: Revision },
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    Record {
        shard: ShardId,
        record: ShardRecord,
    },
    /// The sender's own key, attached to the lease.
    Node {
        node: NodeId,
        generation: Generation,
        lease: LeaseId,
        draining: bool,
    },
    /// The sender's heartbeat.
    Beat {
        node: NodeId,
        time_hi: ShardTime,
    },
}

/// What is compared and what is written. Refused, it is answered with the present state of everything that was compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    pub guards: Vec<Guard>,
    pub writes: Vec<Write>,
    /// Whether the answer to a committed transaction holds everything, as of its revision.
    pub reads: Reads,
}

/// What a committed transaction reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    Nothing,
    /// All records, nodes and beats.
    Everything,
}

/// How a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was written, at the view's revision.
    Committed(View),
    /// Nothing was written; the view has what was compared.
    Refused(View),
    /// Nothing was written: the lease that a key would be attached to does not exist any more.
    LeaseGone,
    /// Nobody knows: it may have happened, or happen still.
    Unknown,
}

impl Transaction {
    pub(crate) const fn new(guards: Vec<Guard>, writes: Vec<Write>) -> Self {
        Self { guards, writes, reads: Reads::Nothing }
    }
}
