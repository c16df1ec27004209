//! Invitations to follow: which are accepted, and which wait for the record that they are about.
//!
//! Rule (protocol, epoch rules 1 and 2): only the owner that the record names may have a copy, under the record's own epoch, in a shard that
//! this node answers for in no way. The owner hears of its record from its own transaction, and the copy from the watch: an invitation is
//! often ahead by some milliseconds. It waits here, one for each shard and owner, and everything is read again only when the watch
//! has not told of the record for [`PATIENCE`]: a reading moves every record there is.

use std::collections::BTreeMap;

use drl_core::{Nanos, ShardId};

use super::agent::{NodeAgent, Turn};
use super::bugs::Bugs;
use super::local::Role;
use super::marker::Origin;
use super::promise::Promise;
use super::record::Holder;
use super::session::Phase;
use crate::replication::{Invite, Start};

/// How long an invitation waits. Its owner says it again every 100 ms, until it is joined.
const PATIENCE: Nanos = Nanos::from_millis(500);

/// What waits, by shard and owner.
pub(super) type Invitations = BTreeMap<(ShardId, Holder), Invitation>;

/// An invitation that was not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Invitation {
    invite: Invite,
    since: Nanos,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accept,
    Refuse,
    /// Nothing speaks against it but that this node has not heard of the record, or has not left the shard yet.
    NotYet,
}

impl<B: Bugs> NodeAgent<B> {
    /// Takes note of invitations. They are answered with what else happened by now, in [`NodeAgent::answer_invitations`].
    pub(super) fn invited(&mut self, from: &Holder, invites: &[Invite], now: Nanos) {
        // Nobody else can be named by a record, and what waits is bounded.
        if self.known.node(&from.node).is_none_or(|entry| entry.generation != from.generation) {
            return;
        }
        for invite in invites.iter().filter(|invite| invite.shard.index() < self.locals.len()) {
            let new = Invitation { invite: *invite, since: now };
            let waits = self.invitations.entry((invite.shard, from.clone())).or_insert(new);
            if (waits.invite.epoch, waits.invite.attempt) < (invite.epoch, invite.attempt) {
                waits.invite = *invite;
            }
        }
    }

    /// Answers what can be answered. Roles have followed the records before.
    pub(super) fn answer_invitations(&mut self, turn: &mut Turn<'_>) {
        if self.phase != Phase::Serving || self.deadline <= turn.now.boottime {
            return self.invitations.clear();
        }
        let mut accepted: Vec<(Holder, Vec<Invite>)> = Vec::new();
        for ((shard, from), waits) in std::mem::take(&mut self.invitations) {
            match self.answer(&from, &waits.invite) {
                Answer::Accept => match accepted.iter_mut().find(|(holder, _)| *holder == from) {
                    Some((_, invites)) => invites.push(waits.invite),
                    None => accepted.push((from, vec![waits.invite])),
                },
                Answer::Refuse => {}
                Answer::NotYet if waits.until() > turn.now.boottime => {
                    self.invitations.insert((shard, from), waits);
                }
                Answer::NotYet => self.relist_at = self.relist_at.min(turn.now.boottime),
            }
        }
        for (from, invites) in accepted {
            self.promise_to_follow(&from, invites, turn);
        }
    }

    /// When the first one has waited for long enough.
    pub(super) fn invitations_until(&self) -> Option<Nanos> {
        self.invitations.values().map(Invitation::until).min()
    }

    fn answer(&self, from: &Holder, invite: &Invite) -> Answer {
        let local = &self.locals[invite.shard.index()];
        let Some(record) = self.known.record(invite.shard).map(|versioned| &versioned.record) else {
            return Answer::NotYet;
        };
        if record.epoch < invite.epoch {
            return Answer::NotYet;
        }
        let me = self.myself();
        let names_me = record.in_sync_follower() == Some(&me);
        let is_its_own = record.epoch == invite.epoch && record.owner == *from && *from != me;
        let promise = Promise { epoch: invite.epoch, generation: from.generation };
        let is_new = local.follow.as_ref().is_none_or(|follow| {
            follow.owner != *from || (follow.invite.epoch, follow.invite.attempt) < (invite.epoch, invite.attempt)
        });
        if !is_its_own || !is_new || !local.promise.allows(promise) {
            return Answer::Refuse;
        }
        if local.role != Role::Idle || local.in_flight.is_some() {
            return Answer::NotYet;
        }
        let fits = match invite.start {
            // A copy that the record relies on is not emptied.
            Start::Anew => !names_me,
            // A copy that continues into the next epoch is one whose marker would be resumed from.
            Start::Continues => {
                names_me
                    && local.marker.held.is_some_and(|held| held.generation == self.generation)
                    && local.marker.resumes(record, &self.me) == Some(Origin::Resume)
            }
        };
        if fits { Answer::Accept } else { Answer::Refuse }
    }
}

impl Invitation {
    fn until(&self) -> Nanos {
        Nanos(self.since.0.saturating_add(PATIENCE.0))
    }
}
