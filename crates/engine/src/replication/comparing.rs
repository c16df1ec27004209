//! What two copies of a shard can be compared by.

use drl_core::{Epoch, Seq, ShardId, ShardTime};
use xxhash_rust::xxh3::xxh3_64;

use crate::ledger::Ledger;
use crate::ownership::Bugs;

impl<B: Bugs> Ledger<B> {
    /// The epoch and seq of the last section that was sealed of a shard, or taken as a copy.
    #[must_use]
    pub fn position(&self, shard: ShardId) -> (Epoch, Seq) {
        let held = &self.shards[shard.index()];
        (held.epoch, held.seq)
    }

    /// A digest of the counters that still say something at `now`, whatever their order in memory.
    #[must_use]
    pub fn digest(&self, shard: ShardId, now: ShardTime) -> u64 {
        let held = &self.shards[shard.index()];
        let mut bytes = Vec::new();
        held.table.iter().filter(|(_, row)| !held.is_expired(row, now)).fold(0, |digest, (key, row)| {
            bytes.clear();
            bytes.extend_from_slice(&key.to_bytes());
            row.counter.shape().encode(&mut bytes);
            row.counter.encode_cells(&mut bytes);
            digest ^ xxh3_64(&bytes)
        })
    }
}
