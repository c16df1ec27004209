//! The owner's side of a copy: who gets one, and how the same owner goes on under the next epoch.
//!
//! Rule (protocol, section 2): the epoch rises at every change of owner or follower. An owner that changed its follower goes on
//! under the next epoch without a gap. A copy that goes on too (the learner that replaces a follower, or the old owner behind
//! a planned swap) must first promise the new epoch, and a section of the old one that it gets after that would be refused. So the
//! shard decides nothing while everything of the old epoch is acknowledged and until the copy has joined the new one: two round
//! trips between two nodes, not one to etcd.

use std::collections::BTreeMap;

use drl_core::{Epoch, Nanos, Seq, ShardId};

use super::message::{Ack, Body, Invite, Join, Start};
use super::outgoing::Outgoing;
use super::peers::News;
use super::target::{Stage, Target, Told};
use crate::ledger::Ledger;
use crate::ownership::{Bugs, Holder};
use crate::shard::Presence;

/// How long a shard waits for a copy that is to go on with it. Then the copy is given up.
const JOIN_WITHIN: Nanos = Nanos::from_millis(500);

/// The next epoch of the same owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advance {
    epoch: Epoch,
    /// The copy that goes on too.
    keep: Option<Holder>,
}

impl<B: Bugs> Ledger<B> {
    /// Begins as a process lifetime, or as none. Copies, promises to acknowledge and frames under way belonged to the one before.
    pub(crate) fn begin_lifetime(&mut self, me: Option<Holder>) {
        self.peers.begin(me);
        for shard in &mut self.shards {
            shard.targets.clear();
            shard.following = None;
            shard.advancing = None;
            shard.finished = None;
            shard.is_flushing = false;
        }
    }

    /// Wants a copy of a shard there. The first one begins another stream: as long as there was none, the other side may have forgotten
    /// what it took of an earlier one, and would say so only when a frame comes.
    pub(crate) fn seat(&mut self, shard: ShardId, to: &Holder, start: Start, now: Nanos) {
        self.unseat(shard, to);
        let is_first = !self.shards.iter().any(|held| held.targets.iter().any(|target| target.to == *to));
        let begins = self.peers.attempt();
        let pair = self.peers.pair(to, now);
        pair.ear.forgive(now);
        if is_first {
            pair.outgoing = Outgoing::new(begins);
        }
        let attempt = self.peers.attempt();
        self.shards[shard.index()].targets.push(Target { invited: now, ..Target::new(to.clone(), start, attempt) });
        self.restless.insert(shard);
        self.peers.has_new_invites = true;
    }

    /// Wants no copy there any more; no reply waits for it.
    pub(crate) fn unseat(&mut self, shard: ShardId, to: &Holder) {
        self.shards[shard.index()].targets.retain(|target| target.to != *to);
        self.congest();
    }

    /// Replies of this shard wait for the acknowledgements of that copy, from now on.
    pub(crate) fn require(&mut self, shard: ShardId, to: &Holder) {
        let since = self.peers.last_sent(to);
        for target in self.shards[shard.index()].targets.iter_mut().filter(|target| target.to == *to) {
            target.required = Some(since);
        }
        self.congest();
        self.look_at(shard);
    }

    /// Goes on under the next epoch, with no copy but `keep`.
    pub(crate) fn advance(&mut self, shard: ShardId, epoch: Epoch, keep: Option<&Holder>) {
        let held = &mut self.shards[shard.index()];
        held.targets.retain(|target| Some(&target.to) == keep);
        // A record relies on what is kept, so replies go on to wait for it, also when it broke meanwhile: until it is dropped.
        held.targets.iter_mut().filter(|target| target.is_broken).for_each(|target| target.told = Told::Nothing);
        held.advancing = Some(Advance { epoch, keep: keep.cloned() });
        self.congest();
        self.look_at(shard);
    }

    /// Takes the next epoch when nothing of the present one is under way to a copy that goes on.
    pub(crate) fn try_to_advance(&mut self, shard: ShardId) {
        let held = &mut self.shards[shard.index()];
        let sealed = held.sealed;
        let Some(Advance { epoch, keep }) = held.advancing.clone() else { return };
        let is_kept = |target: &Target| Some(&target.to) == keep.as_ref();
        let keeps = held.targets.iter().any(is_kept);
        let is_flushed = held.presence == Presence::Absent
            && held.targets.iter().all(|target| !is_kept(target) || self.peers.covers(&target.to, sealed));
        if keeps && !is_flushed {
            return;
        }
        held.finish(|target| self.peers.covers(&target.to, sealed));
        held.advancing = None;
        held.epoch = epoch;
        held.seq = Seq::default();
        for target in &mut held.targets {
            target.stage = Stage::Invited(if is_kept(target) { Start::Continues } else { Start::Anew });
            target.invited = self.peers.ticked;
            target.attempt = self.peers.attempt();
            target.is_told = false;
            target.told = Told::Nothing;
            self.peers.has_new_invites = true;
        }
    }

    /// A copy has promised an epoch: its sections are sent from now on.
    pub(crate) fn joined(&mut self, from: &Holder, joins: &[Join]) {
        let complete_by = self.peers.last_sent(from);
        for join in joins {
            let Some(held) = self.shards.get_mut(join.shard.index()) else { continue };
            let epoch = held.epoch;
            let answers = |target: &Target| (join.epoch, join.attempt) == (epoch, target.attempt);
            let invited = held.targets.iter_mut().filter(|target| target.to == *from && answers(target));
            for target in invited {
                target.stage = match target.stage {
                    Stage::Invited(Start::Anew) => Stage::Seeding { next: 0, sent: 0 },
                    Stage::Invited(Start::Continues) => Stage::Live { complete_by },
                    stage => stage,
                };
            }
        }
        self.look_at_the_restless();
    }

    /// Takes an acknowledgement of a lifetime.
    pub(crate) fn acknowledged(&mut self, from: &Holder, ack: &Ack, now: Nanos) {
        for (shard, epoch) in &ack.refused {
            let Some(held) = self.shards.get_mut(shard.index()) else { continue };
            for target in held.targets.iter_mut().filter(|target| target.to == *from && target.gets_sections()) {
                target.is_broken = true;
                self.restless.insert(*shard);
            }
            // Said with every acknowledgement, and read from the records once.
            if held.gate.clock().is_some() && *epoch > held.epoch.max(held.fenced_by) {
                held.fenced_by = *epoch;
                self.peers.tell(News::Fenced { shard: *shard });
            }
        }
        if let Some(pair) = self.peers.pairs.get_mut(from) {
            let was_full = !pair.outgoing.has_room();
            pair.outgoing.acknowledged(ack, now);
            if was_full {
                self.congest();
            }
        }
        self.look_at_the_restless();
    }

    /// The other side knows nothing of a stream in which it had acknowledged frames: its copies are of no use, and another stream begins.
    pub(crate) fn lost(&mut self, from: &Holder, stream: u64) {
        let begins = self.peers.attempt();
        let Some(pair) = self.peers.pairs.get_mut(from).filter(|pair| pair.outgoing.was_taken(stream)) else { return };
        pair.outgoing = Outgoing::new(begins);
        self.congest();
        self.give_up_copies(from);
    }

    /// Nothing counts as acknowledged any more by the copies there; replies wait until records do without them.
    pub(crate) fn give_up_copies(&mut self, there: &Holder) {
        for held in &mut self.shards {
            for target in held.targets.iter_mut().filter(|target| target.to == *there && target.gets_sections()) {
                target.is_broken = true;
                self.restless.insert(held.id);
            }
        }
        self.look_at_the_restless();
    }

    /// Brings every copy in the making forward as far as acknowledgements allow.
    pub(crate) fn look_at_the_restless(&mut self) {
        for shard in self.restless.clone() {
            self.look_at(shard);
        }
    }

    /// Brings the copies of a shard forward; it is restless as long as any of them has some way to go.
    fn look_at(&mut self, shard: ShardId) {
        self.try_to_advance(shard);
        self.seed(shard);
        self.report_standing(shard);
        let held = &self.shards[shard.index()];
        let is_settled = |target: &Target| target.told >= Told::CaughtUp;
        if held.is_flushing || held.advancing.is_some() || !held.targets.iter().all(is_settled) {
            self.restless.insert(shard);
        } else {
            self.restless.remove(&shard);
        }
    }

    /// Tells how far copies are, when that is news.
    pub(crate) fn report_standing(&mut self, shard: ShardId) {
        let held = &mut self.shards[shard.index()];
        let sealed = held.sealed;
        for target in &mut held.targets {
            let standing = target.standing(self.peers.acked(&target.to), self.peers.counts(&target.to, shard));
            if standing <= target.told {
                continue;
            }
            target.told = standing;
            let to = target.to.clone();
            match standing {
                Told::Nothing => {}
                Told::Near => self.peers.tell(News::Near { shard, to }),
                Told::CaughtUp => self.peers.tell(News::CaughtUp { shard, to }),
                Told::Broken => self.peers.tell(News::Broken { shard, to }),
            }
        }
        let is_flushed = held.is_flushing
            && held.presence == Presence::Absent
            && held.targets.iter().all(|target| {
                target.required.is_none() || (!target.is_broken && self.peers.covers(&target.to, sealed))
            });
        if is_flushed {
            held.is_flushing = false;
            held.finish(|target| self.peers.covers(&target.to, sealed));
            self.peers.tell(News::Flushed { shard });
        }
    }

    /// Says when a frozen shard has nothing more to send and everything is acknowledged.
    pub(crate) fn flush(&mut self, shard: ShardId) {
        self.shards[shard.index()].is_flushing = true;
        self.look_at(shard);
    }

    /// Says the invitations that were not said yet: a shard whose copy is to go on with it decides nothing meanwhile. To be called when
    /// orders were obeyed or something was taken, for all of that at once.
    pub fn invite(&mut self, now: Nanos) {
        if std::mem::take(&mut self.peers.has_new_invites) {
            let shards: Vec<ShardId> = self.restless.iter().copied().collect();
            self.say_invites(&shards, |target| !target.is_told, now);
        }
    }

    /// Says every invitation again that was not answered, and gives up copies that let a shard wait for too long.
    pub(crate) fn invite_again(&mut self, now: Nanos) {
        let is_late = |target: &Target| target.is_awaited() && target.invited.0.saturating_add(JOIN_WITHIN.0) < now.0;
        for held in self.shards.iter_mut().filter(|held| held.targets.iter().any(is_late)) {
            held.targets.iter_mut().filter(|target| is_late(target)).for_each(|target| target.is_broken = true);
            self.restless.insert(held.id);
        }
        self.look_at_the_restless();
        let shards: Vec<ShardId> = self.restless.iter().copied().collect();
        self.say_invites(&shards, |_| true, now);
    }

    fn say_invites(&mut self, shards: &[ShardId], which: fn(&Target) -> bool, now: Nanos) {
        let mut invites: BTreeMap<Holder, Vec<Invite>> = BTreeMap::new();
        for shard in shards {
            let held = &mut self.shards[shard.index()];
            for target in held.targets.iter_mut().filter(|target| !target.is_broken && which(target)) {
                let (Stage::Invited(start), attempt) = (target.stage, target.attempt) else { continue };
                let Some(clock) = held.gate.clock() else {
                    self.peers.has_new_invites = true;
                    continue;
                };
                target.is_told = true;
                // The clock and not the latest stamp, which may be ahead of it: a copy goes on from here by the owner's monotonic time.
                let time = clock.time(now);
                let invite = Invite { shard: held.id, epoch: held.epoch, start, attempt, time, boottime: now };
                invites.entry(target.to.clone()).or_default().push(invite);
            }
        }
        for (to, invites) in invites {
            self.peers.say(&to, Body::Invite(invites));
        }
    }
}
