//! The token bucket, as GCRA: a bucket of `burst` tokens is refilled at `requests` per window, and a check takes its cost out.
//!
//! Invariant: for all T1 < T2 the sum charged in (T1, T2] is at most burst + rate (T2 - T1).
//!
//! GCRA keeps one number, the theoretical arrival time TAT at which the bucket is full again (ITU-T I.371; governor and redis-cell
//! keep it in whole nanoseconds, which rounds the rate). Here it is kept without a fraction and without rounding, as
//!
//! ```text
//!   TAT = since + spent W / R + late        since:  start of the busy period, the last time the bucket was full
//!                                           spent:  whole units charged in it
//! ```
//!
//! and everything is decided by the backlog (TAT - now) R = spent W + late R - (now - since) R in 128 bits: the bucket misses
//! backlog / W tokens, and is full when the backlog is zero. Division is needed only for what a decision shows.
//!
//! `late` is zero unless something was refunded. A refund gives back a decision's cost, less what the bucket was refilled between
//! the decision and the refund: those tokens may have been spent already (a bucket that would have been full in between takes
//! nothing in). Without that, a refund would let the sum above exceed its bound; `tests/properties/refund.rs` shows it.
//!
//! A check that names a time before `since` is decided as if at `since`.

use drl_core::{Cost, Nanos, ShardTime};

use crate::Retry;
use crate::cell::{Level, Standing, wait_until};
use crate::shape::LimitShape;
use crate::wide::{divide_ceil, divide_floor, product};

/// From here on `spent` and `since` are moved on by whole windows. A bucket of 2^53 that is 2^62 behind its `since` has been busy
/// for hundreds of full windows; the products stay below 2^118.
pub(crate) const SPENT_MAX: u64 = 1 << 62;

/// Use of one bucket. Fresh: full since time zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TokenBucket {
    since: ShardTime,
    /// 0 to [`SPENT_MAX`].
    spent: u64,
    late: Nanos,
}

impl TokenBucket {
    pub(crate) const fn new(since: ShardTime, spent: u64, late: Nanos) -> Self {
        Self { since, spent, late }
    }

    pub(crate) const fn since(&self) -> ShardTime {
        self.since
    }

    pub(crate) const fn spent(&self) -> u64 {
        self.spent
    }

    pub(crate) const fn late(&self) -> Nanos {
        self.late
    }

    pub(crate) fn retry(&self, shape: &LimitShape, capacity: u64, now: ShardTime, cost: Cost) -> Retry {
        if cost.units() > capacity {
            return Retry::Never;
        }
        let window = shape.window_nanos().get();
        let needed = self.backlog(shape, now) + product(cost.units(), window);
        match needed.checked_sub(product(capacity, window)) {
            None | Some(0) => Retry::Now,
            Some(missing) => Retry::After(self.until_earned(shape, now, missing)),
        }
    }

    pub(crate) fn standing(&self, shape: &LimitShape, capacity: u64, now: ShardTime) -> Standing {
        let backlog = self.backlog(shape, now);
        if backlog == 0 {
            return Standing { remaining: capacity, reset_after: Nanos::ZERO };
        }
        let room = product(capacity, shape.window_nanos().get()).saturating_sub(backlog);
        Standing {
            remaining: divide_floor(room, shape.window_nanos()),
            reset_after: self.until_earned(shape, now, backlog),
        }
    }

    /// The caller has seen that `cost` fits.
    pub(crate) fn charge(&mut self, shape: &LimitShape, now: ShardTime, cost: Cost) {
        if self.backlog(shape, now) == 0 {
            *self = Self::new(self.since.max(now), cost.units(), Nanos::ZERO);
            return;
        }
        self.spent = self.spent.saturating_add(cost.units());
        if self.spent > SPENT_MAX {
            self.move_on(shape, now);
        }
    }

    /// Gives back what a decision of this busy period took, less what was earned since.
    pub(crate) fn refund(&mut self, shape: &LimitShape, decided_at: ShardTime, now: ShardTime, cost: Cost) {
        let units = cost.units().min(self.spent);
        let earned_since = now.since(decided_at);
        let gained = product(units, shape.window_nanos().get()) > product(earned_since.0, shape.requests().get());
        if decided_at < self.since || !gained {
            return;
        }
        if let Some(late) = self.late.0.checked_add(earned_since.0) {
            self.spent -= units;
            self.late = Nanos(late);
        }
    }

    pub(crate) fn expires_at(&self, shape: &LimitShape) -> ShardTime {
        self.since.plus(Nanos(divide_ceil(self.owed(shape), shape.requests())))
    }

    /// What the bucket misses.
    pub(crate) fn level(&self, shape: &LimitShape, now: ShardTime) -> Level {
        let (backlog, window) = (self.backlog(shape, now), shape.window_nanos());
        let part = backlog % u128::from(window.get());
        Level { whole: divide_floor(backlog, window), part: u64::try_from(part).unwrap_or(0), parts: window }
    }

    fn owed(&self, shape: &LimitShape) -> u128 {
        product(self.spent, shape.window_nanos().get()) + product(self.late.0, shape.requests().get())
    }

    /// (TAT - now) R, or zero when the bucket is full.
    fn backlog(&self, shape: &LimitShape, now: ShardTime) -> u128 {
        self.owed(shape).saturating_sub(product(now.since(self.since).0, shape.requests().get()))
    }

    /// The exact wait, rounded up to the nanosecond, until so much of the backlog at `now` is earned.
    fn until_earned(&self, shape: &LimitShape, now: ShardTime, backlog: u128) -> Nanos {
        let earning = divide_ceil(backlog, shape.requests());
        wait_until(self.since.max(now), Nanos(earning), now)
    }

    /// The same TAT, told from a later `since`: `k` windows earn `k` times the requests, exactly.
    fn move_on(&mut self, shape: &LimitShape, now: ShardTime) {
        let (window, requests) = (shape.window_nanos(), shape.requests());
        let windows = (now.since(self.since).0 / window).min(self.spent / requests);
        // Neither product overflows: each is at most the number that was divided.
        self.since = self.since.plus(Nanos(windows.saturating_mul(window.get())));
        self.spent = self.spent.saturating_sub(windows.saturating_mul(requests.get()));
    }
}

#[cfg(test)]
mod tests;
