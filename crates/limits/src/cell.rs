//! The state of one limit, whichever algorithm counts it. Every cell answers the same six questions; nothing here decides over
//! several limits.

use std::num::NonZeroU64;

use drl_core::caps::COST_MAX;
use drl_core::{Cost, Nanos, ShardTime};

use crate::fixed_window::FixedWindow;
use crate::shape::LimitShape;
use crate::sliding_window::{Entry, SlidingWindow};
use crate::token_bucket::TokenBucket;
use crate::{Algorithm, Retry, wide};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Fixed(FixedWindow),
    Sliding(SlidingWindow),
    Bucket(TokenBucket),
}

/// How a limit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Units that are free now.
    pub(crate) remaining: u64,
    /// How long until all are.
    pub(crate) reset_after: Nanos,
}

/// What is used at a moment: `whole` units and `part / parts` of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) whole: u64,
    /// Less than `parts`.
    pub(crate) part: u64,
    pub(crate) parts: NonZeroU64,
}

impl Level {
    pub(crate) const fn whole(units: u64) -> Self {
        Self { whole: units, part: 0, parts: NonZeroU64::MIN }
    }

    /// In whole units, rounded up: what is partly used counts as used.
    pub(crate) fn rounded_up(&self) -> u64 {
        self.whole.saturating_add(u64::from(self.part > 0))
    }
}

impl Cell {
    pub(crate) fn fresh(shape: &LimitShape) -> Self {
        match shape.algorithm() {
            Algorithm::FixedWindow => Self::Fixed(FixedWindow::default()),
            Algorithm::SlidingWindow => Self::Sliding(SlidingWindow::default()),
            Algorithm::TokenBucket => Self::Bucket(TokenBucket::default()),
        }
    }

    /// As if `units` had been charged at `at`, and nothing before that is known.
    pub(crate) fn spent(shape: &LimitShape, at: ShardTime, units: u64) -> Self {
        match shape.algorithm() {
            Algorithm::FixedWindow => Self::Fixed(FixedWindow::new(at, units)),
            Algorithm::SlidingWindow if units == 0 => Self::Sliding(SlidingWindow::default()),
            Algorithm::SlidingWindow => Self::Sliding(SlidingWindow::new(at, vec![Entry { latest: at, cost: units }])),
            Algorithm::TokenBucket => Self::Bucket(TokenBucket::new(at, units, Nanos::ZERO)),
        }
    }

    /// Reads what lies outside of the cell.
    pub(crate) fn fetch(&self) {
        match self {
            Self::Sliding(cell) => cell.fetch(),
            Self::Fixed(_) | Self::Bucket(_) => {}
        }
    }

    /// When the same cost passes, if nothing else is charged until then. A cost of zero is not asked here.
    pub(crate) fn retry(&self, shape: &LimitShape, capacity: u64, now: ShardTime, cost: Cost) -> Retry {
        match self {
            Self::Fixed(cell) => cell.retry(shape, capacity, now, cost),
            Self::Sliding(cell) => cell.retry(shape, capacity, now, cost),
            Self::Bucket(cell) => cell.retry(shape, capacity, now, cost),
        }
    }

    pub(crate) fn standing(&self, shape: &LimitShape, capacity: u64, now: ShardTime) -> Standing {
        match self {
            Self::Fixed(cell) => cell.standing(shape, capacity, now),
            Self::Sliding(cell) => cell.standing(shape, capacity, now),
            Self::Bucket(cell) => cell.standing(shape, capacity, now),
        }
    }

    /// Takes `cost`; the caller has seen that it fits.
    pub(crate) fn charge(&mut self, shape: &LimitShape, now: ShardTime, cost: Cost) {
        match self {
            Self::Fixed(cell) => cell.charge(shape, now, cost),
            Self::Sliding(cell) => cell.charge(shape, now, cost),
            Self::Bucket(cell) => cell.charge(shape, now, cost),
        }
    }

    /// Takes `cost` although nobody asked whether it fits: a limit that is only remembered stops counting at 2^53.
    pub(crate) fn charge_along(&mut self, shape: &LimitShape, now: ShardTime, cost: Cost) {
        let room = COST_MAX.saturating_sub(self.level(shape, now).rounded_up());
        if let Ok(cost) = Cost::new(cost.units().min(room))
            && !cost.is_peek()
        {
            self.charge(shape, now, cost);
        }
    }

    /// Gives back what a decision took, as far as it is still counted.
    pub(crate) fn refund(&mut self, shape: &LimitShape, decided_at: ShardTime, now: ShardTime, cost: Cost) {
        match self {
            Self::Fixed(cell) => cell.refund(shape, decided_at, cost),
            Self::Sliding(cell) => cell.refund(shape, decided_at, cost),
            Self::Bucket(cell) => cell.refund(shape, decided_at, now, cost),
        }
    }

    /// From then on it stands as a fresh cell does; zero when nothing is used.
    pub(crate) fn expires_at(&self, shape: &LimitShape) -> ShardTime {
        match self {
            Self::Fixed(cell) => cell.expires_at(shape),
            Self::Sliding(cell) => cell.expires_at(shape),
            Self::Bucket(cell) => cell.expires_at(shape),
        }
    }

    /// What is used at `now`.
    pub(crate) fn level(&self, shape: &LimitShape, now: ShardTime) -> Level {
        match self {
            Self::Fixed(cell) => cell.level(shape, now),
            Self::Sliding(cell) => cell.level(shape, now),
            Self::Bucket(cell) => cell.level(shape, now),
        }
    }

    /// The latest moment that this cell knows of.
    pub(crate) fn latest(&self) -> ShardTime {
        match self {
            Self::Fixed(cell) => cell.from(),
            Self::Sliding(cell) => cell.latest(),
            Self::Bucket(cell) => cell.since(),
        }
    }
}

/// From `now` until `span` after `start`; zero if that is over, and all of time if it is further away than that.
pub(crate) fn wait_until(start: ShardTime, span: Nanos, now: ShardTime) -> Nanos {
    let end = u128::from(start.0) + u128::from(span.0);
    Nanos(wide::narrow(end.saturating_sub(u128::from(now.0))))
}
