//! What waits to be said to one lifetime. Of what is said again and again only the newest waits, so nothing here grows but by the number of
//! shards; frames have their own bounds.
//!
//! Rule: everything else goes before frames. A sign of life must not stand behind megabytes.

use std::collections::BTreeMap;

use drl_core::ShardId;
use drl_core::caps::{REPLICATION_LETTERS_PER_MESSAGE_MAX, REPLICATION_LIST_PER_LETTER, REPLICATION_MESSAGE_BYTES};
use drl_engine::ownership::Holder;
use drl_engine::replication::{Ack, Beat, Body, Invite, Join, Start};
use drl_proto::v1;
use drl_proto::v1::letter;

use super::frames::Frames;

/// What a letter takes beside its list or payload, and each entry of a list, at most: an invitation is six numbers.
const ENTRY_BYTES: usize = 52;

/// What is left to frames of every message, so that a long list in each does not keep them back for good.
const FRAMES_BYTES_MIN: usize = REPLICATION_MESSAGE_BYTES / 2;

/// What became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    Waits,
    /// There is no room for it.
    Full,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Who says all of it. What an earlier lifetime of this node had to say is of no use.
    from: Option<Holder>,
    beat: Option<Beat>,
    ack: Option<Ack>,
    lost: Option<u64>,
    joins: BTreeMap<ShardId, Join>,
    invites: BTreeMap<ShardId, Invite>,
    frames: Frames,
}

/// A message that is being filled.
#[derive(Default)]
struct Load {
    letters: Vec<v1::Letter>,
    bytes: usize,
}

impl Load {
    fn put(&mut self, body: letter::Body, entries: usize) {
        self.bytes += ENTRY_BYTES * (1 + entries);
        self.letters.push(v1::Letter { body: Some(body) });
    }
}

impl Waiting {
    pub(super) fn put(&mut self, from: Holder, body: Body) -> Put {
        if self.from.as_ref() != Some(&from) {
            *self = Self { from: Some(from), ..Self::default() };
        }
        match body {
            Body::Beat(beat) => {
                let asks = beat.asks || self.beat.is_some_and(|before| before.asks);
                self.beat = Some(Beat { asks, ..beat });
            }
            Body::Ack(ack) => self.ack = Some(ack),
            Body::Lost { stream } => self.lost = Some(stream),
            Body::Join(joins) => self.joins.extend(joins.into_iter().map(|join| (join.shard, join))),
            Body::Invite(invites) => self.invites.extend(invites.into_iter().map(|invite| (invite.shard, invite))),
            Body::Frame(frame) => return self.frames.put(frame),
        }
        Put::Waits
    }

    /// As much of what waits as fits a message to `to`; `None` when nothing does.
    pub(super) fn take(&mut self, to: &Holder) -> Option<v1::ReplicateRequest> {
        let from = self.from.as_ref()?;
        let mut load = Load::default();
        if let Some(beat) = self.beat.take() {
            load.put(letter::Body::Beat(letter::Beat { asks: beat.asks, boottime: beat.boottime.0 }), 0);
        }
        if let Some(Ack { stream, number, refused, unmarked }) = self.ack.take() {
            let refuse = |(shard, epoch): &(ShardId, drl_core::Epoch)| letter::Refused {
                shard: shard.get().into(),
                epoch: epoch.0,
            };
            let refused: Vec<_> = refused.iter().map(refuse).collect();
            let unmarked: Vec<_> = unmarked.iter().map(|shard| shard.get().into()).collect();
            let entries = refused.len() + unmarked.len();
            load.put(letter::Body::Ack(letter::Ack { stream, number, refused, unmarked }), entries);
        }
        if let Some(stream) = self.lost.take() {
            load.put(letter::Body::Lost(letter::Lost { stream }), 0);
        }
        let joins: Vec<_> = first(&mut self.joins).map(join).collect();
        if !joins.is_empty() {
            let entries = joins.len();
            load.put(letter::Body::Joins(letter::Joins { joins }), entries);
        }
        let invites: Vec<_> = first(&mut self.invites).map(invite).collect();
        if !invites.is_empty() {
            let entries = invites.len();
            load.put(letter::Body::Invites(letter::Invites { invites }), entries);
        }
        let mut room = REPLICATION_MESSAGE_BYTES.saturating_sub(load.bytes).max(FRAMES_BYTES_MIN);
        while room > 0 && load.letters.len() < REPLICATION_LETTERS_PER_MESSAGE_MAX {
            let Some(part) = self.frames.next(room) else { break };
            room = room.saturating_sub(ENTRY_BYTES + part.part.len());
            load.put(letter::Body::Frame(part), 0);
        }
        let (from, to) = (Some(lifetime(from)), Some(lifetime(to)));
        (!load.letters.is_empty()).then_some(v1::ReplicateRequest { hello: None, from, to, letters: load.letters })
    }

    /// Another connection begins.
    pub(super) const fn restart(&mut self) {
        self.frames.restart();
    }
}

/// Takes as many as a letter lists.
fn first<T>(of: &mut BTreeMap<ShardId, T>) -> impl Iterator<Item = T> {
    std::iter::from_fn(|| of.pop_first().map(|(_, entry)| entry)).take(REPLICATION_LIST_PER_LETTER)
}

fn lifetime(holder: &Holder) -> v1::Lifetime {
    v1::Lifetime { node: holder.node.as_str().to_owned(), generation: holder.generation.0 }
}

fn join(join: Join) -> letter::Join {
    letter::Join { shard: join.shard.get().into(), epoch: join.epoch.0, attempt: join.attempt }
}

fn invite(invite: Invite) -> letter::Invite {
    let start = match invite.start {
        Start::Anew => letter::Start::Anew,
        Start::Continues => letter::Start::Continues,
    };
    letter::Invite {
        shard: invite.shard.get().into(),
        epoch: invite.epoch.0,
        start: start.into(),
        attempt: invite.attempt,
        time: invite.time.0,
        boottime: invite.boottime.0,
    }
}
