//! Everything that goes wrong, and the moment from which nothing does any more.

use drl_core::ShardId;
use drl_engine::ownership::{Event, Guard, Holder, ShardRecord, Transaction, Versioned};

use super::starting::{Damage, Power};
use super::{Happening, To, World};
use crate::disk::Disk;
use crate::invariants::{Violation, records, take_over};
use crate::marks::Mark;
use crate::process::Process;
use crate::swarm::{MILLIS, SECOND};

/// A kind of fault that comes again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Crash,
    Pause,
    EtcdDown,
    Cut,
    Revoke,
    Stale,
    WatchBreak,
    DiskFail,
    Drain,
    Link,
    Deaf,
}

impl Fault {
    pub(crate) const ALL: [Self; 11] = [
        Self::Crash,
        Self::Pause,
        Self::EtcdDown,
        Self::Cut,
        Self::Revoke,
        Self::WatchBreak,
        Self::DiskFail,
        Self::Drain,
        Self::Link,
        Self::Stale,
        Self::Deaf,
    ];
}

impl World {
    pub(crate) fn plan_fault(&mut self, fault: Fault) {
        let mean = match fault {
            Fault::Crash => self.swarm.crash_every,
            Fault::Pause => self.swarm.pause_every,
            Fault::EtcdDown => self.swarm.etcd_down_every,
            Fault::Cut => self.swarm.cut_every,
            Fault::Revoke => self.swarm.revoke_every,
            Fault::Stale => self.swarm.stale_every,
            Fault::WatchBreak => self.swarm.watch_break_every,
            Fault::DiskFail => self.swarm.disk_fail_every,
            Fault::Drain => self.swarm.drain_every,
            Fault::Link => self.swarm.link_cut_every,
            Fault::Deaf => self.swarm.deaf_every,
        };
        if mean > 0 {
            let at = self.now + self.random.between(1, 2 * mean);
            self.queue.plan(at, Happening::Fault(fault));
        }
    }

    pub(crate) fn fault(&mut self, fault: Fault) -> Result<(), Violation> {
        if self.healed {
            return Ok(());
        }
        self.plan_fault(fault);
        let node = self.random.index(self.machines.len());
        self.digest.tell("fault", node, self.now, || format!("{fault:?}"));
        let machine = &mut self.machines[node];
        match fault {
            Fault::Crash => self.crash(node),
            Fault::Pause => {
                let span = self.random.below(self.swarm.pause_max);
                if let Some(process) = machine.process.as_deref_mut() {
                    let until = (self.now + span).min(self.swarm.chaos);
                    process.paused_until = process.paused_until.max(until);
                    self.see(Mark::Paused);
                }
            }
            Fault::EtcdDown => self.etcd_down(),
            Fault::Link => self.cut_a_link(),
            Fault::Deaf => self.deafen(node),
            Fault::Cut => {
                let until = self.now + self.random.below(self.swarm.cut_max);
                let way = self.random.below(4);
                if way != 1 {
                    machine.cut_to_etcd = until;
                }
                if way != 2 {
                    machine.cut_from_etcd = until;
                }
            }
            Fault::Revoke => {
                let choice = self.random.index(64);
                let lease = self.etcd.any_lease(choice).filter(|_| self.etcd_down_until <= self.now);
                if let Some(view) = lease.and_then(|lease| self.etcd.revoke(lease)) {
                    self.see(Mark::RevokedEarly);
                    self.broadcast(&view);
                }
            }
            Fault::Stale => machine.stale_until = self.now + self.random.below(self.swarm.stale_max),
            Fault::WatchBreak => {
                let delay = self.random.below(5 * SECOND);
                if let Some(process) = machine.process.as_deref_mut().filter(|process| process.watching) {
                    process.watching = false;
                    let to = To { node, run: process.run };
                    self.queue.plan(self.now + delay, Happening::Agent { to, event: Event::WatchBroken });
                    self.see(Mark::WatchBroken);
                }
            }
            Fault::DiskFail if machine.process.is_none() => {}
            Fault::DiskFail => {
                let full_for = if self.random.happens(500) { self.random.below(20 * SECOND) } else { 0 };
                machine.disk_fails_until = Some(self.now + full_for);
            }
            Fault::Drain => {
                if let Some(run) = machine.process.as_ref().map(|process| process.run) {
                    let to = To { node, run };
                    // Half of them are taken back within a second. Nothing is drawn for it, so worlds without drains stay as they are.
                    if self.now.is_multiple_of(2) {
                        let at = self.now + self.now % SECOND;
                        self.queue.plan(at, Happening::Agent { to, event: Event::Undrain });
                    }
                    return self.step(to, Event::Drain);
                }
            }
        }
        Ok(())
    }

    fn crash(&mut self, node: usize) {
        let power = if self.random.happens(self.swarm.power) { Power::Cut } else { Power::Stays };
        self.kill(node, power);
        if self.random.happens(self.swarm.gone) {
            self.machines[node].is_gone = true;
        } else if self.random.happens(self.swarm.wipe) {
            self.machines[node].disk = Disk::empty(self.swarm.shards);
            self.damage(node, Damage::Replaced);
        } else if self.random.happens(self.swarm.copy)
            && let Some(copy) = self.machines[node].copy.clone()
        {
            self.machines[node].disk = copy;
            self.damage(node, Damage::Replaced);
        }
        let at = self.now + self.random.below(self.swarm.down_max);
        self.queue.plan(at, Happening::Start(node));
    }

    fn etcd_down(&mut self) {
        let span = self.random.below(self.swarm.etcd_down_max);
        self.etcd_down_until = self.now + span;
        if span > 61 * SECOND {
            self.see(Mark::EtcdAwayPastAuthority);
        }
        self.queue.plan(self.etcd_down_until, Happening::EtcdUp);
    }

    /// From now on nothing goes wrong; who is not gone for good comes back.
    pub(crate) fn heal(&mut self) {
        self.restore_backup();
        self.healed = true;
        self.truth.healed = Some(self.now);
        self.digest.note("heal", &[self.now]);
        self.swarm.etcd_loss = 0;
        self.swarm.etcd_late = 0;
        self.swarm.loss = 0;
        self.swarm.letter_loss = 0;
        self.swarm.letter_late = 0;
        // Connections are made anew: they keep the order of what they carry, and wait for nothing that an earlier one still has.
        self.swarm.letter_overtakes = 0;
        self.links.clear();
        self.cuts.clear();
        self.swarm.watch_delay_max = 20 * MILLIS;
        for node in 0..self.machines.len() {
            let machine = &mut self.machines[node];
            machine.cut_to_etcd = machine.cut_to_etcd.min(self.now);
            machine.cut_from_etcd = machine.cut_from_etcd.min(self.now);
            machine.deaf_until = machine.deaf_until.min(self.now);
            machine.disk_fails_until = None;
            machine.stale_until = machine.stale_until.min(self.now);
            // The last one stays: somebody must be there.
            if machine.is_gone && node == 0 {
                machine.is_gone = false;
            }
            let is_behind = |process: &&mut Process| !process.watching || process.watched_until > self.now;
            if let Some(process) = machine.process.as_deref_mut().filter(is_behind) {
                // Whoever hears late what happened connects anew, and reads everything.
                process.watched_until = self.now;
                let to = To { node, run: process.run };
                self.queue.plan(self.now, Happening::Agent { to, event: Event::WatchBroken });
            }
            if let Some(run) = machine.process.as_ref().map(|process| process.run) {
                self.tell_policies(To { node, run }, self.policies);
            }
            self.queue.plan(self.now, Happening::Start(node));
        }
        self.etcd_down_until = self.etcd_down_until.min(self.now);
        self.etcd_up();
        self.queue.plan(self.now, Happening::Probe);
    }

    fn node_of(&self, record: &ShardRecord) -> usize {
        self.machines.iter().position(|machine| machine.id == record.owner.node).unwrap_or(0)
    }

    /// The rarest moments are those right behind a change of ownership, so some crashes are aimed there.
    fn ambush(&mut self, changed: &ShardRecord) {
        if self.swarm.crash_every > 0 && !self.healed && self.random.happens(30) {
            let at = self.now + self.random.below(25 * MILLIS);
            self.queue.plan(at, Happening::Ambush(self.node_of(changed)));
        }
    }

    /// And some around a write of promises and intents that ends at `by`: it is on disk, and nothing follows from it.
    pub(crate) fn ambush_a_write(&mut self, node: usize, by: u64) {
        if !self.healed && self.random.happens(self.swarm.crash_around_writes) {
            let at = (by + self.random.below(4 * MILLIS)).saturating_sub(2 * MILLIS).max(self.now);
            self.queue.plan(at, Happening::Ambush(node));
        }
    }

    /// Some of those who get a shard give it away at once, while whoever gave it hears nothing.
    fn send_back(&mut self, from: &ShardRecord, to: &ShardRecord) {
        if self.swarm.drain_every == 0 || self.healed || !self.random.happens(200) {
            return;
        }
        let deaf = self.node_of(from);
        let until = self.now + self.random.below(4 * SECOND);
        self.machines[deaf].cut_from_etcd = self.machines[deaf].cut_from_etcd.max(until);
        let node = self.node_of(to);
        if let Some(run) = self.machines[node].process.as_ref().map(|process| process.run) {
            let at = self.now + self.random.below(100 * MILLIS);
            self.queue.plan(at, Happening::Agent { to: To { node, run }, event: Event::Drain });
        }
    }

    pub(crate) fn spring(&mut self, node: usize) {
        if !self.healed {
            self.crash(node);
        }
    }

    /// A record changed: it must have been allowed to, and true to what happened.
    pub(crate) fn record_changed(
        &mut self,
        by: To,
        (shard, old): (ShardId, Option<Versioned>),
        transaction: &Transaction,
    ) -> Result<(), Violation> {
        let Some(new) = self.etcd.record(shard).map(|versioned| versioned.record.clone()) else { return Ok(()) };
        let old = old.map(|versioned| versioned.record);
        let is_guarded = transaction.guards.iter().any(|guard| matches!(guard, Guard::Lease { .. }))
            && transaction.guards.iter().any(|guard| matches!(guard, Guard::Record { shard: of, .. } if *of == shard));
        self.truth.changes(shard, self.now)?;
        let change = records::check(shard, old.as_ref(), &new, is_guarded, self.now)?;
        if change == records::Change::Cold {
            records::is_compared(shard, old.as_ref(), transaction, self.now)?;
            self.truth.taken_cold(shard, new.epoch);
        }
        if let Some(mark) = change.mark() {
            self.see(mark);
        }
        let policies_of = |holder: &Holder| {
            self.machines.iter().find(|machine| machine.id == holder.node).map_or(0, |machine| machine.policies)
        };
        if old.as_ref().is_some_and(|old| policies_of(&old.owner) > policies_of(&new.owner)) {
            self.see(Mark::PoliciesAtTakeOver);
        }
        if change.is_unplanned() {
            self.truth.taken_over(shard, self.now);
        }
        if new.in_sync {
            self.truth.marked_in_sync(shard, new.epoch);
        }
        self.ambush(&new);
        if let Some(old) = old.as_ref().filter(|_| change == records::Change::Swap) {
            self.send_back(old, &new);
        }
        let machine = &mut self.machines[by.node];
        let damaged = machine.disk.lost(shard);
        if machine.process(by.run).is_none()
            && matches!(change, records::Change::Resume | records::Change::ResumeByFollower)
            && damaged.is_some_and(|epoch| old.as_ref().is_some_and(|old| old.epoch == epoch))
        {
            // Sent by a process that died before it arrived: nobody has resumed, and what was lost is lost of the new epoch.
            machine.disk.lose(shard, new.epoch);
            return Ok(());
        }
        take_over::check(&self.truth, shard, change, old.as_ref(), damaged, self.now)
    }
}
