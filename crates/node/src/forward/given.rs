//! A policy that came with a command and travels with it: the token bucket of `CL.THROTTLE`. Every node makes the same policy from the
//! same numbers, so the shape of a counter does not depend on who was asked.

use std::collections::HashMap;
use std::sync::Arc;

use drl_core::Nanos;
use drl_core::caps::RESP_THROTTLES_MAX;
use drl_limits::{Algorithm, Carry, Durability, Limit, Policy, PolicySpec, Window};
use drl_proto::v1;

use crate::forward::errand::Nonsense;

/// The numbers of such a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Given {
    pub(crate) requests: u64,
    pub(crate) window: Nanos,
    pub(crate) burst: u64,
    pub(crate) durability: Durability,
}

impl Given {
    /// # Errors
    /// [`Nonsense`] when there can be no such policy; its text says which number is wrong.
    pub(crate) fn policy(self) -> Result<Policy, Nonsense> {
        let because = |problem: String| Nonsense { problem };
        let window = Window::new(self.window).map_err(|error| because(error.to_string()))?;
        let limit = Limit::new(self.requests, window).map_err(|error| because(error.to_string()))?;
        let spec = PolicySpec {
            limits: vec![limit],
            algorithm: Algorithm::TokenBucket,
            burst: Some(self.burst),
            durability: self.durability,
            carry: Carry::Time,
            ..PolicySpec::default()
        };
        Policy::new(spec).map_err(|error| because(error.to_string()))
    }

    fn read(message: &v1::GivenPolicy) -> Self {
        let durability = match message.durability() {
            v1::GivenDurability::Replicated => Durability::Replicated,
            v1::GivenDurability::Async => Durability::Async,
        };
        let (requests, window, burst) = (message.requests, Nanos(message.window_nanos), message.burst);
        Self { requests, window, burst, durability }
    }
}

/// A policy as a message; `None` for one that did not come with a command.
pub(crate) fn describe(policy: &Policy) -> Option<v1::GivenPolicy> {
    let ([limit], Some(burst)) = (policy.limits(), policy.burst()) else { return None };
    let durability = match policy.durability() {
        Durability::Replicated => v1::GivenDurability::Replicated,
        Durability::Async => v1::GivenDurability::Async,
    };
    Some(v1::GivenPolicy {
        requests: limit.requests(),
        window_nanos: limit.window().nanos().0,
        burst,
        durability: durability.into(),
    })
}

/// Policies that were made from messages before: a peer sends a handful of them again and again.
#[derive(Debug, Default)]
pub(crate) struct GivenPolicies {
    made: HashMap<Given, Arc<Policy>>,
}

impl GivenPolicies {
    /// # Errors
    /// [`Nonsense`] when there can be no such policy.
    pub(crate) fn policy(&mut self, message: &v1::GivenPolicy) -> Result<Arc<Policy>, Nonsense> {
        let given = Given::read(message);
        if let Some(policy) = self.made.get(&given) {
            return Ok(Arc::clone(policy));
        }
        if self.made.len() >= RESP_THROTTLES_MAX {
            self.made.clear();
        }
        let policy = Arc::new(given.policy()?);
        self.made.insert(given, Arc::clone(&policy));
        Ok(policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: Given = Given { requests: 30, window: Nanos::from_secs(60), burst: 16, durability: Durability::Async };

    #[test]
    fn a_policy_that_travelled_is_the_same_policy() {
        let policy = GIVEN.policy().unwrap();
        let message = describe(&policy).unwrap();
        let mut policies = GivenPolicies::default();
        let read = policies.policy(&message).unwrap();
        assert_eq!(*read, policy);
        assert!(Arc::ptr_eq(&read, &policies.policy(&message).unwrap()), "made once");
    }

    #[test]
    fn impossible_numbers_are_refused_and_memory_is_bounded() {
        let mut policies = GivenPolicies::default();
        let message = describe(&GIVEN.policy().unwrap()).unwrap();
        for wrong in [
            v1::GivenPolicy { requests: 0, ..message },
            v1::GivenPolicy { window_nanos: 0, ..message },
            v1::GivenPolicy { burst: 0, ..message },
            v1::GivenPolicy { burst: u64::MAX, ..message },
        ] {
            assert!(policies.policy(&wrong).is_err(), "{wrong:?}");
        }
        for requests in 1..=2 * RESP_THROTTLES_MAX as u64 {
            policies.policy(&v1::GivenPolicy { requests, ..message }).unwrap();
        }
        assert!(policies.made.len() <= RESP_THROTTLES_MAX);
    }
}
