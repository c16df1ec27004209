//! Having the memory of a batch's counters fetched before the batch is decided. It decides nothing and changes nothing.

use drl_core::{KeyHash, ShardId};

use super::Ledger;
use crate::ownership::Bugs;

impl<B: Bugs> Ledger<B> {
    /// Reads the counters of checks that are decided next, in any order, and changes nothing. One after the other each check would
    /// wait for its own lines of memory; here they are all asked for before the first is needed: first the rows, then what lies
    /// behind them.
    pub fn fetch(&self, keys: impl Iterator<Item = (ShardId, KeyHash)> + Clone) {
        for (shard, key) in keys.clone() {
            self.shards[shard.index()].table.fetch(key);
        }
        for (shard, key) in keys {
            if let Some(row) = self.shards[shard.index()].table.get(key) {
                row.counter.fetch();
            }
        }
    }
}
