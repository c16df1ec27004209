//! A node's part as follower: promises before it follows, marks a copy that is complete, and takes over when its owner is suspected.
//!
//! Rules (protocol, epoch rules 2 and 4, warm take-over): what an owner may send is promised on disk first, as (epoch, owner's
//! generation). A copy begins empty, and from then on its marker says nothing, until everything is here. Which invitations are
//! accepted is in `invitations.rs`. A take-over needs the record to say in sync and to name this very
//! lifetime, and the owner to be suspected; no clock, no waiting.

use drl_core::{Epoch, Nanos, ShardId};

use super::agent::{NodeAgent, Turn};
use super::bugs::Bugs;
use super::clock::ShardClock;
use super::event::Token;
use super::local::{Copying, Follow};
use super::marker::{FloorState, Held, RoleMarker};
use super::pending::Pending;
use super::promise::Promise;
use super::record::{Holder, ShardRecord};
use crate::replication::{Invite, Join, Order, Start};

impl<B: Bugs> NodeAgent<B> {
    /// Promises on disk to follow an owner in these shards.
    pub(super) fn promise_to_follow(&mut self, from: &Holder, accepted: Vec<Invite>, turn: &mut Turn<'_>) {
        let generation = self.generation;
        for invite in &accepted {
            let clock = ShardClock::starting(invite.time, turn.now);
            let local = &mut self.locals[invite.shard.index()];
            let (epoch, floor) = (invite.epoch, FloorState::Journaled);
            local.marker = match invite.start {
                Start::Anew => RoleMarker::default(),
                Start::Continues => RoleMarker { held: Some(Held { epoch, generation, clock, floor }), wanted: None },
            };
            local.promise = Promise { epoch: invite.epoch, generation: from.generation };
        }
        let facts = accepted.iter().map(|invite| self.fact(invite.shard)).collect();
        let shards = accepted.iter().map(|invite| invite.shard).collect();
        let token = self.persist(facts, Pending::Joining(shards), turn);
        for invite in accepted {
            let clock = ShardClock::starting(invite.time, turn.now);
            let stage = Copying::Promising(token);
            let follow = Follow { owner: from.clone(), invite, clock, stage };
            self.locals[invite.shard.index()].follow = Some(follow);
        }
    }

    /// The promises are on disk.
    pub(super) fn join(&mut self, shards: &[ShardId], promised: Token, turn: &mut Turn<'_>) {
        for shard in shards {
            let Some(follow) = &mut self.locals[shard.index()].follow else { continue };
            if follow.stage != Copying::Promising(promised) {
                continue;
            }
            let Invite { epoch, attempt, start, .. } = follow.invite;
            follow.stage = if start == Start::Anew { Copying::Seeding } else { Copying::Complete };
            let join = Join { shard: *shard, epoch, attempt };
            turn.order(Order::Follow { owner: follow.owner.clone(), join, start });
        }
    }

    /// The copy is complete, under this epoch.
    pub(super) fn seeded(&mut self, shard: ShardId, epoch: Epoch, turn: &mut Turn<'_>) {
        let generation = self.generation;
        let local = &mut self.locals[shard.index()];
        let Some(follow) = local.follow.as_ref() else { return };
        if follow.stage != Copying::Seeding || follow.invite.epoch != epoch {
            return;
        }
        let held = Held { epoch, generation, clock: follow.clock, floor: FloorState::Journaled };
        local.marker = RoleMarker { held: Some(held), wanted: None };
        let facts = vec![self.fact(shard)];
        let token = self.persist(facts, Pending::CopyNoted(shard), turn);
        if let Some(follow) = &mut self.locals[shard.index()].follow {
            follow.stage = Copying::Marking(token);
        }
    }

    pub(super) fn copy_noted(&mut self, shard: ShardId, noted: Token, turn: &mut Turn<'_>) {
        if let Some(follow) = &mut self.locals[shard.index()].follow
            && follow.stage == Copying::Marking(noted)
        {
            follow.stage = Copying::Complete;
            turn.order(Order::CopyCounts { shard });
        }
    }

    /// Takes nothing more of a shard from others.
    pub(super) fn unfollow(&mut self, shard: ShardId, turn: &mut Turn<'_>) {
        if self.locals[shard.index()].follow.take().is_some() {
            turn.order(Order::Unfollow { shard });
        }
    }

    /// Leaves the copies that their owners' records do not ask for any more.
    pub(super) fn leave_copies(&mut self, turn: &mut Turn<'_>) {
        let me = self.myself();
        for shard in self.shards.iter() {
            let Some(follow) = &self.locals[shard.index()].follow else { continue };
            let Some(record) = self.known.record(shard).map(|versioned| &versioned.record) else { continue };
            let goes_on = record.owner == follow.owner && record.follower.as_ref() == Some(&me);
            if record.epoch > follow.invite.epoch && !goes_on {
                self.unfollow(shard, turn);
            }
        }
    }

    /// Whether this node, the follower in sync by the record, may take the shard from its owner.
    pub(super) fn may_take_over(&self, shard: ShardId, record: &ShardRecord) -> bool {
        let Some(follower) = record.in_sync_follower().filter(|follower| follower.node == self.me) else {
            return false;
        };
        if follower.generation != self.generation {
            // An earlier lifetime followed. Its owner goes first, unless it is gone.
            return self.known.node(&record.owner.node).is_none_or(|entry| entry.generation != record.owner.generation);
        }
        let is_complete = self.locals[shard.index()].marker.held.is_some();
        is_complete && self.suspects(&record.owner)
    }

    /// The planted bug: any follower takes over.
    pub(super) fn would_promote(&self, shard: ShardId, record: &ShardRecord) -> bool {
        let follow = self.locals[shard.index()].follow.as_ref();
        follow.is_some_and(|follow| follow.owner == record.owner) && self.suspects(&record.owner)
    }

    /// Shard time as it goes on after a take-over: what the owner's clock showed when it was heard last, and this node's own clock from then
    /// on. That may be long ago, and the owner may have admitted a moment ago: with another copy, or with this one, whose frames were heard.
    pub(super) fn followed_clock(&self, shard: ShardId, turn: &Turn<'_>) -> ShardClock {
        let Some(follow) = &self.locals[shard.index()].follow else {
            return ShardClock::starting(turn.now.wall, turn.now);
        };
        let heard = self.silences.get(&follow.owner).map(|unheard| unheard.heard);
        match heard.filter(|heard| heard.boottime >= follow.invite.boottime) {
            Some(heard) => {
                let passed = Nanos(heard.boottime.0.saturating_sub(follow.invite.boottime.0));
                let clock =
                    ShardClock { at: heard.at, ..ShardClock::starting(follow.invite.time.plus(passed), turn.now) };
                self.slowed(clock, turn)
            }
            None => self.slowed(follow.clock, turn),
        }
    }

    /// Whether the record that this node resumed from named it as follower.
    pub(super) fn resumes_as_follower(&self, shard: ShardId) -> bool {
        let local = &self.locals[shard.index()];
        local.marker.held.is_some_and(|held| local.promise.generation != held.generation)
    }

    /// Shard time of a copy that an earlier lifetime of this node had. Its clock may have run fast, and the owner's slow, all the time.
    pub(super) fn slow_clock(&self, shard: ShardId, turn: &Turn<'_>) -> ShardClock {
        let local = &self.locals[shard.index()];
        let Some(held) = local.marker.held else { return ShardClock::starting(turn.now.wall, turn.now) };
        let slowed = self.slowed(held.clock.carried_on(local.latest, turn.now), turn);
        ShardClock::starting(slowed.time(turn.now.boottime).max(local.latest), turn.now)
    }

    /// A clock of this node that began with another node's time: as if this node's had run fast since, and the other's slow.
    fn slowed(&self, clock: ShardClock, turn: &Turn<'_>) -> ShardClock {
        let passed = clock.time(turn.now.boottime).since(clock.base);
        let drift = (passed.0 / 1_000_000).saturating_mul(2 * self.authority.drift_ppm);
        ShardClock::starting(clock.base.plus(Nanos(passed.0.saturating_sub(drift))), turn.now)
    }
}
