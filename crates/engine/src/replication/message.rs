//! What process lifetimes say to each other about shards. Every letter names both lifetimes, so that nothing that was meant for an
//! earlier one, or said by one, is ever taken for the present one.

use std::sync::Arc;

use drl_core::{Epoch, Nanos, ShardId, ShardTime};

use crate::ownership::Holder;

/// One message from one process lifetime to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub from: Holder,
    pub to: Holder,
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// An owner wants copies of shards on the other node. Said again until it is joined.
    Invite(Vec<Invite>),
    /// The promises for these shards are on disk; their sections may be sent.
    Join(Vec<Join>),
    Frame(PeerFrame),
    Ack(Ack),
    /// Nothing is known of the stream of a frame that is not its first: what was sent in it is lost.
    Lost {
        stream: u64,
    },
    Beat(Beat),
}

/// How a copy begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Empty; a snapshot follows.
    Anew,
    /// Complete as of the epoch before; nothing is missing.
    Continues,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invite {
    pub shard: ShardId,
    pub epoch: Epoch,
    pub start: Start,
    /// Rises with every attempt of the owner's lifetime: an invitation that comes late or twice must not empty a copy.
    pub attempt: u64,
    /// What the owner's shard clock showed, and its `CLOCK_BOOTTIME`, when this was sent.
    pub time: ShardTime,
    pub boottime: Nanos,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Join {
    pub shard: ShardId,
    pub epoch: Epoch,
    /// Of the invitation that this answers.
    pub attempt: u64,
}

/// Sections for one lifetime. Frames of a stream are numbered without gaps from 1 and are taken in order; a lifetime that has forgotten
/// a stream begins a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerFrame {
    pub stream: u64,
    pub number: u64,
    /// A frame as `frame.rs` has it.
    pub payload: Arc<[u8]>,
}

/// Everything up to a frame is in the journal of whoever says this, except for the sections of shards that it refuses. It says so now and
/// then, whether it is news or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ack {
    pub stream: u64,
    pub number: u64,
    /// Shards of which a section was refused, with the epoch that stands against it. Said again with every acknowledgement, because
    /// a later one covers what an earlier one did.
    pub refused: Vec<(ShardId, Epoch)>,
    /// Shards whose copy is complete by this, and does not count yet: the marker that makes it count is not on disk.
    pub unmarked: Vec<ShardId>,
}

/// A sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// Whether the sender wants one back, also from a lifetime that has no reason of its own to speak.
    pub asks: bool,
    /// The sender's `CLOCK_BOOTTIME`: shard time goes on by it.
    pub boottime: Nanos,
}
