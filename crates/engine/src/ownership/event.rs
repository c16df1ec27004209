//! What can happen to a node, as far as ownership goes.

use drl_core::{Epoch, Generation, ShardId, ShardTime};

use super::local::Written;
use super::marker::RoleMarker;
use super::promise::Promise;
use super::transaction::Outcome;
use super::view::{ClusterId, LeaseId, Revision, View};
use crate::replication::News;

/// The number of a command that is answered by an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Token(pub u64);

/// An event. Answers may come late, twice or never; those to commands of an earlier session are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The first event: what the directory holds.
    Started(Box<Found>),
    /// A lease, kept alive by the driver from now on. `generation` is a fresh random number.
    Granted { token: Token, lease: LeaseId, generation: Generation },
    /// A lease was ended, or is not known any more.
    Revoked { token: Token },
    /// A grant or revocation did not get an answer.
    Unanswered { token: Token },
    /// A transaction ended.
    Ended { token: Token, outcome: Outcome },
    /// Facts are on disk.
    Persisted { token: Token },
    /// The watch delivered a change: everything that one transaction wrote, at once. A record and the heartbeat that was written with
    /// it belong together.
    Changed(View),
    /// The watch ended, or what it would deliver was compacted away.
    WatchBroken,
    /// The time that was asked for has come; too early or too often does no harm.
    Wake,
    /// The first admission of a shard that was never written to.
    Written { shard: ShardId },
    /// No check of these shards is decided any more; whether they were written until then.
    Frozen { shards: Vec<(ShardId, Written)> },
    /// The floor of the cold start under this epoch is in the journal, synced.
    FloorJournaled { shard: ShardId, epoch: Epoch },
    /// Something about copies of shards, from the ledger.
    Copies(News),
    /// This node runs the policies of this revision from now on.
    Policies { revision: u64 },
    /// A request named a higher epoch than this node knows.
    HigherEpoch { shard: ShardId },
    /// The node was asked to give away what it has: its process is to end, or somebody wants the machine.
    Drain,
    /// The node was asked to stay after all.
    Undrain,
    /// The journal refused a write; nothing is written any more.
    StoreFailed,
}

/// What recovery found in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub wholeness: Wholeness,
    /// By shard.
    pub shards: Vec<FoundShard>,
    /// The lease of the last session.
    pub lease: Option<LeaseId>,
    /// The etcd cluster and the highest revision that were seen.
    pub seen: Option<(ClusterId, Revision)>,
}

/// Whether everything that was ever answered from the directory is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wholeness {
    Whole,
    Doubtful,
}

/// What the directory holds of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FoundShard {
    pub marker: RoleMarker,
    pub promise: Promise,
    pub written: Written,
    /// The latest time that is in the journal.
    pub latest: ShardTime,
}
