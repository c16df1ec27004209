//! The fixed window: time is cut into windows at the multiples of the window's length, and each admits at most the limit.
//!
//! Invariant: the sum of what is charged in one window [i W, (i + 1) W) is at most the limit. Two windows side by side may together
//! admit twice the limit within less than one length; who minds uses the sliding window.
//!
//! A check that names a time before the stored window is counted in the stored window: nothing opens because time went back.

use drl_core::{Cost, Nanos, ShardTime};

use crate::Retry;
use crate::cell::{Level, Standing, wait_until};
use crate::shape::LimitShape;

/// Use of one window. Fresh: nothing used, from time zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FixedWindow {
    /// The moment from which this cell has counted; its window is the one that contains it. A decision made before it is not in
    /// `used`, so it cannot be refunded here.
    from: ShardTime,
    /// Units charged in that window, 0 to 2^53; above the limit if the limit was lowered.
    used: u64,
}

impl FixedWindow {
    pub(crate) const fn new(from: ShardTime, used: u64) -> Self {
        Self { from, used }
    }

    pub(crate) const fn from(&self) -> ShardTime {
        self.from
    }

    pub(crate) const fn used(&self) -> u64 {
        self.used
    }

    pub(crate) fn retry(&self, shape: &LimitShape, capacity: u64, now: ShardTime, cost: Cost) -> Retry {
        let used = self.used_at(shape, now);
        if cost.units() > capacity {
            Retry::Never
        } else if cost.units() <= capacity.saturating_sub(used) {
            Retry::Now
        } else {
            Retry::After(self.until_end(shape, now))
        }
    }

    pub(crate) fn standing(&self, shape: &LimitShape, capacity: u64, now: ShardTime) -> Standing {
        let used = self.used_at(shape, now);
        let reset_after = if used == 0 { Nanos::ZERO } else { self.until_end(shape, now) };
        Standing { remaining: capacity.saturating_sub(used), reset_after }
    }

    /// The caller has seen that `cost` fits.
    pub(crate) fn charge(&mut self, shape: &LimitShape, now: ShardTime, cost: Cost) {
        self.used = self.used_at(shape, now);
        if self.used == 0 {
            self.from = self.from.max(now);
        }
        self.used = self.used.saturating_add(cost.units());
    }

    /// Gives back what a decision of this window took; a later window has nothing of it.
    pub(crate) fn refund(&mut self, shape: &LimitShape, decided_at: ShardTime, cost: Cost) {
        let same_window = decided_at.0 / shape.window_nanos() == self.from.0 / shape.window_nanos();
        if decided_at >= self.from && same_window {
            self.used = self.used.saturating_sub(cost.units());
        }
    }

    pub(crate) fn expires_at(&self, shape: &LimitShape) -> ShardTime {
        if self.used == 0 { ShardTime::ZERO } else { self.start(shape).plus(shape.window().nanos()) }
    }

    pub(crate) fn level(&self, shape: &LimitShape, now: ShardTime) -> Level {
        Level::whole(self.used_at(shape, now))
    }

    fn start(&self, shape: &LimitShape) -> ShardTime {
        ShardTime(self.from.0 - self.from.0 % shape.window_nanos())
    }

    fn used_at(&self, shape: &LimitShape, now: ShardTime) -> u64 {
        if now.since(self.start(shape)) < shape.window().nanos() { self.used } else { 0 }
    }

    /// Only asked while something is used, so the stored window is the running one.
    fn until_end(&self, shape: &LimitShape, now: ShardTime) -> Nanos {
        wait_until(self.start(shape), shape.window().nanos(), now)
    }
}
