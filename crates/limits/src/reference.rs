//! The algorithms once more, slow and obvious, for tests of this and other crates: a list of every charge that was ever made, sums
//! over it, and searches instead of formulas. It shares no code with the counters and knows nothing of refunds or conversions.
//!
//! [`Reference`] answers what a counter must answer. [`Trace`] holds what was admitted, by whatever program, and finds an interval
//! in which that was too much.

mod trace;

use drl_core::{Cost, Nanos, ShardTime};

use crate::{Algorithm, Decision, Limit, OnUnavailable, Policy, Reason, Retry, SUB_WINDOWS};

pub use trace::{Admission, Trace, Violation};

/// Every charge of one limit key, in the order of time.
#[derive(Debug, Clone)]
pub struct Reference {
    rules: Vec<Rule>,
    charges: Vec<Admission>,
}

/// One limit, and what it allows at once.
#[derive(Debug, Clone, Copy)]
struct Rule {
    algorithm: Algorithm,
    window: u64,
    requests: u64,
    capacity: u64,
}

/// How one limit answers.
#[derive(Debug, Clone, Copy)]
struct Answer {
    retry: Retry,
    limit: u64,
    window: Nanos,
    remaining: u64,
    reset_after: Nanos,
}

impl Reference {
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let rule = |(limit, capacity): (&Limit, &u64)| Rule {
            algorithm: policy.algorithm(),
            window: limit.window().nanos().0,
            requests: limit.requests(),
            capacity: *capacity,
        };
        Self { rules: policy.limits().iter().zip(policy.capacities()).map(rule).collect(), charges: Vec::new() }
    }

    /// Charges `cost` if every limit lets it pass. The times of the calls never go back; `cost` is not zero.
    pub fn allows(&mut self, now: ShardTime, cost: Cost) -> bool {
        let passes = self.rules.iter().all(|rule| rule.fits(&self.charges, now.0, cost.units()));
        if passes {
            self.charges.push(Admission { at: now, cost: cost.units() });
        }
        passes
    }

    /// The whole decision, charged if it passes.
    pub fn check(&mut self, now: ShardTime, cost: Cost) -> Decision {
        let before = self.answers(now, cost);
        if self.allows(now, cost) {
            let tightest =
                self.answers(now, cost).into_iter().min_by_key(|a| (a.remaining, u64::MAX - a.reset_after.0));
            return decision(now, Retry::Now, tightest);
        }
        let longest = before.iter().map(|a| a.retry).max().unwrap_or(Retry::Now);
        let holding = before.into_iter().filter(|a| a.retry == longest);
        decision(now, longest, holding.min_by_key(|a| (a.remaining, u64::MAX - a.reset_after.0)))
    }

    /// What was charged so far.
    #[must_use]
    pub fn charges(&self) -> &[Admission] {
        &self.charges
    }

    fn answers(&self, now: ShardTime, cost: Cost) -> Vec<Answer> {
        self.rules.iter().map(|rule| rule.answer(&self.charges, now.0, cost.units())).collect()
    }
}

impl Rule {
    fn answer(&self, charges: &[Admission], now: u64, cost: u64) -> Answer {
        let fits_after = |wait: u64| self.fits(charges, now.saturating_add(wait), cost);
        let retry = if cost > self.capacity {
            Retry::Never
        } else if fits_after(0) {
            Retry::Now
        } else {
            Retry::After(Nanos(first(fits_after)))
        };
        let is_idle_after = |wait: u64| self.fits(charges, now.saturating_add(wait), self.capacity);
        Answer {
            retry,
            limit: self.capacity,
            window: Nanos(self.window),
            remaining: first(|taken| !self.fits(charges, now, taken.saturating_add(1))),
            reset_after: Nanos(first(is_idle_after)),
        }
    }

    /// Whether `cost` may be charged at `now`, after all `charges`.
    fn fits(&self, charges: &[Admission], now: u64, cost: u64) -> bool {
        let cost = u128::from(cost);
        let capacity = u128::from(self.capacity);
        match self.algorithm {
            Algorithm::FixedWindow => {
                let in_window = |charge: &&Admission| charge.at.0 / self.window == now / self.window;
                sum(charges.iter().filter(in_window)) + cost <= capacity
            }
            Algorithm::SlidingWindow => {
                let counts = |charge: &&Admission| now - self.released_with(charges, charge) < self.window;
                sum(charges.iter().filter(counts)) + cost <= capacity
            }
            Algorithm::TokenBucket => self.backlog(charges, now) + cost * self.token() <= capacity * self.token(),
        }
    }

    /// The latest charge of the same sub-window: the two are released together.
    fn released_with(&self, charges: &[Admission], charge: &Admission) -> u64 {
        let sub_window = self.window.div_ceil(SUB_WINDOWS.get());
        let same = charges.iter().rev().find(|other| other.at.0 / sub_window == charge.at.0 / sub_window);
        same.unwrap_or(charge).at.0
    }

    /// What the bucket misses at `now`, a token being `window` and a nanosecond earning `requests`.
    fn backlog(&self, charges: &[Admission], now: u64) -> u128 {
        let earned = |from: u64, to: u64| u128::from(to - from) * u128::from(self.requests);
        let (mut missing, mut at) = (0u128, 0);
        for charge in charges {
            missing = missing.saturating_sub(earned(at, charge.at.0)) + u128::from(charge.cost) * self.token();
            at = charge.at.0;
        }
        missing.saturating_sub(earned(at, now))
    }

    fn token(&self) -> u128 {
        u128::from(self.window)
    }
}

/// The smallest number for which a claim holds that goes on to hold; the largest number there is if it never does.
fn first(holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, u64::MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

fn sum<'a>(charges: impl Iterator<Item = &'a Admission>) -> u128 {
    charges.map(|charge| u128::from(charge.cost)).sum()
}

fn decision(now: ShardTime, retry: Retry, shown: Option<Answer>) -> Decision {
    let none = Answer { retry, limit: 0, window: Nanos::ZERO, remaining: 0, reset_after: Nanos::ZERO };
    let shown = shown.unwrap_or(none);
    Decision {
        allowed: retry == Retry::Now,
        limit: shown.limit,
        window: shown.window,
        remaining: shown.remaining,
        retry,
        reset_after: shown.reset_after,
        policy_revision: 0,
        on_unavailable: OnUnavailable::Deny,
        decided_at: now,
        reason: match retry {
            Retry::Now => Reason::WithinLimit,
            Retry::After(_) => Reason::OverLimit,
            Retry::Never => Reason::CostAboveLimit,
        },
    }
}
