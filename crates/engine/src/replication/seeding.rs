//! Snapshots: a shard as it is now, in parts, in order with its live sections.
//!
//! Rule (protocol, section 5): a learner starts empty. The first part clears what the copy had; each part is a run of the shard's
//! pages as they are when it is sent, and every change after that comes as a live section behind it. So when the last part is
//! taken, and everything before it, the copy is the shard. A broken snapshot starts again: a shard is small.

use drl_core::ShardId;
use drl_core::caps::{PAGES_PER_SHARD, SNAPSHOT_ROWS_PER_PART};

use super::target::Stage;
use crate::frame::{FrameWriter, Part};
use crate::ledger::Ledger;
use crate::ownership::Bugs;
use crate::shard::{Shard, bucket_of};

impl<B: Bugs> Ledger<B> {
    /// Sends parts of snapshots, as far as there is room for them.
    pub(crate) fn seed(&mut self, shard: ShardId) {
        for index in 0..self.shards[shard.index()].targets.len() {
            while self.send_part(shard, index) {}
        }
    }

    /// Whether a part was sent.
    fn send_part(&mut self, shard: ShardId, index: usize) -> bool {
        let held = &mut self.shards[shard.index()];
        let Some(target) = held.targets.get(index).filter(|target| !target.is_broken) else { return false };
        let (Stage::Seeding { next }, to) = (target.stage, target.to.clone()) else { return false };
        if !self.peers.has_room(&to) {
            return false;
        }
        held.seq = held.seq.next();
        let end = next.saturating_add(held.pages_per_part()).min(PAGES_PER_SHARD);
        let part = match (next == 0, end == PAGES_PER_SHARD) {
            (true, true) => Part::Whole,
            (true, false) => Part::First,
            (false, false) => Part::Middle,
            (false, true) => Part::Last,
        };
        let mut payload = Vec::new();
        let mut writer = FrameWriter::new(&mut payload, &mut self.dictionary, self.policies);
        writer.section(held.head(), part);
        for (key, row) in held.table.iter().filter(|(key, _)| (next..end).contains(&bucket_of(**key))) {
            let is_taken = writer.row(*key, Some(&row.counter));
            debug_assert!(is_taken, "a part holds fewer rows than a dictionary holds shapes");
        }
        writer.finish();
        self.peers.send(&to, payload, self.sealed);
        let complete_by = self.peers.last_sent(&to);
        if let Some(target) = self.shards[shard.index()].targets.get_mut(index) {
            let is_last = end == PAGES_PER_SHARD;
            target.stage = if is_last { Stage::Live { complete_by } } else { Stage::Seeding { next: end } };
        }
        true
    }
}

impl Shard {
    fn pages_per_part(&self) -> u8 {
        let pages = usize::from(PAGES_PER_SHARD) * SNAPSHOT_ROWS_PER_PART / self.table.len().max(1);
        u8::try_from(pages.clamp(1, usize::from(PAGES_PER_SHARD))).unwrap_or(1)
    }
}
