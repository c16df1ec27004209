//! When a reply may leave.
//!
//! Rule (protocol, section 1): an admission of a shard
//!
//! | that is | leaves after |
//! |---|---|
//! | solo, or seeding a copy that is not in sync | this node's journal |
//! | joint (the in-sync swap is sent, its outcome not known) | the same, and the copy's acknowledgement |
//! | in sync | the same |
//! | replacing its follower | the same, and both acknowledgements |
//! | dropping its follower | the drop is known to be committed, then as solo |
//!
//! So one question answers all of them: does every copy that is required acknowledge the frame? A copy is required from before the
//! transaction that makes it count until the one that drops it is known to be committed (`ownership/followers.rs`). The deadline
//! and the epoch are looked at by [`Ledger::may_leave`].

use drl_core::{CommitNo, ShardId};

use super::outgoing::Lag;
use crate::ledger::Ledger;
use crate::ownership::{Bug, Bugs, Holder};

impl<B: Bugs> Ledger<B> {
    /// How far every other lifetime is behind that has shards or copies of this one.
    pub fn lags(&self) -> impl Iterator<Item = (&Holder, Lag)> {
        self.peers.lags()
    }

    /// Whether every copy that has to has acknowledged what `shard` had in the frame of `commit`, which is in this node's own journal.
    #[must_use]
    pub fn is_released(&self, shard: ShardId, commit: CommitNo) -> bool {
        let mut required = self.shards[shard.index()].targets.iter().filter(|target| target.required.is_some());
        self.bugs.has(Bug::RepliesBeforeAck)
            || required.all(|target| !target.is_broken && !target.is_awaited() && self.peers.covers(&target.to, commit))
    }
}
