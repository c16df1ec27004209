//! What a node knows of its own part in one shard: what its directory says, and which role it plays right now.
//!
//! ```text
//!           claim committed                  promise on disk            heartbeat covers its time
//!   Idle ------------------> (named by record) -> Adopting(Persisting) -> Adopting(Covering) -> Active
//!    ^  ^                                                                                        |  ^
//!    |  +---------------------------- record names somebody else --------------------------------+  | refused: thaw
//!    +------------------------------------------ swap committed ------------ Frozen <---------------+
//! ```
//!
//! Passing the deadline leads from everywhere to Idle.

use drl_core::{Epoch, Nanos, ShardTime};

use super::clock::ShardClock;
use super::event::{FoundShard, Token};
use super::marker::{Origin, RoleMarker};
use super::promise::Promise;
use super::record::Holder;
use crate::replication::Invite;

/// Whether anything was ever admitted in a shard, as far as its owner's journal goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Written {
    #[default]
    Never,
    Yes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Idle,
    Adopting { epoch: Epoch, origin: Origin, clock: ShardClock, stage: Stage },
    Active { epoch: Epoch, clock: ShardClock },
    Frozen { epoch: Epoch, clock: ShardClock, stage: Freeze },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The promise is on its way to the disk, with this token.
    Persisting(Token),
    /// Waits for a heartbeat whose `time_hi` covers the shard's time.
    Covering,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freeze {
    /// The driver was asked to stop deciding.
    Asked,
    /// Nothing is decided any more, and nothing was ever written.
    Unwritten,
    /// Nothing is decided any more; what was decided is on its way to the follower. Given up at that time.
    Flushing { until: Nanos },
    /// The follower has everything.
    Flushed,
    /// Somebody knows of a higher epoch: nothing is decided until everything was read again.
    Doubted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) marker: RoleMarker,
    pub(crate) promise: Promise,
    pub(crate) written: Written,
    /// The latest time in the journal when the process started.
    pub(crate) latest: ShardTime,
    pub(crate) role: Role,
    /// The transaction or intent that is on its way for this shard; one at a time.
    pub(crate) in_flight: Option<Token>,
    /// A cold start under this epoch begins there at the earliest: nobody before it has stamped anything later.
    pub(crate) behind: Option<(Epoch, ShardTime)>,
    /// The epoch whose owner the driver was told last, to send callers there.
    pub(crate) told: Option<Epoch>,
    /// The next epoch of the same owner, whose promise is on its way to the disk.
    pub(crate) raising: Option<(Epoch, Token)>,
    /// Copies on other nodes, as owner.
    pub(crate) seats: Vec<Seat>,
    /// The journal has the floor, and the marker does not say so yet.
    pub(crate) floor_is_journaled: bool,
    /// When a hand-over that was given up may be tried again.
    pub(crate) stays_until: Nanos,
    /// Whose copy this node has, as follower.
    pub(crate) follow: Option<Follow>,
}

/// A copy on another node, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) to: Holder,
    pub(crate) standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    Invited,
    /// It has its snapshot.
    Near,
    /// Replies wait for it.
    Required,
    /// It has everything that was answered before replies waited for it.
    CaughtUp,
    /// It is of no use.
    Broken,
}

/// A copy on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Follow {
    pub(crate) owner: Holder,
    pub(crate) invite: Invite,
    /// Shard time, by this node's clock.
    pub(crate) clock: ShardClock,
    pub(crate) stage: Copying,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copying {
    /// The promise is on its way to the disk.
    Promising(Token),
    Seeding,
    /// The marker is on its way to the disk.
    Marking(Token),
    Complete,
}

impl Local {
    pub(crate) const fn new(found: &FoundShard) -> Self {
        Self {
            marker: found.marker,
            promise: found.promise,
            written: found.written,
            latest: found.latest,
            role: Role::Idle,
            in_flight: None,
            behind: None,
            told: None,
            raising: None,
            seats: Vec::new(),
            floor_is_journaled: false,
            stays_until: Nanos::ZERO,
            follow: None,
        }
    }

    /// The epoch that this node answers under, or is about to.
    pub(crate) const fn epoch(&self) -> Option<Epoch> {
        match self.role {
            Role::Idle => None,
            Role::Adopting { epoch, .. } | Role::Active { epoch, .. } | Role::Frozen { epoch, .. } => Some(epoch),
        }
    }

    /// The clock of the shard, as long as this node has a part in it.
    pub(crate) fn clock(&self) -> Option<ShardClock> {
        match self.role {
            Role::Idle => self.follow.as_ref().map(|follow| follow.clock),
            Role::Adopting { clock, .. } | Role::Active { clock, .. } | Role::Frozen { clock, .. } => Some(clock),
        }
    }
}
