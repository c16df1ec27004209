//! Which shards the batch that is being decided has noted: each of them stands once in its ticket, however many checks it has.
//!
//! Instead of being cleared for every batch, a place says in which batch it was noted last.

use drl_core::{ShardCount, ShardId};

/// One place for each shard. A node that stands alone notes nothing and has none.
pub(crate) struct Noted {
    /// The number of this batch; no batch has number zero.
    batch: u64,
    last: Vec<u64>,
}

impl Noted {
    pub(crate) fn none() -> Self {
        Self { batch: 0, last: Vec::new() }
    }

    pub(crate) fn of(shards: ShardCount) -> Self {
        Self { batch: 0, last: vec![0; usize::from(shards.get())] }
    }

    /// Begins the next batch.
    pub(crate) const fn begin(&mut self) {
        self.batch += 1;
    }

    /// Notes a shard; says whether this batch had not.
    pub(crate) fn is_first(&mut self, shard: ShardId) -> bool {
        // A shard without a place is noted every time: twice is allowed, not at all is not.
        self.last.get_mut(shard.index()).is_none_or(|last| std::mem::replace(last, self.batch) != self.batch)
    }
}
