//! Adopting a shard that a record gives to this node, and leaving one that a record gives to somebody else.
//!
//! Rule (protocol, epoch rule 5): a new owner reads the record, raises the promise (durably), adopts the state, then answers. An
//! owner that sees a higher epoch stops at once. Before it answers, a heartbeat has promised a `time_hi` that covers the shard.
//!
//! Rule (protocol, cold starts): T = max(stored, wall clock, the predecessor's `time_hi`), and every counter counts as exhausted
//! from T for one window. The record stays `cold` until that floor is in the journal, synced, and the marker says so.

use drl_core::{Epoch, Nanos, ShardId, ShardTime};

use super::agent::{NodeAgent, Turn};
use super::bugs::{Bug, Bugs};
use super::clock::ShardClock;
use super::command::{Closed, Command, Report};
use super::event::Token;
use super::local::{Freeze, Local, Role, Stage, Written};
use super::marker::{FloorState, Held, Origin};
use super::pending::Pending;
use super::promise::Promise;
use super::record::ShardRecord;
use super::session::Phase;
use super::stop::StopReason;

/// Rule (protocol, time and cold starts): a wall clock that is far off is a loud warning. A cold start is the only one that reads it, and
/// begins later than it when another node's was ahead.
const WALL_CLOCK_OFF: Nanos = Nanos::from_secs(60);

impl<B: Bugs> NodeAgent<B> {
    /// Brings roles in line with the records.
    pub(super) fn follow_records(&mut self, turn: &mut Turn<'_>) {
        let me = self.myself();
        let (mut adopted, mut raised) = (Vec::new(), Vec::new());
        let shards: Vec<ShardId> = self.shards.iter().collect();
        for shard in shards {
            let Some(versioned) = self.known.record(shard) else { continue };
            let record = &versioned.record;
            let (epoch, is_mine) = (record.epoch, record.owner == me);
            let local = &self.locals[shard.index()];
            if !local.promise.allows(Promise::of(record)) {
                let (found, promised) = (epoch.0, local.promise.epoch.0);
                return self.stop(StopReason::EpochWentBack { shard: shard.get(), found, promised }, turn);
            }
            let answers = local.epoch();
            if is_mine && (answers == Some(epoch) || local.raising.is_some_and(|(raising, _)| raising == epoch)) {
                continue;
            }
            if is_mine && self.is_next_epoch_of(shard, epoch) {
                raised.push(shard);
                continue;
            }
            if answers.is_some() && self.bugs.has(Bug::OldEpochNotFenced) {
                self.go_on(shard, turn);
                continue;
            }
            // The driver is told of every owner, so that it sends callers there, and of each only once.
            if answers.is_some() || (!is_mine && local.told != Some(epoch)) {
                let closed = Closed::NotOwner { epoch, owner: record.owner.clone() };
                self.leave(shard, closed, turn);
            }
            if is_mine && self.locals[shard.index()].role == Role::Idle {
                let record = self.known.record(shard).map(|versioned| versioned.record.clone());
                adopted.extend(record.map(|record| (shard, record)));
            }
        }
        self.raise(&raised, turn);
        self.adopt(&adopted, turn);
    }

    fn adopt(&mut self, adopted: &[(ShardId, ShardRecord)], turn: &mut Turn<'_>) {
        if adopted.is_empty() {
            return;
        }
        for (shard, record) in adopted {
            let (origin, clock) = self.origin_of(*shard, record, turn);
            if self.locals[shard.index()].follow.is_some() && origin == Origin::Resume {
                // Whatever its owner wrote is here.
                self.locals[shard.index()].written = Written::Yes;
                // Whoever is given a shard has asked for nothing.
                if self.locals[shard.index()].marker.wanted.is_some_and(|wanted| wanted.epoch == record.epoch) {
                    turn.report(Report::TakenWarm { shard: *shard });
                }
            }
            self.unfollow(*shard, turn);
            let floor = if origin == Origin::Cold { FloorState::Pending } else { FloorState::Journaled };
            let local = &mut self.locals[shard.index()];
            let (epoch, generation) = (record.epoch, record.owner.generation);
            local.marker.held = Some(Held { epoch, generation, clock, floor });
            local.marker.wanted = None;
            local.promise = Promise::of(record);
            local.role = Role::Adopting { epoch, origin, clock, stage: Stage::Persisting(Token::default()) };
        }
        let mut facts: Vec<_> = adopted.iter().map(|(shard, _)| self.fact(*shard)).collect();
        facts.extend(self.seen_fact());
        let shards: Vec<ShardId> = adopted.iter().map(|(shard, _)| *shard).collect();
        let token = self.persist(facts, Pending::Adoptions(shards.clone()), turn);
        for shard in shards {
            if let Role::Adopting { stage, .. } = &mut self.locals[shard.index()].role {
                *stage = Stage::Persisting(token);
            }
        }
    }

    /// Where the counters come from, and how shard time goes on.
    fn origin_of(&self, shard: ShardId, record: &ShardRecord, turn: &Turn<'_>) -> (Origin, ShardClock) {
        let local = &self.locals[shard.index()];
        let held = local.marker.held;
        let otherwise = if record.cold { Origin::Cold } else { Origin::Empty };
        let origin = local.marker.resumes(record, &self.me).unwrap_or(otherwise);
        let carried_on = held.map(|held| held.clock.carried_on(local.latest, turn.now));
        let restarted = ShardClock::starting(turn.now.wall, turn.now);
        let clock = match (origin, carried_on) {
            _ if self.bugs.has(Bug::TimeRestarts) => restarted,
            (Origin::Resume, _) if local.follow.is_some() => self.followed_clock(shard, turn),
            (Origin::Resume, Some(_)) if self.resumes_as_follower(shard) => self.slow_clock(shard, turn),
            (Origin::Resume, Some(clock)) => clock,
            (Origin::Cold, _) => ShardClock::starting(self.cold_time(shard, record.epoch, carried_on, turn), turn.now),
            (Origin::Resume, None) => ShardClock::starting(turn.now.wall.max(local.latest), turn.now),
            (Origin::Empty, _) => restarted,
        };
        (origin, clock)
    }

    fn cold_time(&self, shard: ShardId, epoch: Epoch, carried_on: Option<ShardClock>, turn: &Turn<'_>) -> ShardTime {
        let local = &self.locals[shard.index()];
        let stored = carried_on.map(|clock| clock.time(turn.now.boottime)).unwrap_or_default().max(local.latest);
        // What the predecessor promised, as the claim compared it. This node's own heartbeats are as high, and higher: they cover the shards
        // that it took over a moment ago, and one that began behind them would be ahead of those by a whole authority.
        let promised = local.behind.filter(|(claimed, _)| *claimed == epoch).map(|(_, promised)| promised);
        stored.max(turn.now.wall).max(promised.unwrap_or_else(|| self.own_time_hi()))
    }

    /// The promises are on disk. Only for the adoptions that were asked for with this token: a shard may have gone and come back.
    pub(super) fn promised(&mut self, shards: &[ShardId], promised: Token, turn: &mut Turn<'_>) {
        for shard in shards {
            if let Role::Adopting { stage, .. } = &mut self.locals[shard.index()].role
                && *stage == Stage::Persisting(promised)
            {
                *stage = Stage::Covering;
            }
        }
        self.activate_covered(turn);
    }

    /// Answers for every adopted shard whose time the last heartbeat covers.
    pub(super) fn activate_covered(&mut self, turn: &mut Turn<'_>) {
        self.activate_those(turn);
        let is_uncovered = |local: &Local| match local.role {
            Role::Adopting { clock, stage: Stage::Covering, .. } => clock.time(self.deadline) > self.beats.time_hi,
            _ => false,
        };
        if self.locals.iter().any(is_uncovered) {
            // Callers wait: the next heartbeat does not. What waits for policies is covered, and no heartbeat brings those.
            self.beats.next = self.beats.next.min(turn.now.boottime);
        }
    }

    fn activate_those(&mut self, turn: &mut Turn<'_>) {
        let waits_for_policies = self.policies < self.stamped && !self.bugs.has(Bug::OldPoliciesAfterTakeOver);
        if self.phase != Phase::Serving || self.deadline <= turn.now.boottime || waits_for_policies {
            return;
        }
        for shard in self.shards.iter() {
            let local = &mut self.locals[shard.index()];
            let Role::Adopting { epoch, origin, clock, stage: Stage::Covering } = local.role else { continue };
            if clock.time(self.deadline) > self.beats.time_hi {
                continue;
            }
            local.role = Role::Active { epoch, clock };
            local.told = Some(epoch);
            let origin = match origin {
                Origin::Cold if self.bugs.has(Bug::ColdStartsEmpty) => Origin::Empty,
                origin => origin,
            };
            if origin == Origin::Cold {
                local.written = Written::Yes;
                turn.report(Report::TakenCold { shard });
                let by = clock.base.since(clock.wall);
                if by > WALL_CLOCK_OFF {
                    turn.report(Report::TimeAhead { shard, by, floor: clock.base });
                }
            }
            turn.say(Command::Activate { shard, epoch, origin, clock });
            self.keep_the_follower(shard, turn);
        }
    }

    /// Rule (protocol, epoch rule 5 and policy changes): a new owner waits until it runs at least the policies that the last frame was
    /// decided under.
    pub(super) fn run_policies(&mut self, revision: u64, turn: &mut Turn<'_>) {
        self.policies = self.policies.max(revision);
        self.activate_covered(turn);
    }

    /// The journal has a floor. One of an earlier epoch says nothing of the present one: somebody else may have answered meanwhile, and
    /// what was lost of that counts as used up from the later floor only.
    pub(super) fn floor_journaled(&mut self, shard: ShardId, epoch: Epoch) {
        if let Some(local) = self.locals.get_mut(shard.index())
            && local.epoch() == Some(epoch)
        {
            local.floor_is_journaled = true;
        }
    }

    /// Notes in the marker that the journal has the floor.
    fn note_floor(&mut self, shard: ShardId, turn: &mut Turn<'_>) {
        let local = &mut self.locals[shard.index()];
        let is_active = matches!(local.role, Role::Active { .. }) && local.floor_is_journaled;
        if !is_active || local.in_flight.is_some() {
            return;
        }
        local.floor_is_journaled = false;
        let Some(held) = local.marker.held.as_mut().filter(|held| held.floor == FloorState::Pending) else { return };
        held.floor = FloorState::Journaled;
        let facts = vec![self.fact(shard)];
        let token = self.persist(facts, Pending::FloorNoted(shard), turn);
        self.locals[shard.index()].in_flight = Some(token);
    }

    /// Takes `cold` off the records whose floor is in the journal. Roles follow the records, so an active shard's record is this
    /// node's own, under the epoch of the role.
    pub(super) fn settle(&mut self, turn: &mut Turn<'_>) {
        let mut changes = Vec::new();
        for shard in self.shards.iter() {
            self.note_floor(shard, turn);
            let local = &self.locals[shard.index()];
            let is_journaled = local.marker.held.is_some_and(|held| held.floor == FloorState::Journaled);
            if local.in_flight.is_some() || !is_journaled || !matches!(local.role, Role::Active { .. }) {
                continue;
            }
            if let Some(versioned) = self.known.record(shard)
                && versioned.record.cold
            {
                changes.push((shard, versioned.changed, versioned.record.settled()));
            }
        }
        for batch in changes.chunks(drl_core::caps::TXN_RECORDS_MAX) {
            self.send_records(Vec::new(), batch.to_vec(), turn);
        }
    }

    /// Somebody knows a higher epoch: decides nothing until everything was read again.
    pub(super) fn doubt(&mut self, shard: ShardId, turn: &mut Turn<'_>) {
        let Some(local) = self.locals.get_mut(shard.index()) else { return };
        self.relist_at = turn.now.boottime;
        if let Role::Active { epoch, clock } = local.role
            && local.raising.is_none()
        {
            local.role = Role::Frozen { epoch, clock, stage: Freeze::Doubted };
            turn.say(Command::Freeze { shards: vec![shard] });
        }
    }

    /// Everything was read: what is still this node's goes on.
    pub(super) fn doubt_no_more(&mut self) {
        for local in &mut self.locals {
            if let Role::Frozen { stage, .. } = &mut local.role
                && *stage == Freeze::Doubted
            {
                *stage = Freeze::Unwritten;
            }
        }
    }

    /// The planted bug of an owner that does not stop.
    fn go_on(&mut self, shard: ShardId, turn: &mut Turn<'_>) {
        let local = &mut self.locals[shard.index()];
        if let Role::Frozen { epoch, clock, stage: Freeze::Unwritten } = local.role {
            local.role = Role::Active { epoch, clock };
            turn.say(Command::Thaw { shard });
        }
    }
}
