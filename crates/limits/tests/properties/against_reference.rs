//! Counters decide exactly as the slow reference does, and never admit more than the limit in any interval that the algorithm
//! speaks of.

use drl_limits::Counter;
use drl_limits::reference::{Admission, Reference, Trace};
use proptest::prelude::*;

use crate::scenario::scenarios;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_decision_equals_the_reference_in_every_field(scenario in scenarios(60)) {
        let mut counter = Counter::fresh(&scenario.policy);
        let mut reference = Reference::new(&scenario.policy);
        for (now, cost) in scenario.checks {
            prop_assert_eq!(counter.check(&scenario.policy, now, cost), reference.check(now, cost));
        }
    }

    #[test]
    fn no_interval_admits_more_than_the_limit(scenario in scenarios(300)) {
        let mut counter = Counter::fresh(&scenario.policy);
        let mut admitted = Vec::new();
        for (at, cost) in scenario.checks {
            if counter.check(&scenario.policy, at, cost).allowed {
                admitted.push(Admission { at, cost: cost.units() });
            }
        }
        prop_assert_eq!(Trace::new(admitted).check(&scenario.policy), Ok(()));
    }

    #[test]
    fn a_denial_and_a_peek_change_nothing(scenario in scenarios(60)) {
        let policy = &scenario.policy;
        let mut counter = Counter::fresh(policy);
        for (now, cost) in scenario.checks {
            let before = counter.clone();
            let peeked = counter.peek(policy, now, cost);
            let looked = counter.check(policy, now, drl_core::Cost::PEEK);
            prop_assert_eq!(looked, counter.peek(policy, now, drl_core::Cost::ONE));
            prop_assert_eq!(&counter, &before);
            let decision = counter.check(policy, now, cost);
            prop_assert_eq!((decision.allowed, decision.retry), (peeked.allowed, peeked.retry));
            if !decision.allowed {
                prop_assert_eq!(decision, peeked);
                prop_assert_eq!(&counter, &before);
            }
        }
    }
}
