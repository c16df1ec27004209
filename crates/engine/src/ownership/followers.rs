//! An owner's followers: who is named, marked in sync, replaced and dropped.
//!
//! Rules (protocol, section 2):
//!
//! | transition | when | here |
//! |---|---|---|
//! | name a follower, as learner | there is none; the ring says whom | [`NodeAgent::wish_of`] |
//! | mark in sync | replies wait for it already (the joint rule), and it has everything from before | [`Wish::MarkInSync`] |
//! | replace the follower | a learner outside the record has everything, and replies wait for both already | [`Wish::Replace`] |
//! | drop the follower | it neither acknowledges nor beats (`hearing.rs`), or it is another lifetime now; this node's own deadline is ahead | [`Wish::Drop`] |
//!
//! Replies wait for a copy from `Require` until a record without it is *known* to be committed: only then does the ledger go on
//! under the next epoch with other copies (`replication/advancing.rs`). A follower that is slow and beats is waited for.

use std::collections::BTreeSet;

use drl_core::caps::TXN_RECORDS_MAX;
use drl_core::{Epoch, Nanos, ShardId};

use super::agent::{Copies, NodeAgent, Turn};
use super::bugs::{Bug, Bugs};
use super::claim::Change;
use super::event::Token;
use super::local::{Freeze, Role, Seat, Standing};
use super::marker::{FloorState, Held};
use super::pending::Pending;
use super::promise::Promise;
use super::record::{Holder, ShardRecord};
use super::spread::Leaving;
use super::view::Versioned;
use crate::replication::{News, Order, Start};

/// What an owner does next about the copies of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Name(Holder),
    /// Ask for a copy there: of the learner that the record names, or of one that shall replace the follower.
    Seat(Holder),
    Unseat(Holder),
    Require(Holder),
    MarkInSync,
    Replace(Holder),
    Drop,
}

impl<B: Bugs> NodeAgent<B> {
    /// Takes what the ledger says of copies.
    pub(super) fn hear(&mut self, news: News, turn: &mut Turn<'_>) {
        match news {
            News::Invited { from, invites } => self.invited(&from, &invites, turn.now.boottime),
            News::Seeded { shard, epoch } => self.seeded(shard, epoch, turn),
            News::Near { shard, to } => self.stands(shard, &to, Standing::Near),
            News::CaughtUp { shard, to } => self.stands(shard, &to, Standing::CaughtUp),
            News::Broken { shard, to } => self.stands(shard, &to, Standing::Broken),
            News::Flushed { shard } => self.flushed(shard),
            News::Fenced { shard } => self.doubt(shard, turn),
            News::Stamped { revision } => self.stamped = self.stamped.max(revision),
            News::Silence { of, silence, heard } => self.silence(of, silence, heard, turn.now.boottime),
        }
    }

    fn stands(&mut self, shard: ShardId, to: &Holder, standing: Standing) {
        let Some(local) = self.locals.get_mut(shard.index()) else { return };
        for seat in local.seats.iter_mut().filter(|seat| seat.to == *to) {
            seat.standing = seat.standing.max(standing);
        }
    }

    /// Looks after the copies that this node has, and after whom it listens to.
    pub(super) fn tend_copies(&mut self, turn: &mut Turn<'_>) {
        if self.copies == Copies::Two {
            self.leave_copies(turn);
            self.answer_invitations(turn);
            self.listen(turn);
        }
    }

    /// Looks after the copies of every shard that this node answers for.
    pub(super) fn tend_followers(&mut self, turn: &mut Turn<'_>) {
        if self.copies == Copies::One {
            return;
        }
        let mut batch: Vec<Change> = Vec::new();
        let mut room = self.room_for_copies();
        for shard in self.shards.iter() {
            let wish = self.wish_of(shard, room > 0, turn.now.boottime);
            let Some(Versioned { record, changed }) = self.known.record(shard).filter(|_| wish != Wish::Nothing) else {
                continue;
            };
            let (record, changed) = (record.clone(), *changed);
            let next = match wish {
                Wish::Nothing => continue,
                Wish::Seat(to) => {
                    room = room.saturating_sub(1);
                    self.seat(shard, to, Start::Anew, turn);
                    continue;
                }
                Wish::Unseat(to) => {
                    self.locals[shard.index()].seats.retain(|seat| seat.to != to);
                    turn.order(Order::Unseat { shard, to });
                    continue;
                }
                Wish::Require(to) => {
                    self.stands(shard, &to, Standing::Required);
                    turn.order(Order::Require { shard, to });
                    continue;
                }
                Wish::Name(to) => {
                    room = room.saturating_sub(1);
                    record.with_learner(to)
                }
                Wish::MarkInSync => record.marked_in_sync(),
                Wish::Replace(to) => record.with_replacement(to),
                Wish::Drop => {
                    if let Some(follower) = &record.follower {
                        self.drops.note(&follower.node, turn.now.boottime);
                    }
                    record.without_follower()
                }
            };
            batch.push((shard, changed, next));
        }
        for changes in batch.chunks(TXN_RECORDS_MAX) {
            self.send_records(Vec::new(), changes.to_vec(), turn);
        }
    }

    fn wish_of(&mut self, shard: ShardId, has_room: bool, now: Nanos) -> Wish {
        let Some(record) = self.known.record(shard).map(|versioned| &versioned.record) else { return Wish::Nothing };
        let local = &self.locals[shard.index()];
        let is_settled = local.marker.held.is_some_and(|held| held.floor == FloorState::Journaled) && !record.cold;
        let answers = matches!(local.role, Role::Active { epoch, .. } if epoch == record.epoch);
        if !answers || !is_settled || local.in_flight.is_some() || local.raising.is_some() {
            return Wish::Nothing;
        }
        let planned = self.planned_copy(shard);
        let wanted = self.wanted_copy(shard, now);
        let Some(record) = self.known.record(shard).map(|versioned| &versioned.record) else { return Wish::Nothing };
        let local = &self.locals[shard.index()];
        let outside = local.seats.iter().find(|seat| Some(&seat.to) != record.follower.as_ref());
        let Some(follower) = &record.follower else {
            return match wanted {
                Some(to) if has_room => Wish::Name(to),
                _ => Wish::Nothing,
            };
        };
        let seat = local.seats.iter().find(|seat| seat.to == *follower);
        // A node that drains is let go when nobody is left to have the copy instead.
        let drains = self.known.node(&follower.node).is_some_and(|entry| entry.draining);
        let is_let_go = drains && (planned.is_none() || !record.in_sync);
        let is_broken = seat.is_some_and(|seat| seat.standing == Standing::Broken);
        if is_broken || self.is_lost(follower) || (record.in_sync && seat.is_none()) || is_let_go {
            return if self.is_in_doubt(follower) { Wish::Nothing } else { Wish::Drop };
        }
        if !record.in_sync {
            return match seat.map(|seat| seat.standing) {
                None => Wish::Seat(follower.clone()),
                Some(Standing::Near) if self.bugs.has(Bug::MarksBeforeRequired) => Wish::MarkInSync,
                Some(Standing::Near) => Wish::Require(follower.clone()),
                Some(Standing::CaughtUp) => Wish::MarkInSync,
                _ => Wish::Nothing,
            };
        }
        match (outside, wanted) {
            (None, Some(to)) if to != *follower && has_room => Wish::Seat(to),
            (None, _) => Wish::Nothing,
            (Some(seat), wanted) if wanted.as_ref() != Some(&seat.to) || self.is_lost(&seat.to) => {
                Wish::Unseat(seat.to.clone())
            }
            (Some(seat), _) => match seat.standing {
                Standing::Near => Wish::Require(seat.to.clone()),
                Standing::CaughtUp => Wish::Replace(seat.to.clone()),
                Standing::Broken => Wish::Unseat(seat.to.clone()),
                Standing::Invited | Standing::Required => Wish::Nothing,
            },
        }
    }

    /// Listens to whoever this node would take over from, and to whoever has its copies or shall have them.
    fn listen(&mut self, turn: &mut Turn<'_>) {
        let me = self.myself();
        let mut to = BTreeSet::new();
        let mut listen = |holder: Option<&Holder>| {
            if let Some(holder) = holder.filter(|holder| !to.contains(*holder)) {
                to.insert(holder.clone());
            }
        };
        for shard in self.shards.iter() {
            let Some(record) = self.known.record(shard).map(|versioned| &versioned.record) else { continue };
            if record.owner == me {
                listen(record.follower.as_ref());
                listen(self.planned_copy(shard).as_ref());
            } else if record.follower.as_ref() == Some(&me) {
                listen(Some(&record.owner));
            }
        }
        if to != self.listened {
            // Of whoever is new here everything is told again.
            self.silences.retain(|holder, _| to.contains(holder) && self.listened.contains(holder));
            self.listened.clone_from(&to);
            turn.order(Order::Listen { to });
        }
    }

    fn seat(&mut self, shard: ShardId, to: Holder, start: Start, turn: &mut Turn<'_>) {
        self.locals[shard.index()].seats.retain(|seat| seat.to != to);
        self.locals[shard.index()].seats.push(Seat { to: to.clone(), standing: Standing::Invited });
        turn.order(Order::Seat { shard, to, start });
    }

    /// A new owner whose record has a follower in sync: that is the old owner, which goes on as a copy (planned swap). Any other follower
    /// in sync is dropped as soon as possible, and nothing leaves before.
    pub(super) fn keep_the_follower(&mut self, shard: ShardId, turn: &mut Turn<'_>) {
        let follower = self.known.record(shard).and_then(|versioned| versioned.record.in_sync_follower()).cloned();
        if let Some(follower) = follower {
            self.seat(shard, follower.clone(), Start::Continues, turn);
            turn.order(Order::Require { shard, to: follower });
        }
    }

    /// Whether the record's epoch is the next one of this very owner: then it was this node that changed the follower.
    pub(super) fn is_next_epoch_of(&self, shard: ShardId, epoch: Epoch) -> bool {
        match self.locals[shard.index()].role {
            Role::Active { epoch: answers, .. }
            | Role::Frozen { epoch: answers, stage: Freeze::Doubted | Freeze::Unwritten, .. } => {
                answers.next() == epoch
            }
            _ => false,
        }
    }

    /// Promises the next epochs of shards that stay with this node.
    pub(super) fn raise(&mut self, raised: &[ShardId], turn: &mut Turn<'_>) {
        if raised.is_empty() {
            return;
        }
        for shard in raised {
            let Some(record) = self.known.record(*shard).map(|versioned| versioned.record.clone()) else { continue };
            let local = &mut self.locals[shard.index()];
            local.promise = Promise::of(&record);
            local.marker.held = local.marker.held.map(|held| Held { epoch: record.epoch, ..held });
            local.marker.wanted = None;
        }
        let facts = raised.iter().map(|shard| self.fact(*shard)).collect();
        let token = self.persist(facts, Pending::Raised(raised.to_vec()), turn);
        for shard in raised {
            let epoch = self.locals[shard.index()].promise.epoch;
            self.locals[shard.index()].raising = Some((epoch, token));
        }
    }

    /// The next epochs are promised: goes on under them.
    pub(super) fn raised(&mut self, shards: &[ShardId], promised: Token, turn: &mut Turn<'_>) {
        for shard in shards {
            let local = &mut self.locals[shard.index()];
            let Some((epoch, _)) = local.raising.take_if(|(_, token)| *token == promised) else { continue };
            local.role = match local.role {
                Role::Active { clock, .. } => Role::Active { epoch, clock },
                Role::Frozen { clock, stage, .. } => Role::Frozen { epoch, clock, stage },
                role => role,
            };
            local.told = Some(epoch);
            let record = self.known.record(*shard).map(|versioned| &versioned.record);
            let follower = record.filter(|record| record.epoch == epoch).and_then(ShardRecord::in_sync_follower);
            let keep = follower.filter(|follower| local.seats.iter().any(|seat| seat.to == **follower)).cloned();
            local.seats.retain(|seat| Some(&seat.to) == keep.as_ref());
            local.seats.iter_mut().for_each(|seat| seat.standing = Standing::Invited);
            turn.order(Order::Advance { shard: *shard, epoch, keep });
        }
    }

    /// Whether this node may not end yet: a record names it, and somebody else could have what it has.
    pub(super) fn is_still_needed(&self) -> bool {
        let others = self.known.living().any(|(node, entry)| *node != self.me && !entry.draining);
        let mut records = self.shards.iter().filter_map(|shard| self.known.record(shard));
        self.copies == Copies::Two
            && self.leaving != Leaving::No
            && others
            && records.any(|versioned| self.is_named_by(&versioned.record))
    }

    /// Whether a record names this node, in whichever role and lifetime.
    pub(super) fn is_named_by(&self, record: &ShardRecord) -> bool {
        record.owner.node == self.me || record.follower.as_ref().is_some_and(|follower| follower.node == self.me)
    }
}
