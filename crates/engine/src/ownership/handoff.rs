//! Moving a shard on purpose: to the follower in sync, when the ring wants that node to own it.
//!
//! Rule (protocol, section 5, planned move): (1) the target is the follower in sync (`followers.rs` brings it there); (2) freeze: the owner
//! admits nothing more and parks new checks; (3) everything that was decided is acknowledged; (4) planned swap, after which the old
//! owner is the follower in sync; (5) the new owner answers. Given up after 5 s, as long as the swap was not sent; a swap with an
//! unknown outcome stays frozen until it has one: no time-out may force it.

use drl_core::caps::{MOVES_IN_FLIGHT_MAX, TXN_RECORDS_MAX};
use drl_core::{Nanos, ShardId};

use super::agent::{Copies, NodeAgent, Turn};
use super::bugs::Bugs;
use super::claim::Change;
use super::command::Command;
use super::local::{Freeze, Role, Standing};
use super::record::{Holder, ShardRecord};
use crate::replication::Order;

/// A hand-over whose last frame was not acknowledged in time is tried again after so long: a shard that is frozen answers nobody.
const TRY_AGAIN_AFTER: Nanos = Nanos::from_secs(20);

/// How long a shard is frozen for its last frame to be acknowledged.
const FLUSH_WITHIN: Nanos = Nanos::from_secs(5);

impl<B: Bugs> NodeAgent<B> {
    pub(super) fn hand_over(&mut self, turn: &mut Turn<'_>) {
        if self.copies == Copies::One {
            return;
        }
        self.swap_what_is_flushed(turn);
        let frozen = self.locals.iter().filter(|local| matches!(local.role, Role::Frozen { .. })).count();
        let shards: Vec<ShardId> = self.shards.iter().collect();
        let leaving = shards.into_iter().filter(|shard| self.may_hand_over(*shard, turn.now.boottime));
        let leaving: Vec<ShardId> =
            leaving.collect::<Vec<_>>().into_iter().take(MOVES_IN_FLIGHT_MAX.saturating_sub(frozen)).collect();
        if leaving.is_empty() {
            return;
        }
        for shard in &leaving {
            let local = &mut self.locals[shard.index()];
            if let Role::Active { epoch, clock } = local.role {
                local.role = Role::Frozen { epoch, clock, stage: Freeze::Asked };
            }
        }
        turn.say(Command::Freeze { shards: leaving });
    }

    /// Whether the follower in sync should be the owner, and can be.
    fn may_hand_over(&mut self, shard: ShardId, now: Nanos) -> bool {
        let local = &self.locals[shard.index()];
        let Role::Active { epoch, .. } = local.role else { return false };
        if local.in_flight.is_some() || local.raising.is_some() || local.stays_until > now {
            return false;
        }
        self.heir(shard).is_some_and(|heir| self.is_covered(shard, &heir, now))
            && self.known.record(shard).is_some_and(|versioned| versioned.record.epoch == epoch)
    }

    /// The follower in sync, if the ring wants it to own the shard and nothing is known against it.
    pub(super) fn heir(&mut self, shard: ShardId) -> Option<Holder> {
        let planned = self.plan()?.get(shard)?.owner.clone().filter(|owner| *owner != self.me)?;
        let record: &ShardRecord = &self.known.record(shard)?.record;
        let follower = record.in_sync_follower().filter(|follower| follower.node == planned && !record.cold)?;
        let seat = self.locals[shard.index()].seats.iter().find(|seat| seat.to == *follower)?;
        let is_well = seat.standing == Standing::CaughtUp && !self.is_lost(follower);
        is_well.then(|| follower.clone())
    }

    /// Whether the heir has promised, with a heartbeat, a time as high as anything this owner has stamped: whoever takes over from it,
    /// should it die before it answers, goes on from there.
    fn is_covered(&self, shard: ShardId, heir: &Holder, now: Nanos) -> bool {
        let time = self.locals[shard.index()].clock().map(|clock| clock.time(now)).unwrap_or_default();
        self.known.beat(&heir.node).is_some_and(|beat| beat.time_hi >= time)
    }

    /// Nothing is decided any more: what was decided has to be acknowledged.
    pub(super) fn begin_to_flush(&mut self, shard: ShardId, turn: &mut Turn<'_>) {
        let until = Nanos(turn.now.boottime.0.saturating_add(FLUSH_WITHIN.0));
        if let Role::Frozen { stage, .. } = &mut self.locals[shard.index()].role {
            *stage = Freeze::Flushing { until };
            turn.order(Order::Flush { shard });
        }
    }

    pub(super) fn flushed(&mut self, shard: ShardId) {
        if let Role::Frozen { stage, .. } = &mut self.locals[shard.index()].role
            && matches!(stage, Freeze::Flushing { .. })
        {
            *stage = Freeze::Flushed;
        }
    }

    /// When a freeze is given up.
    pub(super) fn flushes_until(&self) -> impl Iterator<Item = Nanos> {
        self.locals.iter().filter_map(|local| match local.role {
            Role::Frozen { stage: Freeze::Flushing { until }, .. } => Some(until),
            _ => None,
        })
    }

    /// Freezes that led to nothing end: their follower is lost, or did not acknowledge in time.
    pub(super) fn give_up_flushes(&mut self, turn: &mut Turn<'_>) {
        for shard in self.shards.iter() {
            let Role::Frozen { stage: Freeze::Flushing { until }, .. } = self.locals[shard.index()].role else {
                continue;
            };
            let is_late = until <= turn.now.boottime;
            if is_late {
                self.locals[shard.index()].stays_until = Nanos(turn.now.boottime.0.saturating_add(TRY_AGAIN_AFTER.0));
            }
            if is_late || self.heir(shard).is_none() {
                self.thaw_one(shard, turn);
            }
        }
    }

    fn swap_what_is_flushed(&mut self, turn: &mut Turn<'_>) {
        let mut changes: Vec<Change> = Vec::new();
        for shard in self.shards.iter() {
            let local = &self.locals[shard.index()];
            let Role::Frozen { stage: Freeze::Flushed, epoch, .. } = local.role else { continue };
            if local.in_flight.is_some() {
                continue;
            }
            let is_heir = self.heir(shard).is_some_and(|heir| self.is_covered(shard, &heir, turn.now.boottime));
            let swap = self.known.record(shard).filter(|versioned| is_heir && versioned.record.epoch == epoch);
            match swap.and_then(|versioned| Some((shard, versioned.changed, versioned.record.swapped()?))) {
                Some(change) => changes.push(change),
                None => self.thaw_one(shard, turn),
            }
        }
        for batch in changes.chunks(TXN_RECORDS_MAX) {
            self.send_records(Vec::new(), batch.to_vec(), turn);
        }
    }

    /// A swap that was refused will not happen any more: what is still this node's goes on.
    pub(super) fn swaps_refused(&mut self, shards: &[ShardId]) {
        for shard in shards {
            if let Role::Frozen { stage, .. } = &mut self.locals[shard.index()].role
                && *stage == Freeze::Flushed
            {
                *stage = Freeze::Unwritten;
            }
        }
    }

    pub(super) fn thaw_one(&mut self, shard: ShardId, turn: &mut Turn<'_>) {
        let local = &mut self.locals[shard.index()];
        if let Role::Frozen { epoch, clock, .. } = local.role {
            local.role = Role::Active { epoch, clock };
            turn.say(Command::Thaw { shard });
        }
    }
}
