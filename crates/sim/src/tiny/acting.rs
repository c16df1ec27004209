//! What can happen in the tiny world, and what follows from it.

use std::collections::VecDeque;

use drl_core::{Cost, Epoch, Generation};
use drl_engine::Charge;
use drl_engine::ownership::{Command, Event, Origin};
use drl_engine::replication::{Body, Heard, News, Silence};

use super::node::{Node, Waiting, moment};
use super::starting::WINDOW;
use super::{Act, LIMIT, Link, SHARD, Tiny, Wire};
use crate::disk::Disk;
use crate::plant::WorldBug;
use crate::swarm::JournalSync;

impl Tiny {
    /// Everything that can happen next.
    #[must_use]
    pub fn acts(&self) -> Vec<Act> {
        let mut acts: Vec<Act> = self.links.keys().map(|link| Act::Deliver(*link)).collect();
        let budget = self.budget;
        for (number, node) in self.nodes.iter().enumerate() {
            let Some(running) = &node.running else {
                let holds = self.etcd.generation(&node.id) != Generation(0);
                acts.push(if holds { Act::LeaseEnds(number) } else { Act::Restart(number) });
                continue;
            };
            acts.extend((!running.persisting.is_empty()).then_some(Act::Persisted(number)));
            acts.extend(running.committing.is_some().then_some(Act::Committed(number)));
            let answers = running.ledger.stamp(SHARD, Epoch(0), self.now).is_ok();
            acts.extend((budget.asks > 0 && answers).then_some(Act::Ask(number)));
            acts.extend((budget.ticks > 0).then_some(Act::Tick(number)));
            acts.extend((budget.crashes > 0).then_some(Act::Crash(number)));
            acts.extend((budget.wipes > 0).then_some(Act::Wipe(number)));
            acts.extend((budget.drains > 0 && answers).then_some(Act::Drain(number)));
            for other in (0..self.nodes.len()).filter(|other| *other != number) {
                let is_known = self.nodes[other].holder().is_some();
                acts.extend((budget.suspicions > 0 && is_known).then_some(Act::Suspect(number, other)));
                let is_busy = self.links.contains_key(&Link::Letters(number, other));
                acts.extend((budget.resets > 0 && is_busy).then_some(Act::Reset(number, other)));
            }
        }
        acts.extend((budget.windows > 0).then_some(Act::NextWindow));
        acts
    }

    pub(super) fn act(&mut self, act: Act) {
        match act {
            Act::Deliver(link) => self.deliver(link),
            Act::Reset(from, to) => {
                self.budget.resets -= 1;
                self.links.remove(&Link::Letters(from, to));
            }
            Act::Persisted(node) => self.persisted(node),
            Act::Committed(node) => self.committed(node),
            Act::Ask(node) => self.ask(node),
            Act::Tick(node) => {
                self.budget.ticks -= 1;
                let now = self.now;
                if let Some(running) = &mut self.nodes[node].running {
                    running.ledger.tick(now);
                }
                self.carry_away(node);
            }
            Act::Suspect(node, other) => {
                self.budget.suspicions -= 1;
                let heard = Heard { at: self.now, boottime: self.now };
                if let Some(of) = self.nodes[other].holder() {
                    self.step(node, Event::Copies(News::Silence { of, silence: Silence::Silent, heard }));
                }
            }
            Act::Crash(node) => {
                self.budget.crashes -= 1;
                self.crash(node);
            }
            Act::Wipe(node) => {
                self.budget.wipes -= 1;
                self.crash(node);
                self.nodes[node].disk = Disk::empty(1);
            }
            Act::LeaseEnds(node) => {
                let lease = self.etcd.lease_of(&self.nodes[node].id);
                if let Some(view) = lease.and_then(|lease| self.etcd.revoke(lease)) {
                    self.broadcast(&view);
                }
            }
            Act::Restart(node) => self.start(node),
            Act::Drain(node) => {
                self.budget.drains -= 1;
                self.step(node, Event::Drain);
            }
            Act::NextWindow => {
                self.budget.windows -= 1;
                self.now.0 += WINDOW.0;
            }
        }
    }

    fn crash(&mut self, node: usize) {
        self.nodes[node].running = None;
        self.links.retain(|link, _| match link {
            Link::Letters(from, to) => *from != node && *to != node,
            Link::FromEtcd(to) | Link::Watch(to) => *to != node,
            // What was sent may still arrive.
            Link::ToEtcd(_) => true,
        });
    }

    /// Gives an event to a node, and carries out what follows.
    pub(super) fn step(&mut self, node: usize, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = self.now;
            let Some(running) = &mut self.nodes[node].running else { return };
            let mut commands = Vec::new();
            running.agent.step(moment(now), event, &mut commands);
            for command in commands {
                self.carry_out(node, command, &mut events);
            }
        }
        self.carry_away(node);
    }

    fn carry_out(&mut self, node: usize, command: Command, events: &mut VecDeque<Event>) {
        let now = self.now;
        let Some(running) = &mut self.nodes[node].running else { return };
        match command {
            Command::Grant { token } => self.put(Link::ToEtcd(node), Wire::Grant(token)),
            Command::Revoke { token, lease } => self.put(Link::ToEtcd(node), Wire::Revoke(token, lease)),
            Command::Transact { token, transaction } => {
                self.put(Link::ToEtcd(node), Wire::Transact(token, transaction));
            }
            Command::Persist { token, facts } => running.persisting.push_back((token, facts)),
            Command::Activate { shard, epoch, origin, clock } => {
                running.ledger.activate(shard, epoch, origin, clock);
                if origin == Origin::Cold {
                    self.violation = Some("a cold start although time stands still".to_owned());
                }
            }
            Command::Close { shard, closed } => running.ledger.close(shard, closed),
            Command::Freeze { shards } => {
                let frozen = shards.into_iter().map(|shard| (shard, running.ledger.freeze(shard))).collect();
                events.push_back(Event::Frozen { shards: frozen });
            }
            Command::Thaw { shard } => running.ledger.thaw(shard),
            Command::SetDeadline(deadline) => running.ledger.set_deadline(deadline),
            Command::Copies(order) => {
                running.ledger.obey(order, now);
                self.release(node);
            }
            Command::Drained { .. } | Command::Stop(_) => self.crash(node),
            Command::WakeAt(_) | Command::Report(_) => {}
        }
    }

    /// Sends what a ledger has to say, tells its agent the news, and seals what is open.
    pub(super) fn carry_away(&mut self, node: usize) {
        let now = self.now;
        let Some(running) = &mut self.nodes[node].running else { return };
        running.ledger.invite(now);
        let (letters, news) = (running.ledger.take_letters(), running.ledger.take_news());
        for letter in letters.into_iter().filter(|letter| !matches!(letter.body, Body::Beat(_))) {
            let to = self.nodes.iter().position(|other| other.id == letter.to.node && other.running.is_some());
            if let Some(to) = to {
                self.put(Link::Letters(node, to), Wire::Letter(letter));
            }
        }
        for news in news {
            self.step(node, Event::Copies(news));
        }
        self.release(node);
        self.commit(node);
    }

    fn commit(&mut self, node: usize) {
        let Some(running) = self.nodes[node].running.as_mut().filter(|running| running.committing.is_none()) else {
            return;
        };
        let mut frame = Vec::new();
        if running.ledger.seal(0, &mut frame).is_some() {
            running.committing = Some(frame);
            self.carry_away(node);
        }
    }

    fn committed(&mut self, node: usize) {
        let now = self.now;
        let Node { disk, running, .. } = &mut self.nodes[node];
        let Some(running) = running else { return };
        let Some(frame) = running.committing.take() else { return };
        disk.append(frame, JournalSync::Commit, 1);
        running.ledger.committed(disk.last(), now);
        self.carry_away(node);
    }

    fn persisted(&mut self, node: usize) {
        let Node { disk, running, .. } = &mut self.nodes[node];
        let Some((token, facts)) = running.as_mut().and_then(|running| running.persisting.pop_front()) else { return };
        if disk.persist(&facts, 1).is_err() {
            self.violation = Some(format!("I2: a promise of n{node} went down"));
        }
        self.step(node, Event::Persisted { token });
    }

    fn ask(&mut self, node: usize) {
        self.budget.asks -= 1;
        let (now, key, policy) = (self.now, self.key, self.policy.clone());
        let Some(running) = &mut self.nodes[node].running else { return };
        let Ok(stamp) = running.ledger.stamp(SHARD, Epoch(0), now) else { return };
        let charge = Charge { shard: SHARD, key, policy: &policy, cost: Cost::ONE };
        let (decision, _) = running.ledger.charge(charge, stamp.at);
        let generation = running.agent.generation();
        if *self.owners.entry(stamp.epoch).or_insert(generation) != generation {
            self.violation = Some(format!("I1: two lifetimes decided under epoch {}", stamp.epoch.0));
        }
        if decision.allowed {
            let commit = running.ledger.open();
            running.waiting.push(Waiting { commit, epoch: stamp.epoch, at: stamp.at });
        }
        self.carry_away(node);
    }

    /// Lets every answer leave that nothing more has to be waited for.
    fn release(&mut self, node: usize) {
        let now = self.now;
        let is_early = self.plant.is_world(WorldBug::ReplyBeforeCommit);
        let Node { disk, running, .. } = &mut self.nodes[node];
        let Some(running) = running else { return };
        let last = disk.last();
        let ledger = &running.ledger;
        let is_ready = |reply: &Waiting| is_early || (reply.commit <= last && ledger.is_released(SHARD, reply.commit));
        let (ready, waiting): (Vec<Waiting>, Vec<Waiting>) = running.waiting.iter().copied().partition(is_ready);
        let leaving = ready.iter().filter(|reply| ledger.may_leave(SHARD, reply.epoch, reply.commit, now).is_ok());
        for reply in leaving {
            let window = reply.at.0 / WINDOW.0;
            let sum = self.answered.entry(window).or_default();
            *sum += 1;
            if *sum > LIMIT {
                self.violation = Some(format!("I4: {sum} admitted in window {window} where {LIMIT} are allowed"));
            }
        }
        running.waiting = waiting;
    }
}
