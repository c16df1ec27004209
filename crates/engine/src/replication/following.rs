//! The follower's side of a copy: which sections it takes, and which it refuses.
//!
//! Rules (protocol, epoch rules 1, 2, 3 and 6): a section is taken from the very lifetime and under the very epoch that were promised
//! on disk, in the order in which it was sent. Everything else is refused, for good: that is the fence. What is taken goes
//! into this node's own open frame, and is acknowledged when that is in the journal, while this node's own deadline is ahead.

use drl_core::caps::SNAPSHOT_PARTS_MAX;
use drl_core::{Epoch, Nanos, ShardId, ShardTime};

use super::message::{Body, Invite, Join, PeerFrame, Start};
use super::peers::News;
use super::receiving::{Received, Rejected};
use crate::bytes::Malformed;
use crate::frame::{self, Part, Section};
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
    copied: Copied,
}

/// How much of a copy is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copied {
    /// So many parts of its snapshot.
    Parts(u8),
    Everything,
}

impl Following {
    /// Whether an invitation was answered already.
    pub(super) fn answers(&self, from: &Holder, invite: &Invite) -> bool {
        self.owner == *from && (self.epoch, self.attempt) == (invite.epoch, invite.attempt)
    }

    /// Whether a part comes when it may: the first one first, and no more than a snapshot has. Takes note of it then.
    fn takes(&mut self, part: Part) -> bool {
        let is_next = match self.copied {
            Copied::Parts(0) | Copied::Everything => !matches!(part, Part::Middle | Part::Last),
            Copied::Parts(parts) => parts < SNAPSHOT_PARTS_MAX || part == Part::Changes,
        };
        if let (Copied::Parts(parts), Part::First | Part::Middle) = (&mut self.copied, part) {
            *parts = parts.saturating_add(1);
        }
        is_next
    }

    /// Whether this part completes the copy.
    fn is_completed_by(&mut self, part: Part) -> bool {
        part.is_last() && std::mem::replace(&mut self.copied, Copied::Everything) != Copied::Everything
    }
}

impl<B: Bugs> Ledger<B> {
    pub(super) fn take_frame(
        &mut self,
        from: &Holder,
        peer_frame: &PeerFrame,
        now: Nanos,
    ) -> Result<Received, Rejected> {
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
        if pair.incoming.is_full() {
            return Err(Rejected::Flooded);
        }
        let sections = match self.read_sections(&peer_frame.payload) {
            Ok(sections) => sections,
            Err(why) => {
                self.refuse_everything(from, peer_frame.number);
                return Err(why);
            }
        };
        for section in sections {
            self.take_section(from, section);
        }
        let revision = frame::policy_revision(&peer_frame.payload);
        if revision > self.peers.stamped {
            self.peers.stamped = revision;
            self.peers.tell(News::Stamped { revision });
        }
        self.note_taken(from, peer_frame.number);
        Ok(Received::Taken)
    }

    fn take_section(&mut self, from: &Holder, section: Section) {
        let shard = section.head.shard;
        let not_fenced = self.bugs.has(Bug::OldEpochNotFenced);
        let Some(held) = self.shards.get_mut(shard.index()) else { return };
        // What was taken before comes again under another number, or a part of a snapshot when it may not: nothing of that owner is taken.
        let follows_on = held.following.as_mut().is_some_and(|following| {
            (following.owner == *from && following.epoch == section.head.epoch)
                && section.head.seq > held.seq
                && following.takes(section.part)
        });
        let pair = self.peers.pairs.get_mut(from);
        if !follows_on && !not_fenced {
            held.following.take_if(|following| following.owner == *from && following.epoch == section.head.epoch);
            self.peers.rejections.sections = self.peers.rejections.sections.saturating_add(1);
            if let Some(pair) = pair {
                pair.incoming.refuse(shard, held.epoch);
            }
            return;
        }
        let (epoch, part) = (section.head.epoch, section.part);
        let before = held.changed.len();
        held.absorb(section);
        self.open_rows = self.open_rows - before + held.changed.len();
        if held.following.as_mut().is_some_and(|following| following.is_completed_by(part)) {
            if let Some(pair) = pair {
                pair.incoming.completed(shard);
            }
            self.peers.tell(News::Seeded { shard, epoch });
        }
        self.touch(shard);
    }

    /// Reads a frame whole; a section of a shard that does not exist makes no sense either.
    fn read_sections(&self, payload: &[u8]) -> Result<Vec<Section>, Rejected> {
        if let Some(found) = frame::other_format(payload) {
            return Err(Rejected::OtherFormat { found });
        }
        let sections = frame::read(payload)?;
        if sections.iter().any(|section| section.head.shard.index() >= self.shards.len()) {
            return Err(Malformed { what: "section shard" }.into());
        }
        Ok(sections)
    }

    /// Bytes that make no sense: nothing of them is taken, and no copy from that owner counts any more, also none that was left
    /// before: nobody knows whose sections these were.
    fn refuse_everything(&mut self, from: &Holder, number: u64) {
        let Some(pair) = self.peers.pairs.get_mut(from) else { return };
        for shard in pair.incoming.joined() {
            let Some(held) = self.shards.get_mut(shard.index()) else { continue };
            held.following.take_if(|following| following.owner == *from);
            pair.incoming.refuse(shard, held.epoch);
        }
        self.note_taken(from, number);
    }

    fn note_taken(&mut self, from: &Holder, number: u64) {
        let commit = if self.is_clean() { self.sealed } else { self.open() };
        if let Some(pair) = self.peers.pairs.get_mut(from) {
            pair.incoming.took(number, commit);
            // A frame of which nothing was taken leaves nothing to journal, and no commit need follow.
            pair.incoming.committed(self.journaled);
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
        let copied = if start == Start::Continues { Copied::Everything } else { Copied::Parts(0) };
        held.following = Some(Following { owner: owner.clone(), epoch, attempt, copied });
        let pair = self.peers.pair(owner, now);
        pair.incoming.join(shard);
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
