//! Which checks a ledger answers, and under which epoch and time.
//!
//! Rules (protocol, authority deadline and epoch rules 1 and 7): a shard is answered for while this process is its owner and its
//! deadline is ahead; that is looked at before deciding and again before the reply leaves, and then the epoch must still be the
//! one that decided, or one whose decisions a copy has (`replication/release.rs`). A request that names a lower epoch is served; one
//! that names a higher epoch is not, because then this process is the one that is behind.

use drl_core::{CommitNo, Epoch, Nanos, ShardId, ShardTime};

use super::Ledger;
use crate::gate::Gate;
use crate::ownership::{Bug, Bugs, Closed, Holder, Origin, ShardClock, Written};
use crate::replication::Ahead;
use crate::shard::Presence;

/// Leave to decide one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub epoch: Epoch,
    /// The time to decide at.
    pub at: ShardTime,
}

/// Why a check is not decided here, or its answer does not leave. Nothing was charged, or nobody will know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("shard {shard} belongs to node {} since epoch {}", owner.node, epoch.0)]
    NotOwner { shard: ShardId, epoch: Epoch, owner: Holder },
    /// It is being handed over, or goes into its next epoch, or its follower is as far behind as it may be.
    #[error("shard {shard} is being handed over; ask again")]
    Moving { shard: ShardId },
    #[error("shard {shard} has no owner that may answer now; ask again")]
    Unavailable { shard: ShardId },
    #[error("shard {shard} has a later owner than this node knows of")]
    Behind { shard: ShardId },
}

impl Refusal {
    /// Whether the same question may be answered later, here or elsewhere.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        true
    }
}

impl<B: Bugs> Ledger<B> {
    /// Leave to decide a check of `shard` now, for somebody who knows of the epoch `asked_under` (zero: of none).
    ///
    /// # Errors
    /// [`Refusal`] when this process may not answer.
    pub fn stamp(&self, shard: ShardId, asked_under: Epoch, now: Nanos) -> Result<Stamp, Refusal> {
        let held = &self.shards[shard.index()];
        match &held.gate {
            Gate::Open(_) if held.is_between_epochs() || held.is_congested => Err(Refusal::Moving { shard }),
            Gate::Open(_) if asked_under > held.epoch => Err(Refusal::Behind { shard }),
            Gate::Open(_) if self.is_over(now) => Err(Refusal::Unavailable { shard }),
            Gate::Open(clock) => Ok(Stamp { epoch: held.epoch, at: clock.time(now).max(held.latest) }),
            Gate::Frozen(clock) if self.bugs.has(Bug::AdmitsWhileFrozen) && !self.is_over(now) => {
                Ok(Stamp { epoch: held.epoch, at: clock.time(now).max(held.latest) })
            }
            Gate::Frozen(_) => Err(Refusal::Moving { shard }),
            Gate::Closed(Closed::Unknown) => Err(Refusal::Unavailable { shard }),
            Gate::Closed(Closed::NotOwner { epoch, .. }) if asked_under > *epoch => Err(Refusal::Behind { shard }),
            Gate::Closed(Closed::NotOwner { epoch, owner }) => {
                Err(Refusal::NotOwner { shard, epoch: *epoch, owner: owner.clone() })
            }
        }
    }

    /// Whether this process may still say what it decided under `epoch`, in the frame of `commit`.
    ///
    /// # Errors
    /// [`Refusal`] when it may not; its caller is told nothing about the decision.
    pub fn may_leave(&self, shard: ShardId, epoch: Epoch, commit: CommitNo, now: Nanos) -> Result<(), Refusal> {
        let held = &self.shards[shard.index()];
        if self.bugs.has(Bug::LeavesUnchecked) {
            return Ok(());
        }
        let is_owner = held.gate.clock().is_some() && (held.since..=held.epoch).contains(&epoch);
        let is_kept = held.finished.is_some_and(|finished| finished.includes(epoch, commit));
        if (is_owner || is_kept) && !self.is_over(now) { Ok(()) } else { Err(Refusal::Unavailable { shard }) }
    }

    pub(crate) fn is_over(&self, now: Nanos) -> bool {
        self.deadline <= now && !self.bugs.has(Bug::AnswersPastDeadline)
    }

    /// Until when anything is answered, by `CLOCK_BOOTTIME`; zero: not at all.
    pub fn set_deadline(&mut self, deadline: Nanos) {
        self.deadline = deadline;
    }

    /// Answers for a shard from now on. A cold start leaves its floor in the open frame.
    pub fn activate(&mut self, shard: ShardId, epoch: Epoch, origin: Origin, clock: ShardClock) {
        if origin != Origin::Resume {
            self.forget(shard);
        }
        let held = &mut self.shards[shard.index()];
        if held.epoch != epoch {
            // Seq begins anew with an epoch, and only with an epoch: sections that repeat a number would be taken for old ones.
            held.seq = drl_core::Seq::default();
        }
        held.epoch = epoch;
        held.since = epoch;
        held.following = None;
        held.advancing = None;
        held.targets.clear();
        held.is_congested = false;
        held.ahead = Ahead::default();
        held.gate = Gate::Open(clock);
        match origin {
            Origin::Resume => {}
            Origin::Empty => {
                held.floor = None;
                held.latest = clock.base;
                held.written = Written::Never;
            }
            Origin::Cold => {
                held.latest = held.latest.max(clock.base);
                held.floor = Some(held.latest);
                held.dirty = u64::MAX;
                held.written = Written::Yes;
                if held.presence == Presence::Absent {
                    held.presence = Presence::Present;
                    self.touched.push(shard);
                }
            }
        }
    }

    /// Does not answer for a shard from now on; its counters stay as they are.
    pub fn close(&mut self, shard: ShardId, closed: Closed) {
        let held = &mut self.shards[shard.index()];
        held.gate = Gate::Closed(closed);
        held.targets.clear();
        held.advancing = None;
        held.is_flushing = false;
    }

    /// Decides nothing more for a shard. Says whether it was ever written to.
    pub fn freeze(&mut self, shard: ShardId) -> Written {
        let held = &mut self.shards[shard.index()];
        if let Gate::Open(clock) = held.gate {
            held.gate = Gate::Frozen(clock);
        }
        held.written
    }

    /// Goes on deciding for a shard that was frozen.
    pub fn thaw(&mut self, shard: ShardId) {
        let held = &mut self.shards[shard.index()];
        if let Gate::Frozen(clock) = held.gate {
            held.gate = Gate::Open(clock);
        }
        held.is_flushing = false;
    }

    /// The shards that were written to for the first time since this was last asked.
    pub fn take_first_written(&mut self) -> Vec<ShardId> {
        std::mem::take(&mut self.first_written)
    }

    /// The time of a shard: by its clock while it is answered for, the latest that was used otherwise.
    #[must_use]
    pub fn time_of(&self, shard: ShardId, now: Nanos) -> ShardTime {
        let held = &self.shards[shard.index()];
        held.gate.clock().map_or(held.latest, |clock| clock.time(now).max(held.latest))
    }

    /// The owner of a shard, as far as this process was told; `None` when it is this process, or nobody knows.
    #[must_use]
    pub fn owner_elsewhere(&self, shard: ShardId) -> Option<(&Holder, Epoch)> {
        match &self.shards[shard.index()].gate {
            Gate::Closed(Closed::NotOwner { epoch, owner }) => Some((owner, *epoch)),
            _ => None,
        }
    }

    /// Drops a shard's counters, also from the open frame.
    pub(crate) fn forget(&mut self, shard: ShardId) {
        let held = &mut self.shards[shard.index()];
        self.open_rows -= held.changed.len();
        held.changed.clear();
        if !held.table.is_empty() {
            held.table.clear();
            held.dirty = u64::MAX;
        }
    }
}

#[cfg(test)]
mod tests;
