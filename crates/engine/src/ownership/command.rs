//! What a node is told to do, as far as ownership goes. The driver carries commands out in order; those with a token it answers.

use drl_core::{Epoch, Nanos, ShardId, ShardTime};

use super::clock::ShardClock;
use super::event::Token;
use super::marker::{Origin, RoleMarker};
use super::promise::Promise;
use super::record::Holder;
use super::stop::StopReason;
use super::transaction::Transaction;
use super::view::{ClusterId, LeaseId, Revision};
use crate::replication::Order;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Take a lease of the session's TTL and keep it alive until it is revoked or the process ends.
    Grant { token: Token },
    /// End a lease and stop keeping it alive.
    Revoke { token: Token, lease: LeaseId },
    /// Send a transaction, once, with a deadline of the driver's own.
    Transact { token: Token, transaction: Transaction },
    /// Put facts on disk, with an fsync. Facts reach the disk in the order of the commands.
    Persist { token: Token, facts: Vec<Fact> },
    /// Answer for this shard, as long as the deadline is ahead.
    Activate { shard: ShardId, epoch: Epoch, origin: Origin, clock: ShardClock },
    /// Do not answer for this shard; what is decided and not yet answered stays unanswered.
    Close { shard: ShardId, closed: Closed },
    /// Decide nothing more for these shards, and say whether they were written.
    Freeze { shards: Vec<ShardId> },
    /// Go on deciding, under the same epoch.
    Thaw { shard: ShardId },
    /// Something about copies of shards; for the ledger.
    Copies(Order),
    /// Answer until then, by `CLOCK_BOOTTIME`; zero: not at all.
    SetDeadline(Nanos),
    /// Send [`Event::Wake`](super::Event::Wake) then. Replaces the time that was asked for before.
    WakeAt(Nanos),
    /// Nothing more can be handed over; so many records still name this node.
    Drained { named: usize },
    /// End the process, with this reason. Nothing is answered from here on.
    Stop(StopReason),
    /// For people and metrics.
    Report(Report),
}

/// What a directory keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    Shard {
        shard: ShardId,
        marker: RoleMarker,
        promise: Promise,
    },
    Lease(Option<LeaseId>),
    Seen {
        cluster: ClusterId,
        revision: Revision,
    },
    /// Drop every counter, because they may not be resumed from. Comes last, when the other facts are on disk.
    CountersDiscarded,
}

/// Why a shard is not answered for, and whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// Nobody knows yet who owns it.
    Unknown,
    /// Somebody else owns it, or this node does but may not answer yet.
    NotOwner { epoch: Epoch, owner: Holder },
}

/// Things that happened and that somebody may want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The deadline passed without a heartbeat; every role was dropped.
    AuthorityLost,
    /// An in-sync follower took over.
    TakenWarm { shard: ShardId },
    /// The session's key was gone and is there again; roles go on.
    SessionRecreated,
    /// The directory was not whole; its counters are not used.
    JournalDoubtful,
    /// A shard is taken over without its counters.
    TakenCold { shard: ShardId },
    /// The outcome of a transaction is not known; it is sent again.
    OutcomeUnknown,
    /// Shard time starts this much after the wall clock.
    TimeAhead { shard: ShardId, by: Nanos, floor: ShardTime },
}
