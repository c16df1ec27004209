//! Clients ask any node; the node decides if the shard is its own, or passes the check on to the owner that it knows, once.

use drl_core::{CommitNo, Cost, Epoch};
use drl_engine::ownership::Event;
use drl_engine::{Charge, Refusal};

use super::{Ask, Happening, To, World};
use crate::invariants::Violation;
use crate::marks::Mark;
use crate::plant::WorldBug;
use crate::swarm::{MILLIS, SECOND};
use crate::trace::Decided;

/// How long a check waits for a shard that is on its way.
const PARKED_FOR: u64 = SECOND;

/// One in so many of a client's admissions leaves late, by up to so much: no draw, so that a seed stays what it is.
const LATE_EVERY: usize = 8;
const LATE_BY_MAX: u64 = 200 * MILLIS;

impl World {
    pub(crate) fn asks(&mut self, client: usize) {
        let next = self.now + self.random.between(1, 2 * self.swarm.check_every);
        self.queue.plan(next, Happening::Asks(client));
        let cost = if self.random.happens(200) { self.random.between(1, 3) } else { 1 };
        // When all is well nobody asks a machine that is gone, so that silence means something.
        let asked: Vec<usize> =
            (0..self.machines.len()).filter(|node| !self.healed || !self.machines[*node].is_gone).collect();
        let node = asked.get(self.random.index(asked.len())).copied().unwrap_or(0);
        let ask = Ask { client, cost, asked_under: self.known_to(client), hops: 0, since: self.now };
        self.send_ask(node, ask);
    }

    /// The epoch that a check names: the highest that its client was told of, an earlier one, none, or one that was never there.
    fn known_to(&mut self, client: usize) -> Epoch {
        let told = self.truth.clients[client].told;
        if !self.healed && self.random.happens(self.swarm.made_up_epochs) {
            return Epoch(told.0 + self.random.between(1, 3));
        }
        match self.random.below(10) {
            0..=5 => told,
            6..=7 => Epoch(self.random.below(told.0 + 1)),
            _ => Epoch(0),
        }
    }

    /// A client was told of an epoch.
    fn tell(&mut self, client: usize, epoch: Epoch) {
        let told = &mut self.truth.clients[client].told;
        *told = (*told).max(epoch);
    }

    fn send_ask(&mut self, node: usize, ask: Ask) {
        let Some(run) = self.machines[node].process.as_ref().map(|process| process.run) else { return };
        if self.random.happens(self.swarm.loss) {
            return;
        }
        let delay = self.random.between(MILLIS / 10, 2 * MILLIS);
        self.queue.plan(self.now + delay, Happening::Arrives { to: To { node, run }, ask });
    }

    pub(crate) fn arrives(&mut self, to: To, ask: Ask) -> Result<(), Violation> {
        let now = self.boottime(to.node);
        let client = &self.truth.clients[ask.client];
        let policies = self.machines[to.node].policies;
        let (shard, key, policy) = (client.shard, client.key, client.policy_of(policies).clone());
        let promised = self.machines[to.node].disk.promise(shard);
        let Some(process) = self.machines[to.node].process(to.run) else { return Ok(()) };
        let stamp = match process.ledger.stamp(shard, ask.asked_under, now) {
            Ok(stamp) => stamp,
            Err(refusal) => return self.refused(to, ask, refusal),
        };
        let cost = Cost::new(ask.cost).unwrap_or(Cost::ONE);
        let (decision, outcome) = process.ledger.charge(Charge { shard, key, policy: &policy, cost }, stamp.at);
        let commit = process.ledger.open();
        let first_written = process.ledger.take_first_written();
        let is_seeding = decision.allowed && process.ledger.is_seeding(shard);
        let decided = Decided {
            real: self.now,
            node: to.node,
            generation: process.agent.generation(),
            shard,
            epoch: stamp.epoch,
            promised,
            asked_under: ask.asked_under,
            at: stamp.at,
            client: ask.client,
            cost: ask.cost,
            allowed: decision.allowed,
            policies,
            position: None,
            index: 0,
        };
        self.digest.note("decided", &[self.now, to.node as u64, ask.client as u64, u64::from(decision.allowed)]);
        self.see(if decision.allowed { Mark::Admitted } else { Mark::Denied });
        if is_seeding {
            self.see(Mark::SnapshotUnderLoad);
        }
        let decided = self.truth.decided(decided)?;
        let is_ahead = decision.allowed && self.leaves_ahead(to, ask.client, cost, now);
        let waits = decision.allowed && !is_ahead && !self.plant.is_world(WorldBug::ReplyBeforeCommit);
        if waits {
            if let Some(process) = self.machines[to.node].process(to.run) {
                process.waiting.push_back((commit, decided));
            }
        } else {
            self.leave(to, commit, decided)?;
        }
        if outcome != drl_engine::Outcome::Unchanged {
            self.commit(to);
        }
        self.pause_between(to);
        self.deliver(to)?;
        for shard in first_written {
            self.step(to, Event::Written { shard })?;
        }
        Ok(())
    }

    /// Some pauses are aimed between a decision and its answer.
    fn pause_between(&mut self, to: To) {
        if self.swarm.pause_every == 0 || self.healed || !self.random.happens(1) {
            return;
        }
        let until = (self.now + self.random.below(self.swarm.pause_max)).min(self.swarm.chaos);
        if let Some(process) = self.machines[to.node].process(to.run) {
            process.paused_until = process.paused_until.max(until);
            self.see(Mark::Paused);
        }
    }

    fn refused(&mut self, to: To, ask: Ask, refusal: Refusal) -> Result<(), Violation> {
        match refusal {
            Refusal::NotOwner { epoch, owner, shard } if ask.hops == 0 => {
                self.truth.redirected(shard, ask.asked_under, epoch, self.now)?;
                self.tell(ask.client, epoch);
                let target = self.machines.iter().position(|machine| machine.id == owner.node);
                if let Some(target) = target.filter(|target| *target != to.node) {
                    self.see(Mark::Forwarded);
                    self.send_ask(target, Ask { asked_under: epoch, hops: 1, ..ask });
                }
                Ok(())
            }
            Refusal::Behind { shard } => {
                self.truth.turned_away(shard, "behind", self.now)?;
                self.see(Mark::Suspended);
                self.step(to, Event::HigherEpoch { shard })
            }
            Refusal::NotOwner { shard, .. } => self.truth.turned_away(shard, "not owner", self.now),
            Refusal::Moving { .. } if self.now < ask.since + PARKED_FOR => {
                let at = self.now + self.random.between(5 * MILLIS, 50 * MILLIS);
                self.queue.plan(at, Happening::Arrives { to, ask });
                Ok(())
            }
            Refusal::Moving { shard } => self.truth.turned_away(shard, "moving", self.now),
            Refusal::Unavailable { shard } => self.truth.turned_away(shard, "unavailable", self.now),
        }
    }

    /// An answer that nothing more has to be waited for leaves: at once, or when whoever waits for it gets round to it.
    pub(crate) fn leave_soon(&mut self, to: To, commit: CommitNo, decided: Decided) -> Result<(), Violation> {
        if !decided.index.is_multiple_of(LATE_EVERY) {
            return self.leave(to, commit, decided);
        }
        let delay = decided.real % LATE_BY_MAX;
        self.queue.plan(self.now + delay, Happening::Leaves(to, commit, decided));
        Ok(())
    }

    /// An answer leaves, if it still may.
    pub(crate) fn leave(&mut self, to: To, commit: CommitNo, decided: Decided) -> Result<(), Violation> {
        let now = self.boottime(to.node);
        let Some(process) = self.machines[to.node].process(to.run) else { return Ok(()) };
        if process.ledger.may_leave(decided.shard, decided.epoch, commit, now).is_err() {
            self.see(Mark::ReplyWithheld);
            return Ok(());
        }
        if process.ledger.owner_elsewhere(decided.shard).is_some() {
            self.see(Mark::LeftAfterHandOver);
        }
        self.digest.note("answered", &[self.now, to.node as u64, decided.client as u64]);
        self.tell(decided.client, decided.epoch);
        self.check_the_follower_has_it(&decided)?;
        let id = self.machines[to.node].id.clone();
        self.truth.answered(&decided, &id, self.now)
    }
}
