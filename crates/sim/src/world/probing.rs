//! Whether every shard has an answering owner, looked at ten times a second once faults have stopped. It draws nothing and changes nothing.

use drl_core::{Epoch, Generation, NodeId, ShardCount, ShardId};
use drl_engine::ownership::{Holder, ShardRecord};
use drl_ring::{Duty, Member, Placement, Ring, plan};

use super::{Happening, World};
use crate::invariants::Violation;
use crate::invariants::liveness::{Evidence, Fences, Gone, Session, Standing};
use crate::swarm::{Backup, MILLIS};

const PROBE_EVERY: u64 = 100 * MILLIS;

/// Making a plan takes longer than all else that a look does, and from one look to the next little changes.
const PLANS_MAX: usize = 4;

/// A plan, and what it was made from.
#[derive(Debug)]
pub(crate) struct Planned {
    members: Vec<Member>,
    present: Placement,
    plan: Placement,
}

impl World {
    pub(crate) fn probe(&mut self) -> Result<(), Violation> {
        if self.swarm.backup != Backup::Unused {
            return Ok(());
        }
        for node in 0..self.machines.len() {
            self.truth.runs(node, self.session(node), self.now)?;
        }
        for shard in (0..self.swarm.shards).map(ShardId::new) {
            let record = self.etcd.record(shard).map(|versioned| &versioned.record);
            let standing = match record {
                Some(record) if self.is_answered_for(shard, record) => Standing::Answers,
                Some(record) if self.is_up(record) => Standing::Up,
                record => {
                    let fences = record.into_iter().flat_map(ShardRecord::fences);
                    let evidence = fences.map(|holder| (holder.clone(), self.evidence(holder))).collect();
                    let taker = self.taker(shard, &evidence);
                    Standing::Gone(Gone { evidence, taker })
                }
            };
            self.truth.stands(shard, standing, self.now)?;
        }
        self.queue.plan(self.now + PROBE_EVERY, Happening::Probe);
        Ok(())
    }

    fn session(&self, node: usize) -> Session {
        let machine = &self.machines[node];
        match machine.process.as_deref() {
            None => Session::Down,
            // Before it has registered for the first time its generation is zero, as that of an absent key.
            Some(process) => match process.agent.generation() {
                generation if generation == Generation(0) || generation != self.etcd.generation(&machine.id) => {
                    Session::Waits { started: process.started }
                }
                generation => Session::Stands(generation),
            },
        }
    }

    fn evidence(&self, holder: &Holder) -> Evidence {
        match self.etcd.stands(&holder.node) {
            (None, last_beat) => Evidence::Absent { last_beat },
            (Some(entry), _) if entry.generation == holder.generation => Evidence::Lingers,
            (Some(entry), _) => Evidence::Replaced { created: entry.created },
        }
    }

    /// Whom the ring names as owner, passing over those who joined when others waited already, as long as anybody is left; if that one can
    /// take a shard over.
    fn taker(&mut self, shard: ShardId, evidence: &Fences) -> Option<Holder> {
        let later = self.truth.joined_after(shard, evidence, self.now);
        let first = self.named(shard, &[])?;
        let (mut named, mut passed_over) = (Some(first.clone()), Vec::new());
        while let Some(node) = later.iter().find(|node| named.as_ref() == Some(&self.machines[**node].id)) {
            passed_over.push(*node);
            named = self.named(shard, &passed_over);
        }
        let node = named.unwrap_or(first);
        let entry = self.etcd.stands(&node).0.filter(|entry| !entry.draining)?;
        let holder = Holder { node, generation: entry.generation };
        self.runs(&holder).then_some(holder)
    }

    /// Whom the ring names as owner, as every node finds it from the same keys (protocol, section 2), leaving out some.
    fn named(&mut self, shard: ShardId, without: &[usize]) -> Option<NodeId> {
        let is_out = |node: &NodeId| without.iter().any(|out| self.machines[*out].id == *node);
        let duty = |is_draining: bool| if is_draining { Duty::Draining } else { Duty::Serving };
        let nodes = self.etcd.nodes().filter(|(node, _)| !is_out(node));
        let members: Vec<Member> =
            nodes.map(|(node, entry)| Member { duty: duty(entry.draining), ..Member::new(node.clone()) }).collect();
        let shards = ShardCount::new(u64::from(self.swarm.shards)).unwrap_or(ShardCount::DEFAULT);
        let mut present = Placement::empty(shards);
        for shard in shards.iter() {
            if let (Some(seats), Some(versioned)) = (present.get_mut(shard), self.etcd.record(shard)) {
                seats.owner = Some(versioned.record.owner.node.clone());
                seats.follower = versioned.record.follower.as_ref().map(|follower| follower.node.clone());
            }
        }
        let is_it = |planned: &&Planned| planned.members == members && planned.present == present;
        if let Some(planned) = self.planned.iter().find(is_it) {
            return planned.plan.get(shard)?.owner.clone();
        }
        let plan = plan(&Ring::new(&members), &present);
        let owner = plan.get(shard)?.owner.clone();
        if self.planned.len() == PLANS_MAX {
            self.planned.clear();
        }
        self.planned.push(Planned { members, present, plan });
        owner
    }

    fn is_answered_for(&self, shard: ShardId, record: &ShardRecord) -> bool {
        self.machines.iter().any(|machine| {
            let process =
                machine.process.as_ref().filter(|process| process.agent.generation() == record.owner.generation);
            let now = machine.clock.boottime(self.now);
            process.is_some_and(|process| process.ledger.stamp(shard, Epoch(0), now).is_ok())
        })
    }

    /// Whether the owner or the follower in sync runs, in the lifetime that the record names.
    fn is_up(&self, record: &ShardRecord) -> bool {
        record.fences().any(|holder| self.runs(holder))
    }

    fn runs(&self, holder: &Holder) -> bool {
        let is_it = |process: &crate::process::Process| process.agent.generation() == holder.generation;
        self.machines.iter().any(|machine| machine.process.as_deref().is_some_and(is_it))
    }
}
