//! The driver of a process: carries out what the engine commands, and keeps its journal.

use std::collections::VecDeque;

use drl_core::{CommitNo, Epoch, Nanos, ShardCount, ShardId};
use drl_engine::Ledger;
use drl_engine::ownership::{Command, Event, Fact, Origin, Report, Token, Transaction, Write, Written};
use drl_engine::replication::Order;

use super::starting::Power;
use super::{Given, Happening, Request, To, World};
use crate::invariants::Violation;
use crate::marks::Mark;
use crate::swarm::{MILLIS, SECOND};
use crate::trace::Decided;

impl World {
    /// Gives an event to a process and carries out what follows, until nothing more does.
    pub(crate) fn step(&mut self, to: To, event: Event) -> Result<(), Violation> {
        self.steps(to, vec![event])
    }

    /// As [`World::step`], for events that have all happened by now.
    pub(crate) fn steps(&mut self, to: To, events: Vec<Event>) -> Result<(), Violation> {
        let mut events = VecDeque::from(events);
        let mut commands = Vec::new();
        while !events.is_empty() {
            let machine = &mut self.machines[to.node];
            let moment = machine.clock.read(self.now);
            let Some(process) = machine.process(to.run) else { return Ok(()) };
            self.digest.tell("event", to.node, self.now, || format!("{events:?}"));
            process.agent.steps(moment, events.drain(..), &mut commands);
            let now = moment.boottime;
            for command in commands.drain(..) {
                self.digest.tell("command", to.node, self.now, || format!("{command:?}"));
                self.carry_out_command(to, command, now, &mut events)?;
            }
        }
        self.deliver(to)
    }

    fn carry_out_command(
        &mut self,
        to: To,
        command: Command,
        now: Nanos,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Violation> {
        match command {
            Command::Grant { token } => self.request(to, token, Request::Grant, Given::Lease),
            Command::Revoke { token, lease } => self.request(to, token, Request::Revoke(lease), Given::Lease),
            Command::Transact { token, transaction } => {
                self.check_that_it_may_serve(to, &transaction)?;
                self.request(to, token, Request::Transact(transaction), Given::Transaction);
            }
            Command::Persist { token, facts } => self.persist(to, token, facts),
            Command::WakeAt(at) => {
                let real = self.machines[to.node].clock.real_at(at).max(self.now);
                self.queue.plan(real, Happening::Wake { to, at });
            }
            Command::Drained { .. } => self.drained(to.node),
            Command::Stop(reason) => self.stop_process(to.node, &reason),
            Command::Report(report) => self.reported(report),
            Command::Activate { shard, epoch, origin, clock } => {
                let Some(process) = self.machines[to.node].process(to.run) else { return Ok(()) };
                process.ledger.activate(shard, epoch, origin, clock);
                if origin == Origin::Cold {
                    process.floors.push((process.ledger.open(), shard, epoch));
                }
                let floor = process.ledger.time_of(shard, Nanos::ZERO);
                if origin == Origin::Cold {
                    self.truth.policies_begin_anew(shard);
                }
                let record = self.etcd.record(shard).map(|versioned| &versioned.record);
                self.truth.activated(shard, (epoch, origin, floor), record, self.now)?;
                self.commit(to);
            }
            Command::Copies(order) => {
                let Some(process) = self.machines[to.node].process(to.run) else { return Ok(()) };
                if let Order::Flush { shard } = order {
                    process.flushing.insert(shard);
                }
                process.ledger.obey(order, now);
                self.release(to)?;
            }
            Command::SetDeadline(deadline) => {
                let end = self.machines[to.node].clock.real_at(deadline);
                let Some(process) = self.machines[to.node].process(to.run) else { return Ok(()) };
                process.ledger.set_deadline(deadline);
                let by = (to.node, process.agent.generation());
                if deadline != Nanos::ZERO {
                    self.truth.goes_on(by, end, self.now)?;
                }
            }
            command => {
                let Some(process) = self.machines[to.node].process(to.run) else { return Ok(()) };
                if let Command::Close { shard, .. } | Command::Thaw { shard } = &command {
                    let was_flushing = process.flushing.remove(shard);
                    if was_flushing && matches!(command, Command::Thaw { .. }) {
                        self.marks.see(Mark::HandOverAborted);
                    }
                }
                tell_ledger(&mut process.ledger, command, events);
            }
        }
        Ok(())
    }

    /// Whoever sends a heartbeat has promised what it read.
    fn check_that_it_may_serve(&mut self, to: To, transaction: &Transaction) -> Result<(), Violation> {
        let machine = &mut self.machines[to.node];
        let Some(generation) = machine.process(to.run).map(|process| process.agent.generation()) else { return Ok(()) };
        if !transaction.writes.iter().any(|write| matches!(write, Write::Beat { .. })) {
            return Ok(());
        }
        let disk = &machine.disk;
        self.truth.serves(to.node, generation, |shard| disk.promise(shard), self.now)
    }

    fn reported(&mut self, report: Report) {
        let mark = match report {
            Report::AuthorityLost => Mark::Rejoined,
            Report::SessionRecreated => Mark::SessionRecreated,
            Report::JournalDoubtful => Mark::DirectoryDoubtful,
            Report::TakenCold { .. } => Mark::TakenCold,
            Report::TakenWarm { .. } => Mark::TakenWarm,
            Report::OutcomeUnknown => Mark::OutcomeUnknown,
            Report::TimeAhead { .. } => return,
        };
        self.see(mark);
    }

    pub(crate) fn wake(&mut self, to: To, at: Nanos) -> Result<(), Violation> {
        if self.boottime(to.node) < at { Ok(()) } else { self.step(to, Event::Wake) }
    }

    fn persist(&mut self, to: To, token: Token, facts: Vec<Fact>) {
        let latency = self.random.between(MILLIS / 5, 8 * MILLIS) + self.hang();
        let Some(process) = self.machines[to.node].process(to.run) else { return };
        process.persisting.push_back((token, facts));
        process.persisted_by = process.persisted_by.max(self.now + latency);
        let by = process.persisted_by;
        self.queue.plan(by, Happening::Persisted(to));
        self.ambush_a_write(to.node, by);
    }

    pub(crate) fn persisted(&mut self, to: To) -> Result<(), Violation> {
        let machine = &mut self.machines[to.node];
        if machine.process(to.run).is_some() && self.write_fails(to.node) {
            return self.store_fails(to);
        }
        let machine = &mut self.machines[to.node];
        let boot = machine.clock.boot();
        let Some((token, facts)) = machine.process(to.run).and_then(|process| process.persisting.pop_front()) else {
            return Ok(());
        };
        machine.disk.persist(&facts, boot).map_err(|broken| Violation::promise(broken.shard, self.now))?;
        self.say_again(to, &Event::Persisted { token });
        let last = self.machines[to.node].disk.last();
        if facts.contains(&Fact::CountersDiscarded)
            && let Some(process) = self.machines[to.node].process(to.run)
        {
            let shards = ShardCount::new(u64::from(self.swarm.shards)).unwrap_or(ShardCount::DEFAULT);
            process.ledger = Ledger::with_bugs(shards, Epoch(0), last, self.plant);
            process.ledger.set_async_bound(self.swarm.async_bound);
            process.ledger.set_snapshot_rows(1);
        }
        self.step(to, Event::Persisted { token })
    }

    /// Starts to write the open frame, unless one is being written.
    pub(crate) fn commit(&mut self, to: To) {
        let latency = self.random.between(MILLIS / 10, 5 * MILLIS) + self.hang();
        let (policies, shards) = (self.machines[to.node].policies, self.swarm.shards);
        let Some(process) = self.machines[to.node].process(to.run) else { return };
        if process.committing.is_some() {
            return;
        }
        let mut frame = Vec::new();
        if let Some(commit) = process.ledger.seal(policies, &mut frame) {
            for (_, decided) in process.waiting.iter_mut().filter(|(of, _)| *of == commit) {
                decided.position = Some(process.ledger.position(decided.shard));
            }
            process.positions = (0..shards).map(|shard| process.ledger.position(ShardId::new(shard))).collect();
            process.committing = Some(frame);
            self.queue.plan(self.now + latency, Happening::Committed(to));
            let letters = process.ledger.take_letters();
            for letter in letters {
                self.send_letter(to.node, letter);
            }
        }
    }

    pub(crate) fn committed(&mut self, to: To) -> Result<(), Violation> {
        let machine = &mut self.machines[to.node];
        if machine.process(to.run).is_some() && self.write_fails(to.node) {
            return self.store_fails(to);
        }
        let machine = &mut self.machines[to.node];
        let Some(frame) = machine.process(to.run).and_then(|process| process.committing.take()) else { return Ok(()) };
        machine.disk.append(frame, self.swarm.journal_sync, machine.clock.boot());
        let positions = machine.process(to.run).map(|process| process.positions.clone()).unwrap_or_default();
        machine.disk.stands_at(positions);
        let last = machine.disk.last();
        let Some(process) = machine.process(to.run) else { return Ok(()) };
        let floors: Vec<_> = process.floors.extract_if(.., |(commit, ..)| *commit <= last).collect();
        if !floors.is_empty() {
            machine.disk.sync();
        }
        let now = machine.clock.boottime(self.now);
        if let Some(process) = machine.process(to.run) {
            process.ledger.committed(last, now);
        }
        self.release(to)?;
        self.deliver(to)?;
        self.commit(to);
        for (_, shard, epoch) in floors {
            self.step(to, Event::FloorJournaled { shard, epoch })?;
        }
        Ok(())
    }

    /// Lets every answer leave that nothing more has to be waited for.
    pub(crate) fn release(&mut self, to: To) -> Result<(), Violation> {
        let machine = &mut self.machines[to.node];
        let last = machine.disk.last();
        let Some(process) = machine.process(to.run) else { return Ok(()) };
        let ledger = &process.ledger;
        let is_ready =
            |(commit, decided): &mut (CommitNo, Decided)| *commit <= last && ledger.is_released(decided.shard, *commit);
        let (mut ready, mut waiting) = (Vec::new(), VecDeque::new());
        for mut reply in process.waiting.drain(..) {
            if is_ready(&mut reply) {
                ready.push(reply);
            } else {
                waiting.push_back(reply);
            }
        }
        process.waiting = waiting;
        for (commit, decided) in ready {
            self.leave_soon(to, commit, decided)?;
        }
        Ok(())
    }

    /// Nothing is left to hand over: the process ends its session and goes.
    fn drained(&mut self, node: usize) {
        self.see(Mark::Drained);
        let lease = self.machines[node].process.as_ref().and_then(|process| process.lease);
        self.kill(node, Power::Stays);
        if let Some(view) = lease.and_then(|lease| self.etcd.revoke(lease)) {
            self.broadcast(&view);
        }
        let at = self.now + self.random.between(1, 10) * SECOND;
        self.queue.plan(at, Happening::Start(node));
    }
}

fn tell_ledger<B: drl_engine::ownership::Bugs>(ledger: &mut Ledger<B>, command: Command, events: &mut VecDeque<Event>) {
    match command {
        Command::Close { shard, closed } => ledger.close(shard, closed),
        Command::Freeze { shards } => {
            let frozen: Vec<(ShardId, Written)> =
                shards.into_iter().map(|shard| (shard, ledger.freeze(shard))).collect();
            events.push_back(Event::Frozen { shards: frozen });
        }
        Command::Thaw { shard } => ledger.thaw(shard),
        _ => {}
    }
}
