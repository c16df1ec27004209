//! Caps of what nodes that share shards say to each other.

use super::{PAGES_PER_SHARD, STORED_BYTES_MAX};

/// How often process lifetimes that share a shard give each other a sign of life, in milliseconds.
pub const BEAT_MILLIS: u64 = 100;

/// After this long without a sign of life, in milliseconds, an owner drops a follower: four beats, and before the follower would
/// take over, so that an owner that lives wins.
pub const QUIET_MILLIS: u64 = 400;

/// After this long, in milliseconds, an in-sync follower takes over: seven beats.
pub const SILENT_MILLIS: u64 = 700;

/// How often, in milliseconds, a beat is sent to a lifetime that is silent: more rarely than it takes to be silent oneself, by more than
/// a tick, so that whoever does not hear is not heard either; often enough that a link which works again is found within a second.
pub const KNOCK_MILLIS: u64 = 1_000;

/// Frames to one process lifetime that may be unacknowledged. One is a group commit; a follower that is so many behind is slower
/// than the owner, and decisions wait.
pub const REPLICATION_FRAMES_IN_FLIGHT_MAX: usize = 64;

/// Of those, frames beside which no part of a snapshot is sent: seeding must not keep the sections of live shards waiting.
pub const REPLICATION_FRAMES_SEEDING_MAX: usize = REPLICATION_FRAMES_IN_FLIGHT_MAX / 2;

/// How long frames stay unacknowledged before they are sent again, in milliseconds.
pub const REPLICATION_RESEND_MILLIS: u64 = 150;

/// How long a copy may beat and acknowledge nothing of what it was sent, in milliseconds. A disk that takes seconds is broken, and its owner
/// admits nothing meanwhile; one that is slow acknowledges something, and is waited for.
pub const REPLICATION_STALL_MILLIS: u64 = 5_000;

/// Rows in one part of a snapshot, about: 4,096 rows of a hundred bytes are a message that others do not wait long for.
pub const SNAPSHOT_ROWS_PER_PART: usize = 4_096;

/// Shards that a node hands over at the same time: each of them answers nobody meanwhile.
pub const MOVES_IN_FLIGHT_MAX: usize = 16;

/// Copies that a node has in the making. What bounds their traffic is [`REPLICATION_FRAMES_SEEDING_MAX`]; most of the time of a copy are
/// round trips to etcd and writes to disk, and a node that dies leaves some hundred shards without a copy.
pub const COPIES_IN_THE_MAKING_MAX: usize = 48;

/// Cost of class `async` that a shard may have answered before journal and follower acknowledge it, unless told otherwise: what a
/// take-over may admit too much.
pub const ASYNC_UNACKED_COST: u64 = 1_000;

/// How long an answer of class `async` may be ahead of its acknowledgement, in milliseconds.
pub const ASYNC_UNACKED_MILLIS_MAX: u64 = 500;

/// Frames of one process lifetime that may be taken and not yet journaled. An owner sends [`REPLICATION_FRAMES_IN_FLIGHT_MAX`] and waits,
/// but for what it had decided until then; whoever sends twice that does not wait, and is not taken from until the journal has caught up.
pub const PEER_FRAMES_UNJOURNALED_MAX: usize = 2 * REPLICATION_FRAMES_IN_FLIGHT_MAX;

/// Parts of one snapshot: each has a page at least, so whoever sends more repeats itself, and would do so without end.
pub const SNAPSHOT_PARTS_MAX: u8 = PAGES_PER_SHARD;

/// What a message of letters is filled with before it leaves, in bytes: a beat that comes just then waits for this much, a millisecond at
/// 1 Gbit/s. Longer frames are cut, and beats go between their parts.
pub const REPLICATION_MESSAGE_BYTES: usize = 128 << 10;

/// Most letters of one message. A group commit is one, so this is what a sender says that was kept waiting for a quarter of a second.
pub const REPLICATION_LETTERS_PER_MESSAGE_MAX: usize = 256;

/// Most entries of a list that leave in one letter, some 50 KiB; the others follow in the next one.
pub const REPLICATION_LIST_PER_LETTER: usize = 1_024;

/// Frames that wait for the connection to one process lifetime: as many as an owner sends before it waits, and what it had decided until
/// then. More are dropped, and sent again by the owner when their time comes.
pub const REPLICATION_FRAMES_WAITING_MAX: usize = 2 * REPLICATION_FRAMES_IN_FLIGHT_MAX;

/// Bytes of the frames that wait for the connection to one process lifetime; one frame may always wait. The owner holds the same bytes
/// until they are acknowledged, so a peer that stands still costs them once.
pub const REPLICATION_BYTES_WAITING_MAX: usize = 64 << 20;

/// Longest frame that a node takes from another: what it takes goes into its journal, and the store takes no more.
pub const REPLICATION_FRAME_BYTES_MAX: usize = STORED_BYTES_MAX;

/// Bytes of all frames together of which a node has some parts and not yet all: two of the longest. A stream that brings more ends.
pub const REPLICATION_PARTS_BYTES_MAX: usize = 2 * REPLICATION_FRAME_BYTES_MAX;

/// Process lifetimes that a node has a connection of letters to, and streams of letters that it takes: several times as many nodes as
/// a cluster has, because a lifetime that ended is remembered for a while.
pub const REPLICATION_LINKS_MAX: usize = 512;
