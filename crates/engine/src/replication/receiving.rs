//! Letters from other lifetimes: which ones are taken, and a count of those that are not.
//!
//! Rule (protocol, epoch rule 1): a letter names both lifetimes. One that is not for this lifetime, that comes from a stranger, or whose
//! bytes make no sense changes nothing here but a count.

use drl_core::Nanos;

use super::message::{Beat, Body, Invite, Join, Letter};
use super::peers::News;
use crate::bytes::Malformed;
use crate::ledger::Ledger;
use crate::ownership::{Bug, Bugs, Holder};

/// What taking a letter led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    Taken,
    /// It was taken before, or comes too early; it will be sent again.
    OutOfOrder,
}

/// Why a letter was not taken. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("the message is for another lifetime of this node")]
    OtherLifetime,
    #[error("no shard is shared with the sender")]
    Stranger,
    #[error("a frame has format {found}, which this node does not know")]
    OtherFormat { found: u8 },
    #[error("a frame does not follow the format: {0}")]
    Malformed(#[from] Malformed),
    #[error("the sender does not wait until its frames are acknowledged")]
    Flooded,
}

/// How much was not taken, by reason, since the ledger was made. What is merely out of order is not counted: it comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rejections {
    pub other_lifetime: u64,
    pub strangers: u64,
    pub other_formats: u64,
    pub malformed: u64,
    pub flooded: u64,
    /// Sections: of a shard that the sender does not own, of another epoch, or out of order. The sender learns of it by [`Ack::refused`](super::Ack).
    pub sections: u64,
}

impl Rejections {
    const fn note(&mut self, why: &Rejected) {
        let count = match why {
            Rejected::OtherLifetime => &mut self.other_lifetime,
            Rejected::Stranger => &mut self.strangers,
            Rejected::OtherFormat { .. } => &mut self.other_formats,
            Rejected::Malformed(_) => &mut self.malformed,
            Rejected::Flooded => &mut self.flooded,
        };
        *count = count.saturating_add(1);
    }
}

impl<B: Bugs> Ledger<B> {
    /// Takes a letter. What follows from it is in [`Ledger::take_letters`] and [`Ledger::take_news`].
    ///
    /// # Errors
    /// [`Rejected`] when it is not for this lifetime, not from one that shares a shard with it, or cannot be taken as it is.
    pub fn receive(&mut self, letter: Letter, now: Nanos) -> Result<Received, Rejected> {
        let received = self.take_letter(letter, now);
        if let Err(why) = &received {
            self.peers.rejections.note(why);
        }
        received
    }

    /// How much was not taken.
    #[must_use]
    pub const fn rejections(&self) -> Rejections {
        self.peers.rejections
    }

    fn take_letter(&mut self, letter: Letter, now: Nanos) -> Result<Received, Rejected> {
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
            following.is_some_and(|following| following.answers(&from, invite))
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
}
