//! What happens to a counter when its policy changes: use is carried over, the window that straddles the change never admits more
//! than the larger of the two limits, and a lowered limit denies at once.

use std::sync::Arc;

use drl_core::{Cost, Nanos, ShardTime};
use drl_limits::reference::{Admission, Trace};
use drl_limits::{Algorithm, Counter, Limit, Policy, PolicySpec, Retry, Shape};
use proptest::prelude::*;

use crate::scenario::{algorithms, checks, cost, policies, policy, scenarios, steps};

const SECOND: u64 = 1_000_000_000;

/// Two policies of one limit each, of the same window.
fn changes() -> impl Strategy<Value = (Policy, Policy)> {
    let side = || (algorithms(), 1u64..=12, proptest::option::of(1u64..=20));
    (side(), side(), 1_000_000u64..4_000_000).prop_map(|(old, new, nanos)| {
        let [old, new] = [old, new].map(|(algorithm, requests, burst)| {
            let limits = vec![Limit::new(requests, drl_limits::Window::new(Nanos(nanos)).unwrap()).unwrap()];
            let burst = burst.filter(|_| algorithm == Algorithm::TokenBucket);
            Policy::new(PolicySpec { limits, algorithm, burst, ..PolicySpec::default() }).unwrap()
        });
        (old, new)
    })
}

/// The larger of the two limits. A bucket knows its level and not what it earned again, so what it admitted in the window before
/// the change may be more than its level by what it earned.
fn larger(old: &Policy, new: &Policy) -> u64 {
    let earned = if old.algorithm() == Algorithm::TokenBucket { old.limits()[0].requests() } else { 0 };
    old.capacities()[0].max(new.capacities()[0]) + earned
}

/// From when on the old counter still knows what was admitted: a window forgets, a bucket does not.
fn known_from(old: &Policy, changed: ShardTime) -> ShardTime {
    let window = old.limits()[0].window().nanos().0;
    match old.algorithm() {
        Algorithm::FixedWindow => ShardTime(changed.0 / window * window),
        Algorithm::SlidingWindow => ShardTime(changed.0 + 1 - window),
        Algorithm::TokenBucket => ShardTime::ZERO,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_window_that_straddles_a_change_admits_at_most_the_larger_limit((old, new) in changes(), steps in steps(80), change in 0usize..40) {
        let mut counter = Counter::fresh(&old);
        let mut admitted = Vec::new();
        let mut changed = ShardTime::ZERO;
        for (turn, (at, cost)) in checks(&old, &steps).into_iter().enumerate() {
            if turn == change {
                changed = at;
            }
            let policy = if turn < change { &old } else { &new };
            if counter.check(policy, at, cost).allowed {
                admitted.push(Admission { at, cost: cost.units() });
            }
        }
        if changed > ShardTime::ZERO {
            admitted.retain(|admission| admission.at >= known_from(&old, changed));
            let window = old.limits()[0].window();
            let larger_limit = Limit::new(larger(&old, &new), window).unwrap();
            let trace = Trace::new(admitted);
            let outcome = match new.algorithm() {
                Algorithm::FixedWindow => trace.check_fixed(&larger_limit),
                Algorithm::SlidingWindow => trace.check_every_interval(&larger_limit),
                Algorithm::TokenBucket => {
                    let rate = old.limits()[0].requests().max(new.limits()[0].requests());
                    let burst = old.capacities()[0].max(new.capacities()[0]);
                    trace.check_bucket(&Limit::new(rate, window).unwrap(), burst)
                }
            };
            prop_assert_eq!(outcome, Ok(()));
        }
    }

    #[test]
    fn what_is_used_stays_used_so_a_lowered_limit_denies_at_once((old, new) in changes(), steps in steps(40)) {
        let mut counter = Counter::fresh(&old);
        for (now, cost) in checks(&old, &steps) {
            counter.check(&old, now, cost);
            let used = old.capacities()[0] - counter.peek(&old, now, Cost::ONE).remaining;
            let after = counter.peek(&new, now, Cost::ONE);
            prop_assert_eq!(after.remaining, new.capacities()[0].saturating_sub(used));
            prop_assert_eq!(after.allowed, used < new.capacities()[0]);
        }
    }

    /// However often the requests of a window change, no window admits more than the largest of them.
    #[test]
    fn any_number_of_changes_of_the_requests_keep_the_largest(scenario in scenarios(100), requests in proptest::collection::vec(1u64..=12, 100), sliding in any::<bool>()) {
        let algorithm = if sliding { Algorithm::SlidingWindow } else { Algorithm::FixedWindow };
        let window = scenario.policy.limits()[0].window();
        let mut counter: Option<Counter> = None;
        let mut admitted = Vec::new();
        for ((at, cost), requests) in scenario.checks.into_iter().zip(requests) {
            let limits = vec![Limit::new(requests, window).unwrap()];
            let policy = Policy::new(PolicySpec { limits, algorithm, ..PolicySpec::default() }).unwrap();
            let counter = counter.get_or_insert_with(|| Counter::fresh(&policy));
            if counter.check(&policy, at, cost).allowed {
                admitted.push(Admission { at, cost: cost.units() });
            }
        }
        let largest = Limit::new(12, window).unwrap();
        let trace = Trace::new(admitted);
        prop_assert_eq!(if sliding { trace.check_every_interval(&largest) } else { trace.check_fixed(&largest) }, Ok(()));
    }

    #[test]
    fn a_peek_converts_a_copy_and_a_charge_the_counter(scenario in scenarios(40), new in policies()) {
        let old = &scenario.policy;
        let mut counter = Counter::fresh(old);
        for (now, cost) in scenario.checks {
            counter.check(old, now, cost);
            let before = counter.clone();
            let peeked = counter.peek(&new, now, cost);
            prop_assert_eq!(counter.check(&new, now, Cost::PEEK), counter.peek(&new, now, Cost::ONE));
            prop_assert_eq!(&counter, &before);
            let mut converted = counter.clone();
            let decision = converted.check(&new, now, cost);
            prop_assert_eq!((decision.allowed, decision.retry), (peeked.allowed, peeked.retry));
            prop_assert!(converted.is_of(&new));
            let mut bytes = Vec::new();
            converted.encode_cells(&mut bytes);
            prop_assert_eq!(Counter::decode_cells(converted.shape().clone(), &mut &bytes[..]), Ok(converted.clone()));
            // What a denial said of the future holds: the counter stays converted.
            if let Retry::After(wait) = decision.retry {
                let then = now.plus(wait);
                prop_assert!(!converted.clone().check(&new, ShardTime(then.0 - 1), cost).allowed);
                prop_assert!(converted.check(&new, then, cost).allowed);
            }
        }
    }

    #[test]
    fn a_counter_of_an_equal_policy_is_not_converted(scenario in scenarios(40)) {
        let (one, two) = (&scenario.policy, &Policy::new(scenario.policy.spec().clone()).unwrap());
        let (mut plain, mut mixed) = (Counter::fresh(one), Counter::fresh(two));
        for (turn, (now, cost)) in scenario.checks.into_iter().enumerate() {
            let policy = if turn % 2 == 0 { one } else { two };
            prop_assert_eq!(plain.check(one, now, cost), mixed.check(policy, now, cost));
            prop_assert!(Arc::ptr_eq(mixed.shape(), policy.shape()));
            prop_assert_eq!(&plain, &mixed);
        }
    }
}

fn remaining(counter: &Counter, policy: &Policy, now: ShardTime) -> u64 {
    counter.peek(policy, now, Cost::ONE).remaining
}

#[test]
fn each_new_limit_takes_its_use_from_the_closest_old_one_that_saw_as_much() {
    let now = ShardTime(1_000_000 * SECOND);
    let fixed = |limits: &[(u64, &str)]| policy(Algorithm::FixedWindow, limits, None);
    let old = fixed(&[(10, "1s"), (100, "1h"), (1_000, "1d")]);
    let mut counter = Counter::fresh(&old);
    // 7 used of each; a second later 2 of the second, 9 of the hour and the day.
    counter.check(&old, now, cost(7));
    let now = ShardTime(now.0 + SECOND);
    counter.check(&old, now, cost(2));
    assert_eq!(remaining(&counter, &fixed(&[(50, "1s")]), now), 48, "the same window");
    assert_eq!(remaining(&counter, &fixed(&[(50, "1m")]), now), 41, "the next longer: the hour");
    assert_eq!(remaining(&counter, &fixed(&[(50, "7d")]), now), 41, "none is longer: the longest");
    assert_eq!(remaining(&counter, &fixed(&[(50, "500ms")]), now), 48, "the next longer: the second");
    let reordered = fixed(&[(1_000, "1d"), (10, "1s"), (100, "1h")]);
    assert_eq!(remaining(&counter, &reordered, now), 8, "places do not matter");
}

#[test]
fn a_bucket_that_was_lowered_a_hundredfold_holds_a_client_for_one_refill() {
    let (old, new) =
        (policy(Algorithm::TokenBucket, &[(1_000, "1m")], None), policy(Algorithm::TokenBucket, &[(10, "1m")], None));
    let now = ShardTime(500 * SECOND);
    let mut counter = Counter::fresh(&old);
    counter.check(&old, now, cost(1_000));
    assert_eq!(counter.check(&new, now, Cost::ONE).retry, Retry::After(Nanos(6 * SECOND)));
    assert_eq!(counter.peek(&new, now, Cost::ONE).reset_after, Nanos(60 * SECOND));
}

/// Half a token at 1 per 10 s is 5 s; at 1 per 60 s it is 30 s.
#[test]
fn a_bucket_keeps_parts_of_tokens_over_a_change_of_rate() {
    let (old, new) =
        (policy(Algorithm::TokenBucket, &[(6, "1m")], None), policy(Algorithm::TokenBucket, &[(1, "1m")], Some(6)));
    let start = 500 * SECOND;
    let mut counter = Counter::fresh(&old);
    counter.check(&old, ShardTime(start), cost(2));
    let now = ShardTime(start + 5 * SECOND);
    let decision = counter.peek(&new, now, Cost::ONE);
    assert_eq!((decision.remaining, decision.reset_after), (4, Nanos(90 * SECOND)));
}

/// A row that another version wrote with other sub-windows: 10 per 1 s in 4 of them, with 3, 4 and 2 used.
#[test]
fn a_sliding_window_of_other_sub_windows_is_regrouped() {
    let shape = [1, 2, 0x00, 0xca, 0x9a, 0x3b, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 4];
    let shape = Arc::new(Shape::decode(&mut &shape[..]).unwrap());
    let at = 700 * SECOND;
    let mut row = vec![3];
    row.extend_from_slice(&at.to_le_bytes());
    // 3 at 0 ms, 4 at 250 ms, 2 at 500 ms (250,000,000 is 80 e5 9a 77 as a varint).
    row.extend_from_slice(&[3, 0x80, 0xe5, 0x9a, 0x77, 4, 0x80, 0xe5, 0x9a, 0x77, 2]);
    let mut counter = Counter::decode_cells(shape, &mut &row[..]).unwrap();
    let policy = policy(Algorithm::SlidingWindow, &[(10, "1s")], None);
    let now = ShardTime(at + 900_000_000);
    assert!(counter.check(&policy, now, Cost::ONE).allowed);
    assert_eq!(counter.check(&policy, now, Cost::ONE).retry, Retry::After(Nanos(100_000_000)));
    assert_eq!(remaining(&counter, &policy, ShardTime(at + SECOND)), 3);
    assert_eq!(remaining(&counter, &policy, ShardTime(at + SECOND + 250_000_000)), 7);
}
