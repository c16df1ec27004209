//! What was admitted for one limit key, and the intervals in which that is too much. It knows the definitions of the limits and no
//! algorithm, so it judges any program that claims to keep them.

use drl_core::ShardTime;

use crate::{Algorithm, Limit, Policy};

/// So much was admitted then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    pub at: ShardTime,
    pub cost: u64,
}

/// An interval in which more was admitted than its limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{admitted} admitted from {} to {} where {limit} allows {allowed}", from.0, to.0)]
pub struct Violation {
    pub limit: Limit,
    /// The first and the last admission that are counted.
    pub from: ShardTime,
    pub to: ShardTime,
    pub admitted: u128,
    pub allowed: u128,
}

/// Admissions in the order of time.
#[derive(Debug, Clone, Default)]
pub struct Trace(Vec<Admission>);

impl Trace {
    #[must_use]
    pub fn new(mut admissions: Vec<Admission>) -> Self {
        admissions.sort_by_key(|admission| admission.at);
        Self(admissions)
    }

    /// # Errors
    /// The first [`Violation`] of any limit of `policy`.
    pub fn check(&self, policy: &Policy) -> Result<(), Violation> {
        policy.limits().iter().zip(policy.capacities()).try_for_each(|(limit, capacity)| match policy.algorithm() {
            Algorithm::FixedWindow => self.check_fixed(limit),
            Algorithm::SlidingWindow => self.check_every_interval(limit),
            Algorithm::TokenBucket => self.check_bucket(limit, *capacity),
        })
    }

    /// The sum of each window [i W, (i + 1) W) is at most the limit.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub fn check_fixed(&self, limit: &Limit) -> Result<(), Violation> {
        let index = |admission: &Admission| admission.at.0 / limit.window().nanos().0;
        self.check_runs(limit, |first, last| index(first) == index(last))
    }

    /// The sum of every interval [x, x + W) is at most the limit. It is enough to look at those that begin with an admission.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub fn check_every_interval(&self, limit: &Limit) -> Result<(), Violation> {
        self.check_runs(limit, |first, last| last.at.since(first.at) < limit.window().nanos())
    }

    /// The sum of every interval (T1, T2] is at most burst + requests (T2 - T1) / window. It is enough to look at those that begin
    /// just before an admission and end at one, and to multiply by the window: the excess is then a difference of two running
    /// values, one per beginning and one per end, so only the smallest value of a beginning is kept.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub fn check_bucket(&self, limit: &Limit, burst: u64) -> Result<(), Violation> {
        let (window, requests) = (i128::from(limit.window().nanos().0), i128::from(limit.requests()));
        let Some(start) = self.0.first().map(|admission| admission.at) else { return Ok(()) };
        let mut sum: i128 = 0;
        let mut begun: Option<(i128, i128, ShardTime)> = None;
        for admission in &self.0 {
            let earned = i128::from(admission.at.since(start).0) * requests;
            let beginning = (sum * window - earned, sum, admission.at);
            let best = begun.filter(|best| best.0 <= beginning.0).unwrap_or(beginning);
            begun = Some(best);
            sum += i128::from(admission.cost);
            if sum * window - earned - best.0 > i128::from(burst) * window {
                let allowed = i128::from(burst) + i128::from(admission.at.since(best.2).0) * requests / window;
                let (admitted, allowed) = ((sum - best.1).unsigned_abs(), allowed.unsigned_abs());
                return Err(Violation { limit: *limit, from: best.2, to: admission.at, admitted, allowed });
            }
        }
        Ok(())
    }

    /// Sums over the longest runs whose first and last admission belong together.
    fn check_runs(&self, limit: &Limit, together: impl Fn(&Admission, &Admission) -> bool) -> Result<(), Violation> {
        let mut first = 0;
        let mut admitted: u128 = 0;
        for last in &self.0 {
            admitted += u128::from(last.cost);
            while !together(&self.0[first], last) {
                admitted -= u128::from(self.0[first].cost);
                first += 1;
            }
            let allowed = u128::from(limit.requests());
            if admitted > allowed {
                return Err(Violation { limit: *limit, from: self.0[first].at, to: last.at, admitted, allowed });
            }
        }
        Ok(())
    }
}
