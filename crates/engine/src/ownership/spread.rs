//! Spreading shards that were never written to: over nodes that join, and away from a node that drains.
//!
//! Rule (protocol, planned swap): a shard never written to may be swapped to anyone, because there is nothing to lose. It is frozen
//! first: the first admission must not happen between the decision to hand over and the swap. Nobody who says nothing is given a shard. A swap whose outcome is unknown
//! stays frozen until the transaction, sent again, has an outcome; no time-out may force it. Shards that were written stay with
//! their owner as long as it lives.

use std::collections::BTreeMap;

use drl_core::caps::TXN_RECORDS_MAX;
use drl_core::{NodeId, ShardId};

use super::agent::{NodeAgent, Turn};
use super::bugs::{Bug, Bugs};
use super::command::Command;
use super::local::{Freeze, Role, Written};
use super::marker::FloorState;
use super::pending::Pending;
use super::record::Holder;
use super::session::Phase;
use super::transaction::{Guard, Outcome, Transaction, Write};
use super::view::NodeEntry;

/// Whether the node was asked to give away what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    No,
    /// Gives away what it can.
    Draining,
    /// Nothing is left to give.
    Drained,
}

impl<B: Bugs> NodeAgent<B> {
    pub(super) fn spread(&mut self, turn: &mut Turn<'_>) {
        if self.locals.iter().any(|local| matches!(local.role, Role::Frozen { .. })) {
            return;
        }
        let shards: Vec<ShardId> = self.shards.iter().collect();
        let leaving: Vec<ShardId> =
            shards.into_iter().filter(|shard| self.target_of(*shard).is_some()).take(TXN_RECORDS_MAX).collect();
        if leaving.is_empty() {
            return self.report_drained(turn);
        }
        for shard in &leaving {
            let local = &mut self.locals[shard.index()];
            if let Role::Active { epoch, clock } = local.role {
                local.role = Role::Frozen { epoch, clock, stage: Freeze::Asked };
            }
        }
        turn.say(Command::Freeze { shards: leaving });
    }

    /// Who should have a shard that this node answers for and that was never written; `None` when it stays.
    fn target_of(&mut self, shard: ShardId) -> Option<NodeId> {
        let local = &self.locals[shard.index()];
        let is_settled = local.marker.held.is_some_and(|held| held.floor == FloorState::Journaled);
        let may_move = matches!(local.role, Role::Active { .. } | Role::Frozen { .. })
            && local.written == Written::Never
            && local.in_flight.is_none()
            && local.raising.is_none()
            && is_settled;
        if !may_move {
            return None;
        }
        let me = self.me.clone();
        let target = self.plan()?.get(shard)?.owner.clone()?;
        // A node that died keeps its session for a while; a shard that it got meanwhile would wait for nobody.
        let generation = self.known.node(&target)?.generation;
        let is_lost = self.is_lost(&Holder { node: target.clone(), generation });
        (target != me && !is_lost).then_some(target)
    }

    pub(super) fn written(&mut self, shard: ShardId) {
        if let Some(local) = self.locals.get_mut(shard.index()) {
            local.written = Written::Yes;
        }
    }

    /// The driver has stopped deciding for these shards.
    pub(super) fn frozen(&mut self, shards: &[(ShardId, Written)], turn: &mut Turn<'_>) {
        let mut swaps: BTreeMap<Holder, Vec<ShardId>> = BTreeMap::new();
        for (shard, written) in shards {
            let Some(local) = self.locals.get_mut(shard.index()) else { continue };
            let Role::Frozen { epoch, clock, stage: Freeze::Asked } = local.role else { continue };
            if *written == Written::Yes && !self.bugs.has(Bug::AdmitsWhileFrozen) {
                local.written = Written::Yes;
            }
            local.role = Role::Frozen { epoch, clock, stage: Freeze::Unwritten };
            if self.locals[shard.index()].written == Written::Yes && self.heir(*shard).is_some() {
                self.begin_to_flush(*shard, turn);
                continue;
            }
            let target = self.target_of(*shard);
            let entry = target.as_ref().and_then(|target| self.known.node(target));
            match (target.as_ref(), entry) {
                (Some(node), Some(entry)) if self.phase == Phase::Serving => {
                    let target = Holder { node: node.clone(), generation: entry.generation };
                    swaps.entry(target).or_default().push(*shard);
                }
                // Nothing is sent for it, so it thaws.
                _ => {}
            }
        }
        for (target, shards) in swaps {
            self.swap(&target, &shards, turn);
        }
    }

    /// Goes on with what was frozen and is still this node's, when nothing is on its way that could hand it over: a swap that was
    /// refused will not happen any more. Roles have followed the records before.
    pub(super) fn thaw(&mut self, turn: &mut Turn<'_>) {
        self.give_up_flushes(turn);
        for shard in self.shards.iter() {
            let local = &self.locals[shard.index()];
            if matches!(local.role, Role::Frozen { stage: Freeze::Unwritten, .. })
                && local.in_flight.is_none()
                && local.raising.is_none()
            {
                self.thaw_one(shard, turn);
            }
        }
    }

    fn swap(&mut self, target: &Holder, shards: &[ShardId], turn: &mut Turn<'_>) {
        let Some(entry) = self.known.node(&target.node) else { return };
        let guards = vec![Guard::NodeSince { node: target.node.clone(), created: entry.created }];
        let changes = shards.iter().filter_map(|shard| {
            let versioned = self.known.record(*shard)?;
            Some((*shard, versioned.changed, versioned.record.handed_to(target.clone())))
        });
        let changes = changes.collect();
        self.send_records(guards, changes, turn);
    }

    /// The node is to give everything away. One that has already looks again: it may have been given something since.
    pub(super) fn drain(&mut self) {
        self.leaving = Leaving::Draining;
    }

    /// Takes [`NodeAgent::drain`] back. What was frozen to be given away thaws, unless its swap is on its way.
    pub(super) fn undrain(&mut self) {
        self.leaving = Leaving::No;
    }

    /// Says to everybody whether this node drains, so that plans leave it out or count on it; says it again when something that was
    /// sent before comes late and takes it back.
    pub(super) fn announce(&mut self, turn: &mut Turn<'_>) {
        let Some(lease) = self.lease else { return };
        let drains = self.leaving != Leaving::No;
        let is_told = self.known.node(&self.me).is_none_or(|entry| entry.lease != lease || entry.draining == drains);
        if is_told || self.pending.values().any(|waiting| matches!(waiting.what, Pending::Announce(_))) {
            return;
        }
        let guards = vec![Guard::Lease { node: self.me.clone(), lease }];
        let transaction = Transaction::new(guards, vec![self.own_key(lease)]);
        let token = self.wait_for(Pending::Announce(transaction.clone()));
        turn.say(Command::Transact { token, transaction });
    }

    pub(super) fn announced(&mut self, announcement: &Transaction, outcome: Outcome, turn: &mut Turn<'_>) {
        match outcome {
            Outcome::Committed(mut view) => {
                // What was said, which need not be what this node wants by now.
                let draining =
                    announcement.writes.iter().any(|write| matches!(write, Write::Node { draining: true, .. }));
                let entry = self.known.node(&self.me).map(|entry| NodeEntry { draining, ..*entry });
                view.nodes.extend(entry.map(|entry| (self.me.clone(), Some(entry))));
                self.learn(view, turn);
            }
            Outcome::Refused(view) => self.learn(view, turn),
            Outcome::LeaseGone | Outcome::Unknown => {}
        }
    }

    fn report_drained(&mut self, turn: &mut Turn<'_>) {
        let is_known = self.known.node(&self.me).is_some_and(|entry| entry.draining);
        if self.leaving != Leaving::Draining || !is_known || self.locals.iter().any(|local| local.in_flight.is_some()) {
            return;
        }
        if self.is_still_needed() {
            return;
        }
        self.leaving = Leaving::Drained;
        let records = self.shards.iter().filter_map(|shard| self.known.record(shard));
        let named = records.filter(|versioned| self.is_named_by(&versioned.record)).count();
        turn.say(Command::Drained { named });
    }
}
