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
//!
//! An epoch that ends in order ends with everything acknowledged: before a shard is handed over, and before its owner goes on under the next
//! epoch together with its copy. What was decided until then is in the state of whoever owns the shard from there on. So its replies
//! may leave also after that, however late: a caller that is not told asks again, and is charged twice.

use std::collections::BTreeSet;

use drl_core::{CommitNo, Epoch, ShardId};

use super::outgoing::Lag;
use super::target::Target;
use crate::ledger::Ledger;
use crate::ownership::{Bug, Bugs, Holder};
use crate::shard::Shard;

/// Epochs of this process that ended in order, and the last commit that a copy had acknowledged then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finished {
    since: Epoch,
    until: Epoch,
    commit: CommitNo,
}

impl Finished {
    /// Whether a copy has what was decided under `epoch` in the frame of `commit`.
    pub(crate) fn includes(&self, epoch: Epoch, commit: CommitNo) -> bool {
        (self.since..=self.until).contains(&epoch) && commit <= self.commit
    }
}

impl Shard {
    /// Everything that was decided so far is acknowledged, if a copy that gets it all was waited for.
    pub(super) fn finish(&mut self, is_acked: impl Fn(&Target) -> bool) {
        let mut required = self.targets.iter().filter(|target| target.required.is_some()).peekable();
        if required.peek().is_some() && required.all(|target| target.gets_sections() && is_acked(target)) {
            self.finished = Some(Finished { since: self.since, until: self.epoch, commit: self.sealed });
        }
    }
}

impl<B: Bugs> Ledger<B> {
    /// How far every lifetime is behind that has copies of this one's shards, or is to have some. What was sent to one that has none any
    /// more is waited for by nobody, and would seem to be late for ever.
    pub fn lags(&self) -> impl Iterator<Item = (&Holder, Lag)> {
        let targets = self.shards.iter().flat_map(|held| &held.targets);
        let wanted: BTreeSet<&Holder> = targets.map(|target| &target.to).collect();
        self.peers.lags().filter(move |(to, _)| wanted.contains(to))
    }

    /// Whether every copy that has to has acknowledged what `shard` had in the frame of `commit`, which is in this node's own journal.
    #[must_use]
    pub fn is_released(&self, shard: ShardId, commit: CommitNo) -> bool {
        let held = &self.shards[shard.index()];
        let mut required = held.targets.iter().filter(|target| target.required.is_some());
        self.bugs.has(Bug::RepliesBeforeAck)
            || held.finished.is_some_and(|finished| commit <= finished.commit)
            || required.all(|target| !target.is_broken && !target.is_awaited() && self.peers.covers(&target.to, commit))
    }
}
