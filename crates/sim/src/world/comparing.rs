//! What can only be seen by looking into processes: whether followers have what was answered (I3), and, when all has been well for a while,
//! whether every shard has a follower in sync (L2) that is the same as its owner.

use drl_core::ShardId;
use drl_engine::ownership::{Copies, ShardRecord};

use super::World;
use crate::invariants::{Violation, copies};
use crate::swarm::Backup;
use crate::trace::Decided;

impl World {
    /// An admission is about to be answered.
    pub(crate) fn check_the_follower_has_it(&self, decided: &Decided) -> Result<(), Violation> {
        let client = &self.truth.clients[decided.client];
        if !decided.allowed || client.is_async() || self.swarm.backup != Backup::Unused {
            return Ok(());
        }
        let Some(record) = self.etcd.record(decided.shard).map(|versioned| &versioned.record) else { return Ok(()) };
        let is_its_own = record.owner.generation == decided.generation;
        let Some(follower) = record.in_sync_follower().filter(|_| is_its_own) else { return Ok(()) };
        let machine = self.machines.iter().find(|machine| machine.id == follower.node);
        let Some(machine) = machine.filter(|machine| {
            // A later lifetime may have lost what an earlier one had, and nobody may rely on it then.
            machine.process.as_ref().is_some_and(|process| process.agent.generation() == follower.generation)
        }) else {
            return Ok(());
        };
        copies::has(decided, machine.disk.position(decided.shard), self.now)
    }

    /// At the end.
    pub(crate) fn check_copies(&self) -> Result<(), Violation> {
        let living = self.machines.iter().filter(|machine| machine.process.is_some()).count();
        if self.swarm.copies == Copies::One || self.swarm.backup != Backup::Unused || !self.healed || living < 2 {
            return Ok(());
        }
        for shard in (0..self.swarm.shards).map(ShardId::new) {
            let Some(record) = self.etcd.record(shard).map(|versioned| &versioned.record) else { continue };
            copies::is_in_sync(shard, record, self.now)?;
            self.compare(shard, record)?;
        }
        Ok(())
    }

    fn compare(&self, shard: ShardId, record: &ShardRecord) -> Result<(), Violation> {
        let of = |node: &drl_core::NodeId| {
            let machine = self.machines.iter().find(|machine| machine.id == *node)?;
            Some(&machine.process.as_ref()?.ledger)
        };
        let Some(follower) = record.in_sync_follower() else { return Ok(()) };
        let (Some(owner), Some(copy)) = (of(&record.owner.node), of(&follower.node)) else { return Ok(()) };
        // What is on its way is not there yet.
        if owner.position(shard) != copy.position(shard) || !owner.is_clean() {
            return Ok(());
        }
        let node = self.machines.iter().position(|machine| machine.id == record.owner.node).unwrap_or(0);
        let now = owner.time_of(shard, self.boottime(node));
        copies::are_the_same(shard, owner.digest(shard, now), copy.digest(shard, now), self.now)
    }
}
