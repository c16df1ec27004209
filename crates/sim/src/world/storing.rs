//! What a disk does to the process that writes to it: writes that hang, fail, or find it full; and checkpoints.

use drl_core::ShardId;
use drl_engine::ownership::Event;

use super::{Happening, To, World};
use crate::invariants::Violation;
use crate::marks::Mark;
use crate::swarm::SECOND;

impl World {
    /// How much longer a write takes than it should.
    pub(crate) fn hang(&mut self) -> u64 {
        if self.healed || !self.random.happens(self.swarm.disk_hangs) {
            return 0;
        }
        self.see(Mark::DiskHung);
        self.random.below(self.swarm.disk_hangs_max).min(self.swarm.chaos.saturating_sub(self.now))
    }

    /// Whether a write fails now.
    pub(crate) fn write_fails(&mut self, node: usize) -> bool {
        let Some(until) = self.machines[node].disk_fails_until else { return false };
        let is_full = self.now < until;
        if !is_full {
            self.machines[node].disk_fails_until = None;
        }
        self.see(if is_full { Mark::DiskFull } else { Mark::DiskFailed });
        true
    }

    pub(crate) fn store_fails(&mut self, to: To) -> Result<(), Violation> {
        self.step(to, Event::StoreFailed)
    }

    pub(crate) fn checkpoint(&mut self, to: To) {
        let now = self.boottime(to.node);
        let next = self.now + self.random.between(20, 90) * SECOND;
        let machine = &mut self.machines[to.node];
        let Some(process) = machine.process(to.run) else { return };
        self.queue.plan(next, Happening::Checkpoint(to));
        if process.committing.is_some() || !process.ledger.is_clean() {
            return;
        }
        let mut pages = Vec::new();
        for index in 0..self.swarm.shards {
            let shard = ShardId::new(index);
            let time = process.ledger.time_of(shard, now);
            let taken = process.ledger.take_pages(shard, time);
            pages.extend(taken.into_iter().map(|page| (shard, page.bucket, page.payload)));
        }
        machine.disk.sync();
        machine.disk.checkpoint(pages);
    }
}
