//! A policy that comes back finds what was used, whatever stood in between.

use drl_core::{Cost, ShardTime};
use drl_limits::reference::{Admission, Trace};
use drl_limits::{Algorithm, Carry, Counter, Limit, Policy, PolicySpec, Retry};
use proptest::prelude::*;

use crate::scenario::{cost, policies, policy, scenarios};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_000 * 3_600 * SECOND;

fn at(seconds: u64) -> ShardTime {
    ShardTime(START + seconds * SECOND)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Checks fall under `home` or under one of two others, in any order; what was admitted under any of them while `home` counted
    /// keeps home's limits, as far as it was home that admitted.
    #[test]
    fn looks_through_other_policies_open_nothing(
        scenario in scenarios(120),
        others in proptest::collection::vec(policies(), 2),
        turns in proptest::collection::vec(0usize..6, 120),
    ) {
        let home = &scenario.policy;
        let mut counter = Counter::fresh(home);
        let mut admitted_at_home = Vec::new();
        for ((now, cost), turn) in scenario.checks.into_iter().zip(turns) {
            let policy = others.get(turn).unwrap_or(home);
            if counter.check(policy, now, cost).allowed && turn >= others.len() {
                admitted_at_home.push(Admission { at: now, cost: cost.units() });
            }
        }
        prop_assert_eq!(Trace::new(admitted_at_home).check(home), Ok(()));
    }

    /// A denial under another policy changes no later decision of the first.
    #[test]
    fn denials_of_another_policy_change_nothing(scenario in scenarios(100), other in policies(), turns in proptest::collection::vec(any::<bool>(), 100)) {
        let home = &scenario.policy;
        let (mut counter, mut alone) = (Counter::fresh(home), Counter::fresh(home));
        for ((now, cost), looks_away) in scenario.checks.into_iter().zip(turns) {
            if looks_away && !counter.peek(&other, now, cost.max(Cost::ONE)).allowed {
                let _ = counter.check(&other, now, cost.max(Cost::ONE));
            }
            prop_assert_eq!(counter.check(home, now, cost), alone.check(home, now, cost));
        }
    }

    #[test]
    fn a_counter_that_remembers_survives_its_bytes(scenario in scenarios(60), others in proptest::collection::vec(policies(), 3), turns in proptest::collection::vec(0usize..4, 60)) {
        let home = &scenario.policy;
        let mut counter = Counter::fresh(home);
        for ((now, cost), turn) in scenario.checks.into_iter().zip(turns) {
            let policy = others.get(turn).unwrap_or(home);
            let _ = counter.check(policy, now, cost);
            let (mut shape, mut cells) = (Vec::new(), Vec::new());
            counter.shape().encode(&mut shape);
            counter.encode_cells(&mut cells);
            let shape = std::sync::Arc::new(drl_limits::Shape::decode(&mut &shape[..]).unwrap());
            prop_assert_eq!(&Counter::decode_cells(shape, &mut &cells[..]).unwrap(), &counter);
        }
    }
}

#[test]
fn a_used_up_hour_is_used_up_after_a_second_under_another_policy() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        for (requests, window) in [(1, "1s"), (1_000, "1ms"), (100, "1s")] {
            let (hourly, other) =
                (policy(algorithm, &[(100, "1h")], None), policy(algorithm, &[(requests, window)], None));
            let mut counter = Counter::fresh(&hourly);
            assert!(counter.check(&hourly, at(0), cost(100)).allowed);
            let _ = counter.check(&other, at(0), Cost::ONE);
            let _ = counter.check(&other, at(2), Cost::ONE);
            assert!(
                !counter.check(&hourly, at(3), Cost::ONE).allowed,
                "{algorithm}, {requests} per {window} in between"
            );
        }
    }
}

#[test]
fn what_is_remembered_is_dropped_once_it_has_expired() {
    let (minute, second) =
        (policy(Algorithm::SlidingWindow, &[(9, "1m")], None), policy(Algorithm::SlidingWindow, &[(9, "1s")], None));
    let mut counter = Counter::fresh(&minute);
    let _ = counter.check(&minute, at(0), Cost::ONE);
    let _ = counter.check(&second, at(10), Cost::ONE);
    assert_eq!(counter.expires_at(), at(70), "the minute counts along");
    let _ = counter.check(&second, at(59), Cost::ONE);
    assert_eq!(counter.expires_at(), at(119));
    let _ = counter.check(&second, at(60), Cost::ONE);
    assert_eq!(counter.shape(), second.shape(), "what was used before the change has expired");
    assert_eq!(counter.expires_at(), at(61));
}

fn throttle(max_burst: u64, count: u64, period: &str) -> Policy {
    let limits = vec![Limit::new(count, period.parse().unwrap()).unwrap()];
    let burst = Some(max_burst + 1);
    let spec =
        PolicySpec { limits, algorithm: Algorithm::TokenBucket, burst, carry: Carry::Time, ..PolicySpec::default() };
    Policy::new(spec).unwrap()
}

/// redis-cell keeps one time per key: `new_tat = max(now, tat) + e q`, allowed when `now >= new_tat - e (max_burst + 1)`.
#[test]
fn a_bucket_that_carries_time_decides_like_redis_cell_when_its_numbers_change() {
    let (slow, fast) = (throttle(99, 100, "1h"), throttle(0, 1, "1s"));
    let mut counter = Counter::fresh(&slow);
    assert!(counter.check(&slow, at(0), cost(100)).allowed);
    for second in 1..30 {
        let before = counter.clone();
        assert!(!counter.check(&fast, at(second), Cost::ONE).allowed);
        assert_eq!(counter, before, "a denial changes nothing");
        assert!(!counter.check(&slow, at(second), Cost::ONE).allowed);
    }
    assert!(counter.check(&slow, at(36), Cost::ONE).allowed);

    let (sixteen, faster) = (throttle(15, 30, "1m"), throttle(15, 60, "1m"));
    let mut counter = Counter::fresh(&sixteen);
    assert!(counter.check(&sixteen, at(0), cost(10)).allowed);
    let shown = counter.peek(&faster, at(0), Cost::ONE);
    assert_eq!((shown.allowed, shown.remaining, shown.reset_after.0), (false, 0, 20 * SECOND));
    assert_eq!(shown.retry, Retry::After(drl_core::Nanos(5 * SECOND)));
}
