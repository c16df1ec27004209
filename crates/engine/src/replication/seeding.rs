//! Snapshots: a shard as it is now, in parts, in order with its live sections.
//!
//! Rule (protocol, section 5): a learner starts empty. The first part clears what the copy had; each part is a run of the shard's
//! pages as they are when it is sent, and every change after that comes as a live section behind it. So when the last part is
//! taken, and everything before it, the copy is the shard. A broken snapshot starts again: a shard is small.

use drl_core::ShardId;
use drl_core::caps::PAGES_PER_SHARD;

use super::target::{Stage, Target};
use crate::frame::{FrameWriter, Part};
use crate::ledger::Ledger;
use crate::ownership::Bugs;
use crate::shard::{Shard, bucket_of};

impl<B: Bugs> Ledger<B> {
    /// Sends the next part of a snapshot when the one before it is acknowledged: seeding must not crowd out live sections.
    pub(crate) fn seed(&mut self, shard: ShardId) {
        for index in 0..self.shards[shard.index()].targets.len() {
            self.send_part(shard, index);
        }
    }

    fn send_part(&mut self, shard: ShardId, index: usize) {
        let held = &mut self.shards[shard.index()];
        let Some(target) = held.targets.get(index).filter(|target| !target.is_broken) else { return };
        let (Stage::Seeding { next, sent }, to) = (target.stage, target.to.clone()) else { return };
        if !self.peers.has_room_to_seed(&to) || self.peers.acked(&to) < sent {
            return;
        }
        held.seq = held.seq.next();
        let end = next.saturating_add(held.pages_per_part(self.snapshot_rows)).min(PAGES_PER_SHARD);
        let part = match (next == 0, end == PAGES_PER_SHARD) {
            (true, true) => Part::Whole,
            (true, false) => Part::First,
            (false, false) => Part::Middle,
            (false, true) => Part::Last,
        };
        let mut payload = Vec::new();
        // Some of it may have been decided by an owner before this one, by later policies than this one's last frame.
        let policies = self.policies.max(self.peers.stamped);
        let mut writer = FrameWriter::new(&mut payload, &mut self.dictionary, policies);
        writer.section(held.head(), part);
        for (key, row) in held.table.iter().filter(|(key, _)| (next..end).contains(&bucket_of(*key))) {
            let is_taken = writer.row(key, Some(&row.counter));
            debug_assert!(is_taken, "a part holds fewer rows than a dictionary holds shapes");
        }
        writer.finish();
        self.peers.send(&to, payload, self.sealed);
        let complete_by = self.peers.last_sent(&to);
        if let Some(target) = self.shards[shard.index()].targets.get_mut(index) {
            let is_last = end == PAGES_PER_SHARD;
            target.stage =
                if is_last { Stage::Live { complete_by } } else { Stage::Seeding { next: end, sent: complete_by } };
        }
    }

    /// Whether a snapshot of a shard is on its way.
    #[must_use]
    pub fn is_seeding(&self, shard: ShardId) -> bool {
        let is_under_way = |target: &Target| !target.is_broken && matches!(target.stage, Stage::Seeding { .. });
        self.shards[shard.index()].targets.iter().any(is_under_way)
    }

    /// Sends snapshots in parts of about so many rows: for simulators, whose shards are small.
    pub fn set_snapshot_rows(&mut self, rows: usize) {
        self.snapshot_rows = rows;
    }
}

impl Shard {
    fn pages_per_part(&self, rows: usize) -> u8 {
        let pages = usize::from(PAGES_PER_SHARD) * rows / self.table.len().max(1);
        u8::try_from(pages.clamp(1, usize::from(PAGES_PER_SHARD))).unwrap_or(1)
    }
}
