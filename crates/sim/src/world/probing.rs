//! Whether every shard has an answering owner, looked at ten times a second once faults have stopped. It draws nothing and changes nothing.

use drl_core::{Epoch, ShardId};
use drl_engine::ownership::ShardRecord;

use super::{Happening, World};
use crate::invariants::Violation;
use crate::invariants::liveness::Standing;
use crate::swarm::{Backup, MILLIS};

const PROBE_EVERY: u64 = 100 * MILLIS;

impl World {
    pub(crate) fn probe(&mut self) -> Result<(), Violation> {
        if self.swarm.backup != Backup::Unused {
            return Ok(());
        }
        for shard in (0..self.swarm.shards).map(ShardId::new) {
            let standing = match self.etcd.record(shard).map(|versioned| &versioned.record) {
                Some(record) if self.is_answered_for(shard, record) => Standing::Answers,
                Some(record) if self.is_up(record) => Standing::Up,
                Some(record) => {
                    Standing::Gone(record.fences().map(|holder| self.etcd.generation(&holder.node)).collect())
                }
                None => Standing::Gone(Vec::new()),
            };
            self.truth.stands(shard, standing, self.now)?;
        }
        self.queue.plan(self.now + PROBE_EVERY, Happening::Probe);
        Ok(())
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
        record.fences().any(|holder| {
            let runs = |process: &crate::process::Process| process.agent.generation() == holder.generation;
            self.machines.iter().any(|machine| machine.process.as_deref().is_some_and(runs))
        })
    }
}
