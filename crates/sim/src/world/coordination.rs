//! The way to etcd and back: delay, loss in either direction, requests that arrive long after their sender gave up, and a watch
//! that is late, repeats itself and breaks.

use drl_core::{Epoch, ShardId};
use drl_engine::ownership::{Event, LeaseId, Outcome, Reads, Token, Transaction, View, Write};

use super::{Given, Happening, Request, To, World};
use crate::invariants::Violation;
use crate::marks::Mark;
use crate::swarm::{MILLIS, SECOND};

/// How long a driver waits for an answer.
const REQUEST_DEADLINE: u64 = 2 * SECOND;

/// How often a lease is kept alive: a third of its TTL.
const KEEP_ALIVE_EVERY: u64 = 1_600 * MILLIS;

impl World {
    pub(crate) fn request(&mut self, to: To, token: Token, request: Request, given: Given) {
        if let Some(process) = self.machines[to.node].process(to.run) {
            process.outstanding.insert(token);
        }
        self.queue.plan(self.now + REQUEST_DEADLINE, Happening::GiveUp { to, token, request: given });
        if !self.machines[to.node].reaches_etcd(self.now) || self.random.happens(self.swarm.etcd_loss) {
            return;
        }
        let mut delay = self.random.between(MILLIS / 4, 3 * MILLIS);
        if self.random.happens(self.swarm.etcd_late) {
            delay += self.random.below(90 * SECOND);
        }
        self.queue.plan(self.now + delay, Happening::AtEtcd { to, token, request, sent: self.now });
    }

    pub(crate) fn at_etcd(&mut self, to: To, token: Token, request: &Request, sent: u64) -> Result<(), Violation> {
        if self.etcd_down_until > self.now {
            return Ok(());
        }
        let event = match request {
            Request::Grant => {
                let lease = self.etcd.grant(self.now);
                self.plan_lease_end();
                Event::Granted { token, lease, generation: self.fresh_generation() }
            }
            Request::Revoke(lease) => {
                if let Some(view) = self.etcd.revoke(*lease) {
                    self.broadcast(&view);
                }
                Event::Revoked { token }
            }
            Request::Transact(transaction) => {
                let outcome = self.transact(to, transaction, sent)?;
                Event::Ended { token, outcome }
            }
        };
        if self.machines[to.node].hears_etcd(self.now) && !self.random.happens(self.swarm.etcd_loss) {
            let delay = self.random.between(MILLIS / 4, 3 * MILLIS);
            self.queue.plan(self.now + delay, Happening::FromEtcd { to, token, event });
        }
        Ok(())
    }

    fn transact(&mut self, to: To, transaction: &Transaction, sent: u64) -> Result<Outcome, Violation> {
        let before: Vec<_> = transaction
            .writes
            .iter()
            .filter_map(|write| match write {
                Write::Record { shard, .. } => Some((*shard, self.etcd.record(*shard).cloned())),
                _ => None,
            })
            .collect();
        let (outcome, changed) = self.etcd.transact(transaction);
        self.digest.tell("etcd", to.node, self.now, || format!("{outcome:?} {transaction:?}"));
        if matches!(outcome, Outcome::Refused(_)) && !before.is_empty() {
            self.see(Mark::BatchRefused);
        }
        if let Some(view) = changed {
            for (shard, old) in before {
                self.record_changed(to, (shard, old), transaction)?;
            }
            for write in &transaction.writes {
                if let Write::Beat { node, .. } = write {
                    self.truth.beat(node, self.etcd.generation(node), sent);
                }
            }
            self.broadcast(&view);
        }
        if transaction.reads == Reads::Everything && matches!(outcome, Outcome::Committed(_)) {
            self.note_reading(to);
        }
        if transaction.reads == Reads::Everything
            && let Some(process) = self.machines[to.node].process(to.run)
        {
            process.watching = true;
        }
        Ok(outcome)
    }

    /// What a session begins with.
    fn note_reading(&mut self, to: To) {
        // A node reads the policies with the records.
        let revision = self.policies;
        self.queue.plan(self.now, Happening::Policies { to, revision });
        let Some(generation) = self.machines[to.node].process(to.run).map(|process| process.agent.generation()) else {
            return;
        };
        let shards = (0..self.swarm.shards).map(ShardId::new);
        let etcd = &self.etcd;
        let epochs = || shards.map(|shard| etcd.record(shard).map_or(Epoch(0), |held| held.record.epoch)).collect();
        self.truth.read(to.node, generation, epochs);
    }

    pub(crate) fn etcd_answers(&mut self, to: To, token: Token, event: Event) -> Result<(), Violation> {
        let Some(process) = self.machines[to.node].process(to.run) else { return Ok(()) };
        if !process.outstanding.remove(&token) {
            return Ok(());
        }
        if let Event::Granted { lease, .. } = &event {
            process.lease = Some(*lease);
            self.queue.plan(self.now + KEEP_ALIVE_EVERY, Happening::KeepAlive { to, lease: *lease });
        }
        self.say_again(to, &event);
        self.step(to, event)
    }

    /// Some answers come twice.
    pub(crate) fn say_again(&mut self, to: To, event: &Event) {
        if self.random.happens(self.swarm.said_twice) {
            let at = self.now + self.random.below(5 * SECOND);
            self.queue.plan(at, Happening::Agent { to, event: event.clone() });
        }
    }

    pub(crate) fn give_up(&mut self, to: To, token: Token, request: Given) -> Result<(), Violation> {
        let Some(process) = self.machines[to.node].process(to.run) else { return Ok(()) };
        if !process.outstanding.remove(&token) {
            return Ok(());
        }
        match request {
            Given::Lease => self.step(to, Event::Unanswered { token }),
            Given::Transaction => self.step(to, Event::Ended { token, outcome: Outcome::Unknown }),
        }
    }

    pub(crate) fn keep_alive(&mut self, to: To, lease: LeaseId) {
        let machine = &mut self.machines[to.node];
        let reaches = machine.reaches_etcd(self.now) && self.etcd_down_until <= self.now;
        if machine.process(to.run).is_some_and(|process| process.lease == Some(lease)) {
            // A stale member answers that all is well, and nobody else hears of it.
            let is_lied_to = machine.stale_until > self.now && !self.etcd.has_lease(lease);
            if is_lied_to {
                self.see(Mark::KeepAliveLied);
            }
            if reaches && !self.random.happens(self.swarm.etcd_loss) {
                self.etcd.keep_alive(lease, self.now);
            }
            self.queue.plan(self.now + KEEP_ALIVE_EVERY, Happening::KeepAlive { to, lease });
        }
    }

    pub(crate) fn plan_lease_end(&mut self) {
        if !self.lease_end_planned
            && let Some(at) = self.etcd.next_end()
        {
            self.lease_end_planned = true;
            self.queue.plan(at.max(self.now), Happening::LeaseEnds);
        }
    }

    pub(crate) fn leases_end(&mut self) {
        self.lease_end_planned = false;
        if self.etcd_down_until > self.now {
            return;
        }
        for view in self.etcd.expire(self.now) {
            self.digest.tell("lease ends", 0, self.now, || format!("{view:?}"));
            self.broadcast(&view);
        }
        self.plan_lease_end();
    }

    pub(crate) fn etcd_up(&mut self) {
        if self.etcd_down_until <= self.now {
            // A new leader begins every lease anew; an old one that was only cut off does not.
            if self.random.happens(500) {
                self.etcd.renew_leases(self.now);
                self.see(Mark::LeasesRenewed);
            }
            self.leases_end();
        }
    }

    /// Tells every watcher of a change.
    pub(crate) fn broadcast(&mut self, view: &View) {
        for node in 0..self.machines.len() {
            let machine = &mut self.machines[node];
            let hears = machine.hears_etcd(self.now);
            let (until, stale_until) = (machine.cut_from_etcd.max(machine.deaf_until), machine.stale_until);
            let Some(process) = machine.process.as_deref_mut().filter(|process| process.watching) else { continue };
            let to = To { node, run: process.run };
            if !hears {
                process.watching = false;
                self.queue.plan(until + SECOND, Happening::Agent { to, event: Event::WatchBroken });
                continue;
            }
            let slow = self.random.happens(50);
            let delay = self.random.below(if slow { self.swarm.watch_delay_max } else { 5 * MILLIS }) + MILLIS / 4;
            // A stale member says nothing new, and does not say that.
            process.watched_until = process.watched_until.max(self.now + delay).max(stale_until);
            let at = process.watched_until;
            self.queue.plan(at, Happening::Watch { to, view: view.clone() });
            if self.random.happens(self.swarm.watch_duplicates) {
                let again = at + self.random.below(SECOND);
                self.queue.plan(again, Happening::Watch { to, view: view.clone() });
            }
        }
    }
}
