//! Arithmetic is total: at every extreme of limits, windows, costs and times there is an answer, and the promises hold.

use drl_core::caps::{COST_MAX, WINDOW_NANOS_MAX, WINDOW_NANOS_MIN};
use drl_core::{Nanos, ShardTime};
use drl_limits::reference::{Admission, Reference, Trace};
use drl_limits::{Algorithm, Counter, Limit, Policy, PolicySpec, Window};
use proptest::prelude::*;

use crate::scenario::{algorithms, cost};

fn extreme(most: u64) -> impl Strategy<Value = u64> {
    let shifted = (0u32..64, any::<u64>()).prop_map(move |(shift, n)| (n >> shift).min(most));
    prop_oneof![1 => Just(0), 1 => Just(1), 1 => Just(most), 1 => Just(most.saturating_sub(1)), 4 => shifted]
}

fn extreme_policy() -> impl Strategy<Value = Policy> {
    let limit = (extreme(COST_MAX), extreme(WINDOW_NANOS_MAX)).prop_map(|(requests, nanos)| {
        Limit::new(requests.max(1), Window::new(Nanos(nanos.max(WINDOW_NANOS_MIN))).unwrap()).unwrap()
    });
    let limits = proptest::collection::vec(limit, 1..=2);
    (algorithms(), limits, proptest::option::of(extreme(COST_MAX))).prop_map(|(algorithm, limits, burst)| {
        let burst = burst.filter(|burst| *burst > 0 && algorithm == Algorithm::TokenBucket);
        let spec = PolicySpec { limits, algorithm, burst, ..PolicySpec::default() };
        let without_burst = PolicySpec { burst: None, ..spec.clone() };
        Policy::new(spec).unwrap_or_else(|_| Policy::new(without_burst).unwrap())
    })
}

fn times_and_costs(count: usize) -> impl Strategy<Value = Vec<(u64, u64)>> {
    proptest::collection::vec((extreme(u64::MAX), extreme(COST_MAX)), 1..=count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn nothing_panics_in_any_order_of_times(policy in extreme_policy(), other in extreme_policy(), calls in times_and_costs(30)) {
        let mut counter = Counter::fresh(&policy);
        for (turn, (time, units)) in calls.iter().enumerate() {
            let (now, before) = (ShardTime(*time), ShardTime(calls[turn / 2].0));
            let policy = if turn % 7 == 6 { &other } else { &policy };
            counter.check(policy, now, cost(*units));
            counter.refund(before, now, cost(units / 2));
            counter.refund(now, before, cost(units / 3));
            let _ = (counter.expires_at(), counter.peek(&other, before, cost(*units)));
            Counter::exhausted(policy, now).check(&other, before, cost(*units));
            let mut bytes = Vec::new();
            counter.encode_cells(&mut bytes);
            prop_assert_eq!(Counter::decode_cells(counter.shape().clone(), &mut &bytes[..]), Ok(counter.clone()));
        }
    }

    /// Up to the middle of time, so that every wait ends before the end of it.
    #[test]
    fn decisions_equal_the_reference(policy in extreme_policy(), mut calls in times_and_costs(40)) {
        calls.sort_unstable();
        let mut counter = Counter::fresh(&policy);
        let mut reference = Reference::new(&policy);
        for (time, units) in calls {
            let (now, cost) = (ShardTime(time / 2), cost(units.max(1)));
            prop_assert_eq!(counter.check(&policy, now, cost), reference.check(now, cost));
        }
    }

    #[test]
    fn no_interval_admits_more_than_the_limit(policy in extreme_policy(), mut calls in times_and_costs(40)) {
        calls.sort_unstable();
        let mut counter = Counter::fresh(&policy);
        let mut admitted = Vec::new();
        for (time, units) in calls {
            if counter.check(&policy, ShardTime(time), cost(units.max(1))).allowed {
                admitted.push(Admission { at: ShardTime(time), cost: units.max(1) });
            }
        }
        prop_assert_eq!(Trace::new(admitted).check(&policy), Ok(()));
    }
}

/// The largest bucket at the fastest rate, kept busy without a pause: `spent` passes 2^62 many times and is moved on exactly.
#[test]
fn a_bucket_that_is_busy_for_centuries_keeps_its_rate() {
    let window = Window::new(Nanos(WINDOW_NANOS_MIN)).unwrap();
    let limits = vec![Limit::new(COST_MAX, window).unwrap()];
    let policy =
        Policy::new(PolicySpec { limits, algorithm: Algorithm::TokenBucket, ..PolicySpec::default() }).unwrap();
    let mut counter = Counter::fresh(&policy);
    assert!(counter.check(&policy, ShardTime(1), cost(COST_MAX)).allowed);
    for millis in 1..=5_000u64 {
        let now = 1 + millis * WINDOW_NANOS_MIN;
        // One nanosecond short of a full window lacks 2^53 / 10^6 units, so the whole bucket is not there yet.
        assert!(!counter.check(&policy, ShardTime(now - 1), cost(COST_MAX)).allowed);
        assert!(counter.check(&policy, ShardTime(now - 1), cost(COST_MAX / 2)).allowed, "{millis}");
        assert!(counter.check(&policy, ShardTime(now), cost(COST_MAX / 2)).allowed, "{millis}");
        assert_eq!(counter.peek(&policy, ShardTime(now), cost(1)).remaining, 0);
    }
}
