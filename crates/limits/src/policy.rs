//! What a client may do: limits, algorithm and classes. A policy that exists is valid and never changes; a change is another policy.

use std::sync::Arc;

use drl_core::caps::{BURST_NANOS_MAX, COST_MAX, LIMITS_PER_POLICY_MAX};

use crate::shape::LimitShape;
use crate::wide::{divide_ceil, product};
use crate::{Algorithm, Carry, Durability, Limit, Mode, OnStateLoss, OnUnavailable, Shape};

/// What a policy is made from. The default has no limits yet and the default of every class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicySpec {
    /// 1 to 8; a check must pass all of them.
    pub limits: Vec<Limit>,
    pub algorithm: Algorithm,
    /// Token bucket only: how much the bucket of the shortest window holds, 1 to 2^53. `None`: its requests. The buckets of longer
    /// windows hold their requests.
    pub burst: Option<u64>,
    pub durability: Durability,
    pub on_unavailable: OnUnavailable,
    pub on_state_loss: OnStateLoss,
    pub mode: Mode,
    /// Not written in a policy: the door that makes the policy knows.
    pub carry: Carry,
}

/// A valid policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    spec: PolicySpec,
    shape: Arc<Shape>,
    /// Per limit, what it allows at once: the requests, or the burst of a token bucket.
    capacities: Box<[u64]>,
}

/// A policy that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    #[error("a policy has {count} limits; give 1 to {LIMITS_PER_POLICY_MAX}")]
    NumberOfLimits { count: usize },
    #[error("burst is for token-bucket only; the algorithm is {algorithm}: leave burst out or change the algorithm")]
    BurstWithoutBucket { algorithm: Algorithm },
    #[error("a burst of {burst} is not possible; use 1 to {COST_MAX}")]
    BurstOutOfRange { burst: u64 },
    #[error(
        "a burst of {burst} at {limit} takes longer than 100 years to refill; use a smaller burst or a higher rate"
    )]
    BurstTooSlow { burst: u64, limit: Limit },
}

impl Policy {
    /// # Errors
    /// [`InvalidPolicy`]: no limits or too many of them; a burst without a bucket, out of range, or so large that it would take more
    /// than 100 years to refill.
    pub fn new(spec: PolicySpec) -> Result<Self, InvalidPolicy> {
        let count = spec.limits.len();
        if !(1..=LIMITS_PER_POLICY_MAX).contains(&count) {
            return Err(InvalidPolicy::NumberOfLimits { count });
        }
        let mut capacities: Box<[u64]> = spec.limits.iter().map(Limit::requests).collect();
        if let Some(burst) = spec.burst {
            let shortest = (0..count).min_by_key(|at| spec.limits[*at].window()).unwrap_or(0);
            check_burst(burst, &spec, &spec.limits[shortest])?;
            capacities[shortest] = burst;
        }
        let rules = spec.limits.iter().copied().zip(capacities.iter().copied());
        let shape = Arc::new(Shape::new(spec.algorithm, rules));
        Ok(Self { spec, shape, capacities })
    }

    /// 1 to 8 limits, in the order in which they were given.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        &self.spec.limits
    }

    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.spec.algorithm
    }

    /// As it was given: `None` means the requests of the limit.
    #[must_use]
    pub const fn burst(&self) -> Option<u64> {
        self.spec.burst
    }

    #[must_use]
    pub const fn durability(&self) -> Durability {
        self.spec.durability
    }

    #[must_use]
    pub const fn on_unavailable(&self) -> OnUnavailable {
        self.spec.on_unavailable
    }

    #[must_use]
    pub const fn on_state_loss(&self) -> OnStateLoss {
        self.spec.on_state_loss
    }

    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.spec.mode
    }

    #[must_use]
    pub const fn carry(&self) -> Carry {
        self.spec.carry
    }

    /// How counters of this policy are read.
    #[must_use]
    pub const fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// What this policy was made from.
    #[must_use]
    pub const fn spec(&self) -> &PolicySpec {
        &self.spec
    }

    /// Per limit, in order, what it allows at once.
    #[must_use]
    pub fn capacities(&self) -> &[u64] {
        &self.capacities
    }

    /// Every limit with what it allows at once.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (&LimitShape, u64)> {
        self.shape.limits().iter().zip(self.capacities.iter().copied())
    }
}

fn check_burst(burst: u64, spec: &PolicySpec, limit: &Limit) -> Result<(), InvalidPolicy> {
    if spec.algorithm != Algorithm::TokenBucket {
        return Err(InvalidPolicy::BurstWithoutBucket { algorithm: spec.algorithm });
    }
    if !(1..=COST_MAX).contains(&burst) {
        return Err(InvalidPolicy::BurstOutOfRange { burst });
    }
    let refill_nanos = divide_ceil(product(burst, limit.window().nanos().0), limit.nonzero_requests());
    if refill_nanos > BURST_NANOS_MAX {
        return Err(InvalidPolicy::BurstTooSlow { burst, limit: *limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(requests: u64, window: &str) -> Limit {
        Limit::new(requests, window.parse().unwrap()).unwrap()
    }

    fn bucket(limits: Vec<Limit>, burst: Option<u64>) -> Result<Policy, InvalidPolicy> {
        Policy::new(PolicySpec { limits, algorithm: Algorithm::TokenBucket, burst, ..PolicySpec::default() })
    }

    #[test]
    fn a_policy_has_one_to_eight_limits() {
        for count in [0, 9] {
            let spec = PolicySpec { limits: vec![limit(1, "1s"); count], ..PolicySpec::default() };
            assert_eq!(Policy::new(spec), Err(InvalidPolicy::NumberOfLimits { count }));
        }
        for count in [1, 8] {
            let spec = PolicySpec { limits: vec![limit(1, "1s"); count], ..PolicySpec::default() };
            assert_eq!(Policy::new(spec).unwrap().limits().len(), count);
        }
    }

    #[test]
    fn a_burst_needs_a_bucket_and_a_range() {
        let windowed = PolicySpec { limits: vec![limit(1, "1s")], burst: Some(2), ..PolicySpec::default() };
        let algorithm = Algorithm::SlidingWindow;
        assert_eq!(Policy::new(windowed), Err(InvalidPolicy::BurstWithoutBucket { algorithm }));
        for burst in [0, (1 << 53) + 1, u64::MAX] {
            assert_eq!(bucket(vec![limit(1, "1s")], Some(burst)), Err(InvalidPolicy::BurstOutOfRange { burst }));
        }
    }

    #[test]
    fn a_burst_that_refills_for_more_than_a_hundred_years_is_refused_at_the_exact_edge() {
        assert!(bucket(vec![limit(1, "366d")], Some(100)).is_ok());
        assert!(bucket(vec![limit(1, "366d")], Some(101)).is_err());
        assert!(bucket(vec![limit(1 << 53, "366d")], Some(1 << 53)).is_ok());
    }

    #[test]
    fn the_burst_is_the_bucket_of_the_shortest_window() {
        let policy = bucket(vec![limit(1_000, "1h"), limit(10, "1s")], Some(20)).unwrap();
        assert_eq!(policy.capacities(), [1_000, 20]);
        assert_eq!(bucket(vec![limit(10, "1s")], None).unwrap().capacities(), [10]);
    }
}
