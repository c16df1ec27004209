//! The follower's side of a copy: which sections it takes, and which it refuses.
//!
//! Rules (protocol, epoch rules 1, 2, 3 and 6): a section is taken from the very lifetime and under the very epoch that were promised
//! on disk, in the order in which it was sent. Everything else is refused, for good: that is the fence. What is taken goes
//! into this node's own open frame, and is acknowledged when that is in the journal, while this node's own deadline is ahead.

use drl_core::{Epoch, Nanos, ShardId, ShardTime};

use super::message::{Beat, Body, Invite, Join, Letter, PeerFrame, Start};
use super::peers::News;
use crate::frame::{self, Section};
use crate::ledger::Ledger;
use crate::ownership::{Bug, Bugs, Holder, Written};
use crate::row::{Place, Row};
use crate::shard::{Presence, Shard, bucket_of};

/// Whom this node follows in a shard, and under which promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Following {
    pub(crate) owner: Holder,
    pub(crate) epoch: Epoch,
    /// Of the invitation.
    attempt: u64,
    /// Whether everything that was sent before is here.
    pub(crate) is_complete: bool,
}

/// What taking a letter led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    Taken,
    /// It was taken before, or comes too early; it will be sent again.
    OutOfOrder,
}

/// Why a letter was not taken. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("the message is for another lifetime of this node")]
    OtherLifetime,
    #[error("no shard is shared with the sender")]
    Stranger,
    #[error("a frame does not follow the format")]
    Malformed,
}

impl<B: Bugs> Ledger<B> {
    /// Takes a letter. What follows from it is in [`Ledger::take_letters`] and [`Ledger::take_news`].
    ///
    /// # Errors
    /// [`Rejected`] when it is not for this lifetime, or not from one that shares a shard with it.
    pub fn receive(&mut self, letter: Letter, now: Nanos) -> Result<Received, Rejected> {
        let Letter { mut from, to, body } = letter;
        if self.peers.me.as_ref() != Some(&to) {
            let takes_any = self.bugs.has(Bug::CountsOldAcks) && matches!(body, Body::Ack(_));
            if !takes_any || self.peers.me.is_none() {
                return Err(Rejected::OtherLifetime);
            }
        }
        if let Body::Invite(invites) = body {
            self.take_invites(from, invites);
            return Ok(Received::Taken);
        }
        if self.bugs.has(Bug::CountsOldAcks)
            && matches!(body, Body::Ack(_))
            && let Some(known) = self.peers.pairs.keys().find(|known| known.node == from.node)
        {
            from = known.clone();
        }
        let Some(pair) = self.peers.pairs.get_mut(&from) else {
            if let Body::Beat(Beat { asks: true, .. }) = body {
                self.peers.say(&from, Body::Beat(Beat { asks: false, boottime: now }));
                return Ok(Received::Taken);
            }
            return Err(Rejected::Stranger);
        };
        match body {
            Body::Invite(_) => {}
            Body::Beat(beat) => pair.ear.hear(now, Some(beat.boottime)),
            Body::Join(joins) => {
                pair.ear.hear(now, None);
                self.joined(&from, &joins);
            }
            Body::Ack(ack) => {
                pair.ear.hear(now, None);
                self.acknowledged(&from, &ack, now);
            }
            Body::Lost { stream } => {
                pair.ear.hear(now, None);
                self.lost(&from, stream);
            }
            Body::Frame(peer_frame) => {
                pair.ear.hear(now, None);
                return self.take_frame(&from, &peer_frame, now);
            }
        }
        Ok(Received::Taken)
    }

    /// An invitation that was answered is answered again: the answer was lost.
    fn take_invites(&mut self, from: Holder, invites: Vec<Invite>) {
        let is_answered = |invite: &Invite| {
            let following = self.shards.get(invite.shard.index()).and_then(|held| held.following.as_ref());
            following.is_some_and(|following| {
                following.owner == from && (following.epoch, following.attempt) == (invite.epoch, invite.attempt)
            })
        };
        let (answered, new): (Vec<Invite>, Vec<Invite>) = invites.into_iter().partition(is_answered);
        let again = |invite: &Invite| Join { shard: invite.shard, epoch: invite.epoch, attempt: invite.attempt };
        if !answered.is_empty() {
            self.peers.say(&from, Body::Join(answered.iter().map(again).collect()));
        }
        if !new.is_empty() {
            self.peers.tell(News::Invited { from, invites: new });
        }
    }

    fn take_frame(&mut self, from: &Holder, peer_frame: &PeerFrame, now: Nanos) -> Result<Received, Rejected> {
        let pair = self.peers.pairs.get_mut(from).ok_or(Rejected::Stranger)?;
        if !pair.incoming.is_of(peer_frame.stream) {
            return Ok(Received::OutOfOrder);
        }
        if !pair.incoming.is_next(peer_frame.number) {
            let ack = pair.incoming.ack();
            if pair.incoming.is_new() {
                self.peers.say(from, Body::Lost { stream: peer_frame.stream });
            } else if peer_frame.number <= ack.number && self.may_acknowledge(now) {
                self.peers.say(from, Body::Ack(ack));
            }
            return Ok(Received::OutOfOrder);
        }
        let Ok(sections) = frame::read(&peer_frame.payload) else {
            self.refuse_everything(from, peer_frame.number);
            return Err(Rejected::Malformed);
        };
        for section in sections {
            self.take_section(from, peer_frame.number, section);
        }
        let revision = frame::policy_revision(&peer_frame.payload);
        if revision > self.peers.stamped {
            self.peers.stamped = revision;
            self.peers.tell(News::Stamped { revision });
        }
        self.note_taken(from, peer_frame.number);
        Ok(Received::Taken)
    }

    fn take_section(&mut self, from: &Holder, number: u64, section: Section) {
        let shard = section.head.shard;
        let not_fenced = self.bugs.has(Bug::OldEpochNotFenced);
        let Some(held) = self.shards.get_mut(shard.index()) else { return };
        let is_promised = held
            .following
            .as_ref()
            .is_some_and(|following| (following.owner == *from && following.epoch == section.head.epoch) || not_fenced);
        let pair = self.peers.pairs.get_mut(from);
        if !is_promised {
            if let Some(pair) = pair {
                pair.incoming.refuse(shard, held.epoch);
            }
            return;
        }
        let (epoch, is_last) = (section.head.epoch, section.part.is_last());
        let before = held.changed.len();
        held.absorb(section);
        self.open_rows = self.open_rows - before + held.changed.len();
        if let Some(following) = held.following.as_mut().filter(|following| is_last && !following.is_complete) {
            following.is_complete = true;
            if let Some(pair) = pair {
                pair.incoming.hold(shard, number);
            }
            self.peers.tell(News::Seeded { shard, epoch });
        }
        self.touch(shard);
    }

    /// Bytes that make no sense: nothing of them is taken, and no copy from that owner counts any more.
    fn refuse_everything(&mut self, from: &Holder, number: u64) {
        for held in &mut self.shards {
            if held.following.take_if(|following| following.owner == *from).is_some()
                && let Some(pair) = self.peers.pairs.get_mut(from)
            {
                pair.incoming.refuse(held.id, held.epoch);
            }
        }
        self.note_taken(from, number);
    }

    fn note_taken(&mut self, from: &Holder, number: u64) {
        let commit = if self.is_clean() { self.sealed } else { self.open() };
        if let Some(pair) = self.peers.pairs.get_mut(from) {
            pair.incoming.took(number, commit);
        }
    }

    /// Follows an owner in a shard; the promise is on disk.
    pub(crate) fn follow(&mut self, owner: &Holder, join: Join, start: Start, now: Nanos) {
        let Join { shard, epoch, attempt } = join;
        if start == Start::Anew {
            self.forget(shard);
        }
        let held = &mut self.shards[shard.index()];
        held.epoch = epoch;
        held.seq = drl_core::Seq::default();
        if start == Start::Anew {
            held.latest = ShardTime::ZERO;
        }
        held.following =
            Some(Following { owner: owner.clone(), epoch, attempt, is_complete: start == Start::Continues });
        let pair = self.peers.pair(owner, now);
        pair.incoming.refuse_no_more(shard);
        pair.incoming.let_go(shard);
        pair.ear.forgive(now);
        self.peers.say(owner, Body::Join(vec![join]));
    }

    /// Takes nothing more for a shard: its promise is about to rise, or nobody wants the copy. What was taken before may still be
    /// acknowledged: it is here.
    pub(crate) fn unfollow(&mut self, shard: ShardId) {
        if self.bugs.has(Bug::OldEpochNotFenced) {
            return;
        }
        let held = &mut self.shards[shard.index()];
        if let Some(following) = held.following.take()
            && let Some(pair) = self.peers.pairs.get_mut(&following.owner)
        {
            pair.incoming.abandon(shard, held.epoch);
        }
    }

    /// Notes that the open frame has a section of this shard.
    pub(crate) fn touch(&mut self, shard: ShardId) {
        let held = &mut self.shards[shard.index()];
        if held.presence == Presence::Absent {
            held.presence = Presence::Present;
            self.touched.push(shard);
        }
    }
}

impl Shard {
    /// Takes a section as it is: it is later than everything before it.
    fn absorb(&mut self, section: Section) {
        if section.part.is_first() {
            // Also its time: what this node had of the shard before may be of an owner that never answered.
            self.latest = ShardTime::ZERO;
            self.table.clear();
            self.changed.clear();
            self.is_anew = true;
            self.dirty = u64::MAX;
        }
        (self.epoch, self.seq, self.floor) = (section.head.epoch, section.head.seq, section.head.floor);
        self.latest = self.latest.max(section.head.time);
        if !section.rows.is_empty() || section.head.floor.is_some() {
            self.written = Written::Yes;
        }
        for (key, counter) in section.rows {
            self.dirty |= 1 << bucket_of(key);
            let before = match counter {
                Some(counter) => self.table.insert(key, Row { counter, place: Place::OpenFrame }),
                None => self.table.remove(key),
            };
            if before.is_none_or(|row| row.place == Place::Sealed) {
                self.changed.push(key);
            }
        }
    }
}
