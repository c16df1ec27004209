//! Messages of a peer, turned into letters. What makes no sense is said, and nothing of its message is taken.

use std::sync::Arc;

use drl_core::caps::{REPLICATION_LETTERS_PER_MESSAGE_MAX, SHARDS_MAX};
use drl_core::{Epoch, Generation, InvalidNodeId, Nanos, NodeId, ShardId, ShardTime};
use drl_engine::ownership::Holder;
use drl_engine::replication::{Ack, Beat, Body, Invite, Join, Letter, Start};
use drl_proto::v1;
use drl_proto::v1::letter;
use tokio::sync::Semaphore;

use super::assembly::{Assembly, Misfit};

/// A message that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("a message does not say from which lifetime its letters are and for which")]
    NoLifetime,
    #[error(transparent)]
    Node(#[from] InvalidNodeId),
    #[error("a message has {count} letters; at most {REPLICATION_LETTERS_PER_MESSAGE_MAX} are taken")]
    TooManyLetters { count: usize },
    #[error("a letter says nothing that this version knows")]
    NoBody,
    #[error("a letter lists {count} shards; a cluster has at most {SHARDS_MAX}")]
    LongList { count: usize },
    #[error("there is no shard {sent}")]
    Shard { sent: u32 },
    #[error("an invitation does not say how its copy begins (it says {sent})")]
    Start { sent: i32 },
    #[error(transparent)]
    Part(#[from] Misfit),
}

/// One stream, as far as it was read.
pub(crate) struct Reading {
    assembly: Assembly,
}

impl Reading {
    /// `room` has a place for each byte of frames that are not complete.
    pub(crate) const fn new(room: Arc<Semaphore>) -> Self {
        Self { assembly: Assembly::new(room) }
    }

    /// The letters that a message brings or completes.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub(crate) fn read(&mut self, message: v1::ReplicateRequest) -> Result<Vec<Letter>, Unreadable> {
        let count = message.letters.len();
        if count > REPLICATION_LETTERS_PER_MESSAGE_MAX {
            return Err(Unreadable::TooManyLetters { count });
        }
        let (from, to) = (holder(message.from)?, holder(message.to)?);
        let mut letters = Vec::with_capacity(count);
        for letter in message.letters {
            let body = match letter.body.ok_or(Unreadable::NoBody)? {
                letter::Body::Frame(part) => self.assembly.take(&from, &to, &part)?.map(Body::Frame),
                letter::Body::Invites(listed) => Some(Body::Invite(list(listed.invites, invite)?)),
                letter::Body::Joins(listed) => Some(Body::Join(list(listed.joins, join)?)),
                letter::Body::Ack(ack) => Some(Body::Ack(self::ack(ack)?)),
                letter::Body::Lost(letter::Lost { stream }) => Some(Body::Lost { stream }),
                letter::Body::Beat(letter::Beat { asks, boottime }) => {
                    Some(Body::Beat(Beat { asks, boottime: Nanos(boottime) }))
                }
            };
            letters.extend(body.map(|body| Letter { from: from.clone(), to: to.clone(), body }));
        }
        Ok(letters)
    }
}

fn holder(lifetime: Option<v1::Lifetime>) -> Result<Holder, Unreadable> {
    let lifetime = lifetime.ok_or(Unreadable::NoLifetime)?;
    Ok(Holder { node: NodeId::new(&lifetime.node)?, generation: Generation(lifetime.generation) })
}

fn list<S, T>(listed: Vec<S>, read: impl FnMut(S) -> Result<T, Unreadable>) -> Result<Vec<T>, Unreadable> {
    if listed.len() > usize::from(SHARDS_MAX) {
        return Err(Unreadable::LongList { count: listed.len() });
    }
    listed.into_iter().map(read).collect()
}

fn shard(sent: u32) -> Result<ShardId, Unreadable> {
    let shard = u16::try_from(sent).ok().filter(|shard| *shard < SHARDS_MAX);
    shard.map(ShardId::new).ok_or(Unreadable::Shard { sent })
}

fn invite(invite: letter::Invite) -> Result<Invite, Unreadable> {
    let start = match invite.start() {
        letter::Start::Anew => Start::Anew,
        letter::Start::Continues => Start::Continues,
        letter::Start::Unspecified => return Err(Unreadable::Start { sent: invite.start }),
    };
    let (shard, epoch, attempt) = (shard(invite.shard)?, Epoch(invite.epoch), invite.attempt);
    Ok(Invite { shard, epoch, start, attempt, time: ShardTime(invite.time), boottime: Nanos(invite.boottime) })
}

fn join(join: letter::Join) -> Result<Join, Unreadable> {
    Ok(Join { shard: shard(join.shard)?, epoch: Epoch(join.epoch), attempt: join.attempt })
}

fn ack(ack: letter::Ack) -> Result<Ack, Unreadable> {
    let refused = |refused: letter::Refused| Ok((shard(refused.shard)?, Epoch(refused.epoch)));
    let (refused, unmarked) = (list(ack.refused, refused)?, list(ack.unmarked, shard)?);
    Ok(Ack { stream: ack.stream, number: ack.number, refused, unmarked })
}
