//! Time that goes back opens nothing. A shard's time never does; the algorithms do not lean on that.

use drl_core::{Cost, ShardTime};
use drl_limits::reference::{Admission, Trace};
use drl_limits::{Algorithm, Counter, Retry};
use proptest::prelude::*;

use crate::scenario::{policy, scenarios};

fn backs(count: usize) -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::vec(prop_oneof![Just(0u64), 0u64..20_000_000, any::<u64>()], count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// A check that names an earlier time counts as made at the latest time that was charged before it.
    #[test]
    fn checks_that_name_earlier_times_keep_the_limit(scenario in scenarios(200), backs in backs(200)) {
        let policy = &scenario.policy;
        let mut counter = Counter::fresh(policy);
        let mut admitted = Vec::new();
        let mut latest = ShardTime::ZERO;
        for ((at, cost), back) in scenario.checks.into_iter().zip(backs) {
            let named = ShardTime(at.0.saturating_sub(back));
            if counter.check(policy, named, cost).allowed {
                latest = latest.max(named);
                admitted.push(Admission { at: latest, cost: cost.units() });
            }
        }
        prop_assert_eq!(Trace::new(admitted).check(policy), Ok(()));
    }

    #[test]
    fn a_history_with_looks_back_decides_as_one_without(scenario in scenarios(60), backs in proptest::collection::vec(any::<u64>(), 60)) {
        let policy = &scenario.policy;
        let (mut plain, mut disturbed) = (Counter::fresh(policy), Counter::fresh(policy));
        for ((now, cost), back) in scenario.checks.into_iter().zip(backs) {
            let past = ShardTime(now.0.saturating_sub(back % 20_000_000));
            if !disturbed.peek(policy, past, cost).allowed {
                disturbed.check(policy, past, cost);
            }
            prop_assert_eq!(plain.check(policy, now, cost), disturbed.check(policy, now, cost));
            prop_assert_eq!(&plain, &disturbed);
        }
    }

    #[test]
    fn what_is_denied_now_is_denied_at_every_earlier_time(scenario in scenarios(60), back in 0u64..20_000_000) {
        let policy = &scenario.policy;
        let mut counter = Counter::fresh(policy);
        for (now, cost) in scenario.checks {
            counter.check(policy, now, cost);
            let (then, here) = (counter.peek(policy, ShardTime(now.0 - back), cost), counter.peek(policy, now, cost));
            prop_assert!(here.allowed || !then.allowed);
        }
    }

    /// Once `now` was charged, it makes no difference at which earlier time the next charge is named.
    #[test]
    fn a_charge_that_names_an_earlier_time_leaves_no_more_room(scenario in scenarios(60), back in 0u64..20_000_000) {
        let policy = &scenario.policy;
        let mut counter = Counter::fresh(policy);
        for (now, cost) in scenario.checks {
            let charged = counter.check(policy, now, cost).allowed;
            let (mut earlier, mut later) = (counter.clone(), counter.clone());
            if charged && earlier.check(policy, ShardTime(now.0 - back), cost).allowed {
                later.check(policy, now, cost);
                prop_assert_eq!(earlier, later);
            }
        }
    }

    #[test]
    fn a_retry_named_from_the_past_is_still_exact(scenario in scenarios(40), back in 0u64..20_000_000) {
        let policy = &scenario.policy;
        let mut counter = Counter::fresh(policy);
        for (now, cost) in scenario.checks {
            counter.check(policy, now, cost);
            let past = ShardTime(now.0 - back);
            if let Retry::After(wait) = counter.peek(policy, past, cost).retry {
                prop_assert!(!counter.peek(policy, ShardTime(past.0 + wait.0 - 1), cost).allowed);
                prop_assert!(counter.peek(policy, past.plus(wait), cost).allowed);
            }
        }
    }
}

#[test]
fn a_fixed_window_that_was_left_does_not_open_again() {
    let policy = policy(Algorithm::FixedWindow, &[(2, "1s")], None);
    let mut counter = Counter::fresh(&policy);
    let second = |n: u64| ShardTime(n * 1_000_000_000);
    assert!(counter.check(&policy, second(5), Cost::ONE).allowed);
    assert!(counter.check(&policy, second(3), Cost::ONE).allowed);
    assert!(!counter.check(&policy, second(3), Cost::ONE).allowed);
    assert!(!counter.check(&policy, second(5), Cost::ONE).allowed);
    let admitted = [5, 5].map(|n| Admission { at: second(n), cost: 1 });
    assert_eq!(Trace::new(admitted.to_vec()).check(&policy), Ok(()));
}

#[test]
fn a_charge_after_a_refund_does_not_go_back_in_time() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        let policy = policy(algorithm, &[(1, "1s")], None);
        let mut counter = Counter::fresh(&policy);
        let (now, past) = (ShardTime(100_000_000_000), ShardTime(50_000_000_000));
        counter.check(&policy, now, Cost::ONE);
        counter.refund(now, now, Cost::ONE);
        assert!(counter.check(&policy, past, Cost::ONE).allowed, "{algorithm}");
        assert!(!counter.check(&policy, now, Cost::ONE).allowed, "{algorithm}");
    }
}

#[test]
fn a_change_of_policy_that_names_an_earlier_time_releases_nothing_early() {
    let algorithms = [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket];
    for (old, new) in algorithms.into_iter().flat_map(|old| algorithms.map(|new| (old, new))) {
        let (old, new) = (
            policy(old, &[(10, "1m")], None),
            policy(new, &[(10, "1m")], Some(10).filter(|_| new == Algorithm::TokenBucket)),
        );
        let mut counter = Counter::fresh(&old);
        let (now, past) = (ShardTime(150_000_000_000), ShardTime(100_000_000_000));
        assert!(counter.check(&old, now, Cost::new(10).unwrap()).allowed);
        assert!(!counter.check(&new, past, Cost::ONE).allowed);
        let decision = counter.check(&new, now, Cost::ONE);
        assert_eq!((decision.allowed, decision.remaining), (false, 0), "{} to {}", old.algorithm(), new.algorithm());
    }
}
