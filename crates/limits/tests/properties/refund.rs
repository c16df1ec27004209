//! A refund gives room back where the decision took it, and nowhere else: what was admitted and not refunded keeps every limit.

use drl_core::{Cost, ShardTime};
use drl_limits::reference::{Admission, Reference, Trace};
use drl_limits::{Algorithm, Counter};
use proptest::prelude::*;

use crate::scenario::{checks, cost, policies, policies_of, policy, scenarios, steps};

const SECOND: u64 = 1_000_000_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Any admission is refunded at any later time, at most once; a counter may be dropped whenever it has expired.
    #[test]
    fn what_is_not_refunded_keeps_every_limit(scenario in scenarios(200), picks in proptest::collection::vec(any::<u64>(), 200)) {
        let policy = &scenario.policy;
        let mut counter = Counter::fresh(policy);
        let mut admitted: Vec<Admission> = Vec::new();
        for ((now, cost_asked), pick) in scenario.checks.into_iter().zip(picks) {
            if pick % 3 == 0 && counter.expires_at() <= now {
                counter = Counter::fresh(policy);
            }
            if pick % 2 == 0 && !admitted.is_empty() {
                let from_the_end = usize::try_from(pick / 6).unwrap_or(0) % admitted.len().min(8);
                let refunded = admitted.remove(admitted.len() - 1 - from_the_end);
                counter.refund(refunded.at, now, cost(refunded.cost));
            }
            if counter.check(policy, now, cost_asked).allowed {
                admitted.push(Admission { at: now, cost: cost_asked.units() });
            }
            prop_assert_eq!(Trace::new(admitted.clone()).check(policy), Ok(()));
        }
    }

    /// A caller that gives back what it was granted last, without knowing when that was.
    #[test]
    fn a_refund_of_the_last_decision_at_an_unnamed_time_keeps_every_limit(
        policy in policies_of(Algorithm::SlidingWindow),
        steps in steps(200),
        picks in proptest::collection::vec(any::<bool>(), 200),
    ) {
        let shortest = policy.limits().iter().map(|limit| limit.window().nanos()).min().unwrap();
        let mut counter = Counter::fresh(&policy);
        let mut admitted: Vec<Admission> = Vec::new();
        for ((now, cost_asked), refunds) in checks(&policy, &steps).into_iter().zip(picks) {
            let last = admitted.last().copied();
            if refunds && let Some(last) = last && now.since(last.at) < shortest {
                admitted.pop();
                counter.refund(now, now, cost(last.cost));
            }
            if counter.check(&policy, now, cost_asked).allowed {
                admitted.push(Admission { at: now, cost: cost_asked.units() });
            }
            prop_assert_eq!(Trace::new(admitted.clone()).check(&policy), Ok(()));
        }
    }

    #[test]
    fn a_refund_at_once_leaves_the_room_that_was_there_before(scenario in scenarios(60)) {
        let policy = &scenario.policy;
        let mut counter = Counter::fresh(policy);
        for (now, cost) in scenario.checks {
            let mut refunded = counter.clone();
            if refunded.check(policy, now, cost).allowed {
                refunded.refund(now, now, cost);
                let (before, after) = (counter.peek(policy, now, Cost::ONE), refunded.peek(policy, now, Cost::ONE));
                prop_assert_eq!(before.remaining, after.remaining);
            }
            counter.check(policy, now, cost);
        }
    }

    #[test]
    fn a_fixed_window_after_a_refund_is_as_if_the_decision_had_not_been(policy in policies_of(Algorithm::FixedWindow), steps in steps(60)) {
        let mut counter = Counter::fresh(&policy);
        let mut without = Reference::new(&policy);
        for ((now, cost), step) in checks(&policy, &steps).into_iter().zip(steps) {
            if step.1 % 3 == 0 {
                if counter.check(&policy, now, cost).allowed {
                    counter.refund(now, now, cost);
                }
            } else {
                prop_assert_eq!(counter.check(&policy, now, cost), without.check(now, cost));
            }
        }
    }

    #[test]
    fn a_refund_never_charges_and_never_frees_more_than_it_names(scenario in scenarios(60), at in any::<u64>(), units in 0u64..30) {
        let policy = &scenario.policy;
        let mut counter = Counter::fresh(policy);
        for (now, asked) in scenario.checks {
            counter.check(policy, now, asked);
            let before = counter.peek(policy, now, Cost::ONE).remaining;
            let decided_at = ShardTime(now.0 - at % 12_000_000);
            counter.refund(decided_at, now, cost(units));
            let after = counter.peek(policy, now, Cost::ONE).remaining;
            prop_assert!((before..=before + units).contains(&after));
        }
    }

    /// Fresh counters have nothing to give back, whatever time is named.
    #[test]
    fn a_refund_to_a_fresh_counter_changes_no_decision(policy in policies(), decided_at in any::<u64>(), now in any::<u64>(), units in 0u64..30) {
        let mut counter = Counter::fresh(&policy);
        counter.refund(ShardTime(decided_at), ShardTime(now), cost(units));
        let fresh = Counter::fresh(&policy).peek(&policy, ShardTime(now), Cost::ONE);
        prop_assert_eq!(counter.peek(&policy, ShardTime(now), Cost::ONE), fresh);
    }

    #[test]
    fn several_refunds_of_a_bucket_each_lose_only_what_was_earned_since(wait in 0u64..100, count in 1u64..=10) {
        let policy = policy(Algorithm::TokenBucket, &[(10, "1s")], Some(100));
        let start = 5 * SECOND;
        let mut counter = Counter::fresh(&policy);
        counter.check(&policy, ShardTime(start), cost(50));
        for n in 0..count {
            counter.check(&policy, ShardTime(start + n), Cost::ONE);
        }
        let now = ShardTime(start + count + wait * 1_000_000);
        let reset_before = counter.peek(&policy, now, Cost::ONE).reset_after.0;
        for n in 0..count {
            counter.refund(ShardTime(start + n), now, Cost::ONE);
        }
        let reset_after = counter.peek(&policy, now, Cost::ONE).reset_after.0;
        let token = SECOND / 10;
        let given_back: u64 = (0..count).map(|n| token.saturating_sub(now.0 - start - n)).sum();
        prop_assert_eq!(reset_before - reset_after, given_back);
    }
}

/// Ten tokens, one a second. `A` takes ten at 0 s; `B` takes the nine that are there at 9.999 s. Had `A` not been, the bucket would
/// have been full then, so `A` gives back nothing at 10 s: ten more would be nineteen within a millisecond.
#[test]
fn a_late_refund_of_a_bucket_does_not_pay_out_what_was_earned_again() {
    let policy = policy(Algorithm::TokenBucket, &[(60, "60s")], Some(10));
    let start = 1_000 * SECOND;
    let mut counter = Counter::fresh(&policy);
    assert!(counter.check(&policy, ShardTime(start), cost(10)).allowed);
    let nearly = ShardTime(start + 9_999_000_000);
    assert!(counter.check(&policy, nearly, cost(9)).allowed);
    let now = ShardTime(start + 10 * SECOND);
    counter.refund(ShardTime(start), now, cost(10));
    assert!(!counter.check(&policy, now, cost(10)).allowed);
    let if_it_had_been = [Admission { at: nearly, cost: 9 }, Admission { at: now, cost: 10 }];
    assert!(Trace::new(if_it_had_been.to_vec()).check(&policy).is_err());
}

#[test]
fn a_refund_names_a_later_window_in_vain() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        let policy = policy(algorithm, &[(5, "1s")], None);
        let mut counter = Counter::fresh(&policy);
        let (first, second) = (ShardTime(10 * SECOND), ShardTime(12 * SECOND));
        counter.check(&policy, first, cost(5));
        counter.check(&policy, second, cost(5));
        counter.refund(first, second, cost(5));
        assert!(!counter.check(&policy, second, Cost::ONE).allowed, "{algorithm}");
        counter.refund(second, second, cost(2));
        assert_eq!(counter.peek(&policy, second, Cost::ONE).remaining, 2, "{algorithm}");
    }
}

/// The decision was made under another policy, and nothing of it is in the new count.
#[test]
fn a_refund_from_before_a_change_of_window_gives_nothing() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        let (short, long) = (policy(algorithm, &[(10, "1s")], None), policy(algorithm, &[(10, "1m")], None));
        let start = 600 * SECOND;
        let mut counter = Counter::fresh(&short);
        counter.check(&short, ShardTime(start), cost(10));
        let changed = ShardTime(start + 2 * SECOND);
        let room = counter.check(&long, changed, Cost::ONE).remaining;
        counter.check(&long, changed, cost(room.max(1)));
        counter.refund(ShardTime(start), ShardTime(changed.0 + 1), cost(10));
        assert!(!counter.check(&long, ShardTime(changed.0 + 1), Cost::ONE).allowed, "{algorithm}");
    }
}

#[test]
fn an_exhausted_counter_knows_nothing_of_earlier_decisions() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        let policy = policy(algorithm, &[(10, "1m")], None);
        let at = ShardTime(601 * SECOND);
        let mut counter = Counter::exhausted(&policy, at);
        counter.refund(ShardTime(at.0 - 1), at, cost(5));
        assert_eq!(counter.peek(&policy, at, Cost::ONE).remaining, 0, "{algorithm}");
    }
}

/// `A` expired under the short window; what is carried over is `B`.
#[test]
fn a_refund_from_before_a_change_of_window_takes_nothing_of_what_was_carried_over() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        let (short, long) = (policy(algorithm, &[(10, "1s")], None), policy(algorithm, &[(10, "1m")], None));
        let [a, b, changed] = [0, 1_200, 1_300].map(|millis| ShardTime(600 * SECOND + millis * 1_000_000));
        let mut counter = Counter::fresh(&short);
        assert!(counter.check(&short, a, cost(10)).allowed);
        assert!(counter.check(&short, b, cost(5)).allowed);
        let room = counter.check(&long, changed, Cost::ONE).remaining;
        counter.refund(a, changed, cost(10));
        assert_eq!(counter.peek(&long, changed, Cost::ONE).remaining, room, "{algorithm}");
    }
}

#[test]
fn a_refund_from_before_a_change_of_requests_gives_room() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow] {
        let (old, new) = (policy(algorithm, &[(10, "1m")], None), policy(algorithm, &[(20, "1m")], None));
        let [decided_at, now] = [601, 602].map(|second| ShardTime(second * SECOND));
        let mut counter = Counter::fresh(&old);
        counter.check(&old, decided_at, cost(10));
        assert_eq!(counter.check(&new, now, Cost::ONE).remaining, 9);
        counter.refund(decided_at, now, cost(4));
        assert_eq!(counter.peek(&new, now, Cost::ONE).remaining, 13, "{algorithm}");
    }
}

/// A decision that this counter never counted, because it was dropped or lost in between.
#[test]
fn a_refund_of_a_window_that_the_counter_does_not_hold_gives_nothing() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow] {
        let policy = policy(algorithm, &[(5, "1s")], None);
        let mut counter = Counter::fresh(&policy);
        counter.check(&policy, ShardTime(10 * SECOND), cost(5));
        for second in [8, 9, 11, 12] {
            counter.refund(ShardTime(second * SECOND), ShardTime(12 * SECOND), cost(5));
        }
        assert_eq!(counter.peek(&policy, ShardTime(10 * SECOND), Cost::ONE).remaining, 0, "{algorithm}");
    }
}

#[test]
fn a_refund_at_an_unnamed_time_gives_the_room_back() {
    let policy = policy(Algorithm::SlidingWindow, &[(5, "1m")], None);
    let mut counter = Counter::fresh(&policy);
    for second in [600, 610, 620] {
        assert!(counter.check(&policy, ShardTime(second * SECOND), Cost::ONE).allowed);
    }
    let now = ShardTime(640 * SECOND);
    counter.refund(now, now, cost(2));
    assert_eq!(counter.peek(&policy, now, Cost::ONE).remaining, 4);
    assert_eq!(counter.expires_at(), ShardTime(680 * SECOND), "the oldest went first");
}
