//! Worlds begin; processes start, and end in every possible way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use drl_core::{Epoch, Generation, KeyHash, NodeId, ShardCount, ShardId};
use drl_engine::ownership::{Authority, Copies, Event, Holder, Identity, NodeAgent, StopReason};
use drl_limits::{Algorithm, Durability, Limit, Policy, PolicySpec, Window};

use super::network::TICK;
use super::{Fault, Happening, To, World};
use crate::clock::Clock;
use crate::digest::Digest;
use crate::disk::Disk;
use crate::etcd::Etcd;
use crate::invariants::{Truth, Violation};
use crate::marks::{Mark, Marks};
use crate::plant::{Plant, WorldBug};
use crate::process::{Machine, Process};
use crate::queue::Queue;
use crate::random::Random;
use crate::swarm::{MILLIS, SECOND, Swarm};
use crate::trace::Client;

impl World {
    pub(crate) fn begin(swarm: Swarm, mut random: Random, plant: Plant, digest: Digest) -> Self {
        let clients = (0..swarm.clients).filter_map(|number| client(number, &swarm, &mut random)).collect();
        let machines: Vec<Machine> = (0..swarm.nodes).filter_map(|node| machine(node, &swarm, &mut random)).collect();
        let mut world = Self {
            now: 0,
            truth: Truth::new(clients, swarm.shards, machines.len()),
            etcd: Etcd::new(swarm.shards),
            swarm,
            plant,
            random,
            queue: Queue::default(),
            backup: None,
            etcd_down_until: 0,
            lease_end_planned: false,
            cuts: Vec::new(),
            policies: 0,
            links: BTreeMap::new(),
            machines,
            digest,
            marks: Marks::default(),
            healed: false,
            planned: Vec::new(),
        };
        for node in 0..world.machines.len() {
            let at = if world.random.happens(500) { world.random.below(20 * SECOND) } else { 0 };
            world.queue.plan(at, Happening::Start(node));
        }
        for client in 0..world.swarm.clients {
            let at = world.random.below(2 * world.swarm.check_every);
            world.queue.plan(at, Happening::Asks(client));
        }
        if world.swarm.chaos > 0 {
            for fault in Fault::ALL {
                world.plan_fault(fault);
            }
            world.plan_backup();
            world.plan_policy_change();
            world.queue.plan(world.swarm.chaos, Happening::Heal);
        }
        world
    }

    pub(crate) fn start(&mut self, node: usize) -> Result<(), Violation> {
        let machine = &mut self.machines[node];
        if machine.process.is_some() || machine.is_gone {
            return Ok(());
        }
        machine.copy = Some(machine.disk.clone());
        machine.runs += 1;
        let run = machine.runs;
        let ignores_doubt = self.plant.is_world(WorldBug::TornWriteUnnoticed);
        let (mut recoverer, found) =
            machine.disk.recover(machine.clock.boot(), self.plant, ignores_doubt, &mut self.random);
        if let Some(torn) = machine.disk.take_torn() {
            if recoverer.frame(&torn).is_ok() {
                return Err(Violation::new(
                    "torn write",
                    self.now,
                    format!("{} bytes of a frame were taken", torn.len()),
                ));
            }
            self.marks.see(Mark::TornFrame);
        }
        let machine = &mut self.machines[node];
        let mut ledger = recoverer.into_ledger(machine.disk.last());
        ledger.set_async_bound(self.swarm.async_bound);
        // Four parts or so, whatever the size.
        ledger.set_snapshot_rows(1);
        let shards = ShardCount::new(u64::from(self.swarm.shards)).unwrap_or(ShardCount::DEFAULT);
        let identity =
            Identity { node: machine.id.clone(), shards, authority: Authority::default(), copies: self.swarm.copies };
        machine.process = Some(Box::new(Process {
            run,
            started: self.now,
            agent: NodeAgent::with_bugs(identity, self.plant),
            ledger,
            paused_until: 0,
            committing: None,
            positions: Vec::new(),
            waiting: VecDeque::new(),
            floors: Vec::new(),
            persisting: VecDeque::new(),
            persisted_by: 0,
            outstanding: BTreeSet::new(),
            lease: None,
            watching: false,
            flushing: BTreeSet::new(),
            watched_until: 0,
        }));
        self.digest.tell("start", node, self.now, || format!("run {run}"));
        let to = To { node, run };
        self.begin_with_policies(to);
        let checkpoint = self.now + self.random.between(20, 90) * SECOND;
        self.queue.plan(checkpoint, Happening::Checkpoint(to));
        if self.swarm.copies == Copies::Two {
            self.queue.plan(self.now + self.random.below(TICK), Happening::Tick(to));
        }
        self.step(to, Event::Started(Box::new(found)))
    }

    /// Ends a process at once; what was on its way to the disk may or may not have arrived.
    pub(crate) fn kill(&mut self, node: usize, power: Power) {
        let machine = &mut self.machines[node];
        let Some(mut process) = machine.process.take() else { return };
        let holder = Holder { node: machine.id.clone(), generation: process.agent.generation() };
        self.digest.tell("kill", node, self.now, || format!("{power:?}"));
        let arrived = self.random.index(process.persisting.len() + 1);
        for (_, facts) in process.persisting.drain(..arrived) {
            // Promises are checked when they are acknowledged.
            let _ = machine.disk.persist(&facts, machine.clock.boot());
        }
        match process.committing {
            Some(bytes) if self.random.happens(500) => {
                machine.disk.append(bytes, self.swarm.journal_sync, machine.clock.boot());
            }
            Some(bytes) if power == Power::Cut => machine.disk.tear(bytes, self.now),
            _ => {}
        }
        if power == Power::Cut {
            let lost = machine.disk.lose_power();
            machine.clock.reboot(self.now, &mut self.random);
            if lost {
                self.damage(node, Damage::Tail);
            }
        } else if self.swarm.copies == Copies::Two {
            self.hang_up(node, &holder);
        }
    }

    /// Notes, for the checker, what the directory does not have of what this node answered. A copy that was made under the very
    /// epoch of the record was made before anything was answered under it; a journal that lost its tail has lost of every epoch.
    pub(crate) fn damage(&mut self, node: usize, damage: Damage) {
        let machine = &mut self.machines[node];
        for shard in (0..self.swarm.shards).map(ShardId::new) {
            let record = self.etcd.record(shard).map(|versioned| &versioned.record);
            let named = record.and_then(|record| {
                let holder = record.fences().find(|holder| holder.node == machine.id)?;
                Some((record, holder.generation))
            });
            if let Some((record, generation)) = named
                && (damage == Damage::Tail || !machine.disk.knows(shard, (record.epoch, generation)))
            {
                machine.disk.lose(shard, record.epoch);
            }
        }
    }

    pub(crate) fn stop_process(&mut self, node: usize, reason: &StopReason) {
        self.digest.tell("stop", node, self.now, || reason.to_string());
        match reason {
            StopReason::NodeIdInUse => self.see(Mark::NodeIdInUse),
            StopReason::RevisionWentBack { .. } => self.see(Mark::RevisionWentBack),
            StopReason::EpochWentBack { .. } => self.see(Mark::EpochWentBack),
            StopReason::OtherCluster { .. } | StopReason::StoreFailed => {}
        }
        self.kill(node, Power::Stays);
        let at = self.now + self.random.between(1_000, 8_000) * MILLIS;
        self.queue.plan(at, Happening::Start(node));
    }

    pub(crate) fn fresh_generation(&mut self) -> Generation {
        Generation(self.random.next())
    }
}

/// Whether the machine goes down with the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    Stays,
    Cut,
}

/// What happened to a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The end of the journal is gone.
    Tail,
    /// It is another one: an empty one, or a copy.
    Replaced,
}

fn machine(node: usize, swarm: &Swarm, random: &mut Random) -> Option<Machine> {
    Some(Machine {
        id: NodeId::new(&format!("n{node}")).ok()?,
        clock: Clock::new(random, swarm.skew_max),
        disk: Disk::empty(swarm.shards),
        copy: None,
        process: None,
        runs: 0,
        is_gone: false,
        cut_to_etcd: 0,
        cut_from_etcd: 0,
        policies: 0,
        disk_fails_until: None,
        deaf_until: 0,
        stale_until: 0,
    })
}

/// Clients are spread over the shards in turn, so that every shard has one.
fn client(number: usize, swarm: &Swarm, random: &mut Random) -> Option<Client> {
    let algorithm = [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket][random.index(3)];
    let window = Window::new(drl_core::Nanos::from_secs([2, 7, 20, 60, 90][random.index(5)])).ok()?;
    let limits = vec![Limit::new(random.between(2, 25), window).ok()?];
    let durability = if random.happens(swarm.async_clients) { Durability::Async } else { Durability::Replicated };
    let spec = PolicySpec { limits, algorithm, durability, ..PolicySpec::default() };
    let smaller = if random.happens(swarm.changing_clients) { Some(halved(&spec)?) } else { None };
    let policy = Policy::new(spec).ok()?;
    let mut key = [0; 16];
    key[..8].copy_from_slice(&random.next().to_le_bytes());
    key[8..].copy_from_slice(&random.next().to_le_bytes());
    let shard = u16::try_from(number % usize::from(swarm.shards)).ok()?;
    Some(Client {
        shard: ShardId::new(shard),
        key: KeyHash::from_bytes(key),
        policy: Arc::new(policy),
        smaller,
        told: Epoch(0),
        admitted: Vec::new(),
    })
}

/// The same policy with half of its requests.
fn halved(spec: &PolicySpec) -> Option<Arc<Policy>> {
    let half = |limit: &Limit| Limit::new(limit.requests().div_ceil(2), limit.window()).ok();
    let limits: Option<Vec<Limit>> = spec.limits.iter().map(half).collect();
    Some(Arc::new(Policy::new(PolicySpec { limits: limits?, ..spec.clone() }).ok()?))
}
