//! What a decision says about the future is exact to the nanosecond: denied just before `retry`, allowed at it; used just before
//! `reset_after`, fresh at it.

use drl_core::{Cost, Nanos, ShardTime};
use drl_limits::{Counter, Retry};
use proptest::prelude::*;

use crate::scenario::{cost, scenarios};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn denied_one_nanosecond_before_retry_and_allowed_at_it(scenario in scenarios(60)) {
        let policy = &scenario.policy;
        let mut counter = Counter::fresh(policy);
        for (now, cost) in scenario.checks {
            if let Retry::After(Nanos(wait)) = counter.check(policy, now, cost).retry {
                prop_assert!(wait > 0);
                let just_before = counter.clone().check(policy, ShardTime(now.0 + wait - 1), cost);
                prop_assert_eq!((just_before.allowed, just_before.retry), (false, Retry::After(Nanos(1))));
                prop_assert!(counter.clone().check(policy, ShardTime(now.0 + wait), cost).allowed);
            }
        }
    }

    #[test]
    fn what_can_never_pass_does_not_pass_at_any_time(scenario in scenarios(20), wait in any::<u64>()) {
        let mut counter = Counter::fresh(&scenario.policy);
        let above = cost(scenario.policy.capacities().iter().min().unwrap() + 1);
        for (now, cost) in scenario.checks {
            counter.check(&scenario.policy, now, cost);
            let later = ShardTime(now.0.saturating_add(wait));
            prop_assert_eq!(counter.check(&scenario.policy, later, above).retry, Retry::Never);
        }
    }

    /// With one limit, so that the limit that is shown is the one that was used.
    #[test]
    fn used_one_nanosecond_before_reset_and_fresh_at_it(scenario in scenarios(60)) {
        let policy = &scenario.first_limit_only();
        let mut counter = Counter::fresh(policy);
        let all = cost(policy.capacities()[0]);
        for (now, cost) in scenario.checks {
            let decision = counter.check(policy, now, cost);
            let Nanos(reset) = decision.reset_after;
            prop_assert_eq!(decision.reset_after, counter.peek(policy, now, Cost::ONE).reset_after);
            if reset > 0 {
                prop_assert!(!counter.peek(policy, ShardTime(now.0 + reset - 1), all).allowed);
            }
            let then = ShardTime(now.0 + reset);
            prop_assert_eq!(counter.peek(policy, then, all), Counter::fresh(policy).peek(policy, then, all));
        }
    }

    #[test]
    fn an_expired_counter_decides_like_a_fresh_one_and_not_before(scenario in scenarios(40), later in 0u64..10_000_000) {
        let policy = &scenario.policy;
        let mut counter = Counter::fresh(policy);
        prop_assert_eq!(counter.expires_at(), ShardTime::ZERO);
        for (now, cost) in scenario.checks {
            counter.check(policy, now, cost);
            let expires_at = counter.expires_at();
            let then = ShardTime(expires_at.0.max(now.0) + later);
            let (mut old, mut fresh) = (counter.clone(), Counter::fresh(policy));
            for _ in 0..3 {
                prop_assert_eq!(old.check(policy, then, cost), fresh.check(policy, then, cost));
            }
            if expires_at > now {
                let resets = policy.limits().len() > 1 || counter.peek(policy, ShardTime(expires_at.0 - 1), cost).reset_after == Nanos(1);
                prop_assert!(resets);
            }
        }
    }
}
