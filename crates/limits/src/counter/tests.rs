//! What a counter answers in cases that can be followed with a pencil.

use drl_core::Nanos;

use super::*;
use crate::{Algorithm, Limit, PolicySpec, Reason};

const SECOND: u64 = 1_000_000_000;

fn policy(algorithm: Algorithm, limits: &[(u64, &str)], burst: Option<u64>) -> Policy {
    let limit = |(requests, window): &(u64, &str)| Limit::new(*requests, window.parse().unwrap()).unwrap();
    let limits = limits.iter().map(limit).collect();
    Policy::new(PolicySpec { limits, algorithm, burst, ..PolicySpec::default() }).unwrap()
}

fn cost(units: u64) -> Cost {
    Cost::new(units).unwrap()
}

/// `CL.THROTTLE key max_burst count period` is the bucket of `max_burst + 1`; its reply, in its order, with seconds rounded up.
fn throttle(counter: &mut Counter, policy: &Policy, now: u64, quantity: u64) -> [i64; 5] {
    let decision = counter.check(policy, ShardTime(now), cost(quantity));
    let retry = match decision.retry {
        Retry::After(wait) => i64::try_from(wait.secs_ceil()).unwrap(),
        Retry::Now | Retry::Never => -1,
    };
    let shown =
        [decision.limit, decision.remaining, decision.reset_after.secs_ceil()].map(|n| i64::try_from(n).unwrap());
    [i64::from(!decision.allowed), shown[0], shown[1], retry, shown[2]]
}

#[test]
fn the_throttle_table_of_redis_cell_comes_out_to_the_letter() {
    let policy = policy(Algorithm::TokenBucket, &[(30, "60s")], Some(16));
    let mut counter = Counter::fresh(&policy);
    let now = 1_700_000_000 * SECOND;
    assert_eq!(throttle(&mut counter, &policy, now, 1), [0, 16, 15, -1, 2]);
    assert_eq!(throttle(&mut counter, &policy, now, 15), [0, 16, 0, -1, 32]);
    assert_eq!(throttle(&mut counter, &policy, now, 1), [1, 16, 0, 2, 32]);
    assert_eq!(throttle(&mut counter, &policy, now + 2 * SECOND - 1, 1), [1, 16, 0, 1, 31]);
    assert_eq!(throttle(&mut counter, &policy, now + 2 * SECOND, 1), [0, 16, 0, -1, 32]);
    assert_eq!(throttle(&mut counter, &policy, now + 2 * SECOND, 17), [1, 16, 0, -1, 32]);
    assert_eq!(throttle(&mut counter, &policy, now + 6 * SECOND, 0), [0, 16, 2, -1, 28]);
}

#[test]
fn several_limits_charge_all_or_nothing_and_show_the_tightest() {
    let policy = policy(Algorithm::FixedWindow, &[(3, "1s"), (4, "1m")], None);
    let mut counter = Counter::fresh(&policy);
    let first = counter.check(&policy, ShardTime(0), cost(3));
    assert_eq!((first.allowed, first.limit, first.remaining), (true, 3, 0));
    let denied = counter.check(&policy, ShardTime(1), cost(2));
    assert_eq!((denied.allowed, denied.limit, denied.remaining), (false, 4, 1));
    assert_eq!(denied.retry, Retry::After(Nanos(60 * SECOND - 1)));
    let second = counter.check(&policy, ShardTime(SECOND), cost(1));
    assert_eq!((second.allowed, second.limit, second.remaining), (true, 4, 0));
    assert_eq!(second.reset_after, Nanos(59 * SECOND));
}

#[test]
fn a_cost_above_any_limit_can_never_pass_and_wins_over_every_wait() {
    let policy = policy(Algorithm::SlidingWindow, &[(1_000, "1h"), (10, "1s")], None);
    let mut counter = Counter::fresh(&policy);
    counter.check(&policy, ShardTime(5), cost(10));
    let denied = counter.check(&policy, ShardTime(6), cost(11));
    assert_eq!((denied.retry, denied.reason, denied.limit), (Retry::Never, Reason::CostAboveLimit, 10));
}

#[test]
fn equal_room_shows_the_limit_that_resets_last() {
    let policy = policy(Algorithm::SlidingWindow, &[(5, "1s"), (5, "1h"), (5, "1m")], None);
    let decision = Counter::fresh(&policy).check(&policy, ShardTime(7), Cost::ONE);
    assert_eq!(decision.reset_after, Nanos(3_600 * SECOND));
}

#[test]
fn a_lone_request_is_released_exactly_one_window_later() {
    let policy = policy(Algorithm::SlidingWindow, &[(1, "1m")], None);
    let mut counter = Counter::fresh(&policy);
    let sent = 12_345_678_901;
    assert!(counter.check(&policy, ShardTime(sent), Cost::ONE).allowed);
    assert_eq!(counter.check(&policy, ShardTime(sent), Cost::ONE).retry, Retry::After(Nanos(60 * SECOND)));
    assert!(!counter.check(&policy, ShardTime(sent + 60 * SECOND - 1), Cost::ONE).allowed);
    assert!(counter.check(&policy, ShardTime(sent + 60 * SECOND), Cost::ONE).allowed);
}

#[test]
fn an_exhausted_counter_denies_until_its_limit_is_earned_again() {
    let at = ShardTime(90 * SECOND);
    let waits = [(Algorithm::FixedWindow, 30), (Algorithm::SlidingWindow, 60), (Algorithm::TokenBucket, 6)];
    for (algorithm, seconds) in waits {
        let policy = policy(algorithm, &[(10, "1m")], None);
        let counter = Counter::exhausted(&policy, at);
        let decision = counter.peek(&policy, at, Cost::ONE);
        assert_eq!((decision.remaining, decision.retry), (0, Retry::After(Nanos(seconds * SECOND))), "{algorithm}");
    }
}

#[test]
fn a_counter_of_one_limit_is_forty_bytes() {
    assert_eq!(size_of::<Counter>(), 40);
}
