//! The state of one limit key: a cell per limit, and the shape that says how to read them.
//!
//! Invariant: the cells match the shape, one per limit and of its algorithm. A denial and a peek charge nothing; what passes is
//! charged on every limit, or on none. The counter knows neither its client nor the revision of its policy, and reads no clock.

mod convert;
mod encoding;
mod loss;
mod verdict;

use std::sync::Arc;

use drl_core::{Cost, ShardTime};

use crate::cell::Cell;
use crate::{Algorithm, Carry, Decision, Limit, Policy, Retry, Shape};

pub use encoding::CorruptCounter;
pub use loss::Loss;

/// State of one limit key, 40 bytes and no allocation with one limit, except the list of a sliding window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    shape: Arc<Shape>,
    cells: Cells,
}

/// Nearly every policy has one limit, and there are millions of counters.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cells {
    One(Cell),
    Many(Box<[Cell]>),
}

impl Counter {
    /// Nothing used.
    #[must_use]
    pub fn fresh(policy: &Policy) -> Self {
        let cells = policy.shape().limits().iter().map(Cell::fresh).collect();
        Self { shape: Arc::clone(policy.shape()), cells }
    }

    /// Nothing used, whatever the policy will be: the next check gives it that policy's shape. Until then it has the longest window,
    /// so whoever keeps it for a window keeps it long enough.
    #[must_use]
    pub fn unused() -> Self {
        let shape = Shape::new(Algorithm::SlidingWindow, [(Limit::SLOWEST, Limit::SLOWEST.requests())]);
        let cells = shape.limits().iter().map(Cell::fresh).collect();
        Self { shape: Arc::new(shape), cells }
    }

    /// As if every limit had been used up at `at`: for state that was lost.
    #[must_use]
    pub fn exhausted(policy: &Policy, at: ShardTime) -> Self {
        let cells = policy.rules().map(|(shape, capacity)| Cell::spent(shape, at, capacity)).collect();
        Self { shape: Arc::clone(policy.shape()), cells }
    }

    /// Decides, and charges `cost` if it passes every limit. Cost zero is a peek of one unit. A counter of another shape is
    /// converted first, and stays converted even if the check is denied: the change of policy is the moment from which old use
    /// counts under the new limits. (A bucket that carries its time over is as good converted later, so its denial changes nothing.)
    pub fn check(&mut self, policy: &Policy, now: ShardTime, cost: Cost) -> Decision {
        self.check_over(None, policy, now, cost)
    }

    /// [`Counter::check`], where a change of policy makes no room that may have been used up in what was lost.
    pub fn check_over(&mut self, loss: Option<Loss>, policy: &Policy, now: ShardTime, cost: Cost) -> Decision {
        if cost.is_peek() {
            return self.peek_over(loss, policy, now, cost);
        }
        if !self.is_of(policy) {
            let converted = self.converted(loss, policy, now);
            let retry = verdict::retry(policy, converted.cells.as_slice(), now, cost);
            if retry != Retry::Now && policy.carry() == Carry::Time {
                return verdict::denied(policy, converted.cells.as_slice(), now, cost, retry);
            }
            *self = converted;
        } else if !Arc::ptr_eq(&self.shape, policy.shape()) && self.shape == *policy.shape() {
            // Counters of a policy share its shape.
            self.shape = Arc::clone(policy.shape());
        }
        let cells = self.cells.as_mut_slice();
        match verdict::retry(policy, cells, now, cost) {
            Retry::Now => {
                self.charge(policy, now, cost);
                verdict::allowed(policy, self.cells.as_slice(), now)
            }
            retry => verdict::denied(policy, cells, now, cost, retry),
        }
    }

    /// Whether `cost` (zero counts as one) would pass now. Changes nothing; `remaining` and `reset_after` are as they stand.
    #[must_use]
    pub fn peek(&self, policy: &Policy, now: ShardTime, cost: Cost) -> Decision {
        self.peek_over(None, policy, now, cost)
    }

    /// [`Counter::peek`] of what [`Counter::check_over`] decides.
    #[must_use]
    pub fn peek_over(&self, loss: Option<Loss>, policy: &Policy, now: ShardTime, cost: Cost) -> Decision {
        let cost = cost.max(Cost::ONE);
        if self.is_of(policy) {
            return verdict::peek(policy, self.cells.as_slice(), now, cost);
        }
        verdict::peek(policy, self.converted(loss, policy, now).cells.as_slice(), now, cost)
    }

    /// Gives back `cost` of a decision that was made at `decided_at`, as far as it still counts: it never makes room in a window
    /// that the decision was not part of. A counter of another shape keeps its shape. Each decision is refunded at most once; that
    /// is the caller's to see to.
    pub fn refund(&mut self, decided_at: ShardTime, now: ShardTime, cost: Cost) {
        for (cell, shape) in self.cells.as_mut_slice().iter_mut().zip(self.shape.limits()) {
            cell.refund(shape, decided_at, now, cost);
        }
    }

    /// From this moment on the counter decides like a fresh one and may be dropped. Zero when nothing is used; the end of time
    /// when it is never.
    #[must_use]
    pub fn expires_at(&self) -> ShardTime {
        let cells = self.cells.as_slice().iter().zip(self.shape.limits());
        cells.map(|(cell, shape)| cell.expires_at(shape)).max().unwrap_or(ShardTime::ZERO)
    }

    /// Reads what lies outside of the counter itself and does nothing with it, so that a check soon after need not wait for it.
    pub fn fetch(&self) {
        for cell in self.cells.as_slice() {
            cell.fetch();
        }
    }

    #[must_use]
    pub const fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// Whether it counts for this policy as it is. Counters of a policy share its shape, so nearly always the pointers tell.
    #[must_use]
    pub fn is_of(&self, policy: &Policy) -> bool {
        Arc::ptr_eq(&self.shape, policy.shape()) || self.shape.deciding() == policy.shape().limits()
    }

    fn converted(&self, loss: Option<Loss>, policy: &Policy, now: ShardTime) -> Self {
        let (cells, remembered) = convert::cells(&self.shape, self.cells.as_slice(), loss, policy, now);
        let shape = match remembered.limits.as_slice() {
            [] => Arc::clone(policy.shape()),
            limits => Arc::new(Shape::remembering(policy.shape(), limits, remembered.until)),
        };
        Self { shape, cells }
    }

    /// The caller has seen that `cost` fits the policy. What is remembered counts along until use from before the change of policy
    /// has expired.
    fn charge(&mut self, policy: &Policy, now: ShardTime, cost: Cost) {
        let deciding = policy.shape().limits().len();
        if self.shape.remembered_until().is_some_and(|until| until <= now) {
            self.cells = self.cells.as_slice()[..deciding].iter().cloned().collect();
            self.shape = Arc::clone(policy.shape());
        }
        let (deciding, remembered) = self.cells.as_mut_slice().split_at_mut(deciding);
        for (cell, shape) in deciding.iter_mut().zip(policy.shape().limits()) {
            cell.charge(shape, now, cost);
        }
        for (cell, shape) in remembered.iter_mut().zip(&self.shape.limits()[deciding.len()..]) {
            cell.charge_along(shape, now, cost);
        }
    }
}

impl Cells {
    const fn as_slice(&self) -> &[Cell] {
        match self {
            Self::One(cell) => std::slice::from_ref(cell),
            Self::Many(cells) => cells,
        }
    }

    const fn as_mut_slice(&mut self) -> &mut [Cell] {
        match self {
            Self::One(cell) => std::slice::from_mut(cell),
            Self::Many(cells) => cells,
        }
    }
}

impl FromIterator<Cell> for Cells {
    fn from_iter<I: IntoIterator<Item = Cell>>(cells: I) -> Self {
        let mut cells = cells.into_iter();
        match (cells.next(), cells.next()) {
            (Some(only), None) => Self::One(only),
            (first, second) => Self::Many(first.into_iter().chain(second).chain(cells).collect()),
        }
    }
}

#[cfg(test)]
mod tests;
