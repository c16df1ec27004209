//! No needless denial: a client that is alone gets the limit, and a sliding window withholds a unit for at most a sub-window.

use drl_core::{Cost, ShardTime};
use drl_limits::{Algorithm, Counter, Policy, SUB_WINDOWS};
use proptest::prelude::*;

use crate::scenario::{checks, cost, policies, policies_of, steps};

/// Whether a list of every charge, the most precise sliding window there is, would let `cost` pass at `now`.
fn exact_sliding_allows(policy: &Policy, charges: &[(ShardTime, u64)], now: ShardTime, cost: u64) -> bool {
    policy.limits().iter().all(|limit| {
        let in_window = charges.iter().filter(|(at, _)| now.since(*at) < limit.window().nanos());
        in_window.map(|(_, cost)| cost).sum::<u64>() + cost <= limit.requests()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_an_exact_list_would_have_allowed_for_a_sub_window_is_allowed(policy in policies_of(Algorithm::SlidingWindow), steps in steps(100)) {
        let mut counter = Counter::fresh(&policy);
        let mut charges = Vec::new();
        let longest = policy.limits().iter().map(|limit| limit.window().nanos().0).max().unwrap();
        for (now, cost) in checks(&policy, &steps) {
            let sub_window_ago = ShardTime(now.0 - longest.div_ceil(SUB_WINDOWS.get()));
            let decision = counter.check(&policy, now, cost);
            if exact_sliding_allows(&policy, &charges, sub_window_ago, cost.units()) {
                prop_assert!(decision.allowed);
            }
            if decision.allowed {
                charges.push((now, cost.units()));
            }
        }
    }

    #[test]
    fn a_fresh_client_gets_the_whole_of_the_smallest_capacity_at_once(policy in policies(), now in any::<u64>()) {
        let capacity = *policy.capacities().iter().min().unwrap();
        let mut counter = Counter::fresh(&policy);
        for left in (0..capacity).rev() {
            let decision = counter.check(&policy, ShardTime(now), Cost::ONE);
            prop_assert_eq!((decision.allowed, decision.remaining), (true, left));
        }
        prop_assert!(!counter.check(&policy, ShardTime(now), Cost::ONE).allowed);
        prop_assert!(Counter::fresh(&policy).check(&policy, ShardTime(now), cost(capacity)).allowed);
    }
}

/// One request whenever a window's share is over, forever: no algorithm ever denies it.
#[test]
fn a_client_that_keeps_its_rate_is_never_denied() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        for requests in [1, 3, 7, 16, 17, 100] {
            let policy = crate::scenario::policy(algorithm, &[(requests, "1s")], None);
            let mut counter = Counter::fresh(&policy);
            // A sliding window holds a unit up to a sub-window longer, so its client keeps that much more distance.
            let share =
                if algorithm == Algorithm::SlidingWindow { 1_062_500_000 } else { 1_000_000_000u64 }.div_ceil(requests);
            let denied =
                (0..2_000).filter(|n| !counter.check(&policy, ShardTime(77 + n * share), Cost::ONE).allowed).count();
            assert_eq!(denied, 0, "{algorithm} {requests}");
        }
    }
}
