//! Answers of class `async`: at once, ahead of journal and follower, up to a bound.
//!
//! Rule (protocol, section 1, class `async`; invariant I4a): such an admission leaves at once, but it stops and waits like any other when
//! more than B of cost, or anything for more than 500 ms, is not acknowledged. After a take-over the excess is at most B. What
//! counts as acknowledged is what a reply of class `replicated` would wait for.

use std::collections::VecDeque;

use drl_core::caps::ASYNC_UNACKED_MILLIS_MAX;
use drl_core::{CommitNo, Cost, Nanos, ShardId};

use crate::ledger::Ledger;
use crate::ownership::Bugs;

/// What was answered ahead of its acknowledgement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ahead {
    /// By commit: the cost, and when the first of it was answered.
    by_commit: VecDeque<(CommitNo, u64, Nanos)>,
    cost: u64,
}

impl Ahead {
    /// Forgets what was answered up to a commit that `is_acked`.
    fn settle(&mut self, is_acked: impl Fn(CommitNo) -> bool) {
        while let Some((_, cost, _)) = self.by_commit.pop_front_if(|(commit, ..)| is_acked(*commit)) {
            self.cost = self.cost.saturating_sub(cost);
        }
    }

    /// What is left but for commits that `is_acked`: whoever looks may come long after the last answer.
    fn unsettled(&self, is_acked: impl Fn(CommitNo) -> bool) -> u64 {
        self.by_commit.iter().skip_while(|(commit, ..)| is_acked(*commit)).map(|(_, cost, _)| cost).sum()
    }

    fn takes(&self, cost: u64, bound: u64, now: Nanos) -> bool {
        let longest = Nanos::from_millis(ASYNC_UNACKED_MILLIS_MAX).0;
        let is_late = self.by_commit.front().is_some_and(|(.., since)| since.0.saturating_add(longest) < now.0);
        !is_late && self.cost.saturating_add(cost) <= bound
    }

    fn note(&mut self, cost: u64, commit: CommitNo, now: Nanos) {
        self.cost = self.cost.saturating_add(cost);
        match self.by_commit.back_mut() {
            Some((of, sum, _)) if *of == commit => *sum = sum.saturating_add(cost),
            _ => self.by_commit.push_back((commit, cost, now)),
        }
    }
}

impl<B: Bugs> Ledger<B> {
    /// How much cost of class `async` a shard may have answered and not acknowledged.
    pub fn set_async_bound(&mut self, bound: u64) {
        self.async_bound = bound;
    }

    /// Whether an admission of class `async` that was just charged may be answered at once. If so, it counts as unacknowledged.
    pub fn answers_ahead(&mut self, shard: ShardId, cost: Cost, now: Nanos) -> bool {
        let mut ahead = std::mem::take(&mut self.shards[shard.index()].ahead);
        let journaled = self.journaled;
        ahead.settle(|commit| commit <= journaled && self.is_released(shard, commit));
        let takes = ahead.takes(cost.units(), self.async_bound, now);
        if takes {
            ahead.note(cost.units(), self.open(), now);
        }
        self.shards[shard.index()].ahead = ahead;
        takes
    }

    /// Cost of class `async` that a shard has answered and that is not acknowledged.
    #[must_use]
    pub fn unacked_cost(&self, shard: ShardId) -> u64 {
        self.shards[shard.index()].ahead.unsettled(|commit| commit <= self.journaled && self.is_released(shard, commit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_bound_is_answered_ahead_and_nothing_for_longer_than_half_a_second() {
        let mut ahead = Ahead::default();
        ahead.note(3, CommitNo(1), Nanos::ZERO);
        ahead.note(2, CommitNo(1), Nanos::from_millis(400));
        assert!(ahead.takes(5, 10, Nanos::from_millis(500)) && !ahead.takes(6, 10, Nanos::from_millis(500)));
        assert!(!ahead.takes(1, 10, Nanos::from_millis(501)), "the first of it is too old");
        ahead.settle(|commit| commit < CommitNo(1));
        assert_eq!(ahead.cost, 5);
        ahead.settle(|commit| commit <= CommitNo(1));
        assert_eq!((ahead.cost, ahead.takes(10, 10, Nanos::from_secs(9))), (0, true));
    }
}
