//! Lost state counts as used up, also when policies change while it counts: whatever comes and goes, nobody is admitted more than the
//! larger limit, a policy that comes back has been there all the time, and what is withheld comes back in time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use drl_core::{CommitNo, Cost, Epoch, KeyHash, Nanos, ShardCount, ShardId, ShardTime};
use drl_engine::{Charge, Ledger, Recoverer};
use drl_limits::reference::{Admission, Trace};
use drl_limits::{Algorithm, Carry, Decision, Limit, Policy, PolicySpec, Retry, Window};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const SHARD: ShardId = ShardId::new(0);
/// Somewhere within a window of a minute and of an hour.
const LOST: ShardTime = ShardTime(1_000_030 * SECOND);

fn after(seconds: u64) -> ShardTime {
    LOST.plus(Nanos(seconds * SECOND))
}

fn key() -> KeyHash {
    KeyHash::from_bytes([7; 16])
}

fn policy(algorithm: Algorithm, requests: u64, window: &str, burst: Option<u64>) -> Policy {
    let limits = vec![Limit::new(requests, window.parse().unwrap()).unwrap()];
    Policy::new(PolicySpec { limits, algorithm, burst, ..PolicySpec::default() }).unwrap()
}

fn bucket(requests: u64, window: &str, burst: u64) -> Policy {
    policy(Algorithm::TokenBucket, requests, window, Some(burst))
}

fn fresh() -> Ledger {
    Ledger::new(ShardCount::new(1).unwrap(), Epoch(1), CommitNo(0))
}

fn lost() -> Ledger {
    let mut ledger = fresh();
    ledger.lose_everything(LOST);
    ledger
}

fn charge(ledger: &mut Ledger, policy: &Policy, cost: u64, now: ShardTime) -> Decision {
    ledger.charge(Charge { shard: SHARD, key: key(), policy, cost: Cost::new(cost).unwrap() }, now).0
}

fn remaining(ledger: &mut Ledger, policy: &Policy, now: ShardTime) -> u64 {
    ledger.peek(Charge { shard: SHARD, key: key(), policy, cost: Cost::PEEK }, now).remaining
}

/// What comes out of the journal again.
fn restarted(ledger: &mut Ledger) -> Ledger {
    let mut recoverer = Recoverer::new(ShardCount::new(1).unwrap());
    let mut frame = Vec::new();
    while ledger.seal(1, &mut frame).is_some() {
        recoverer.frame(&frame).unwrap();
    }
    recoverer.finish(Epoch(2), CommitNo(9))
}

/// 4 per minute earn 2 in half of it, 8 would have earned 4. What was lost may have been all 8.
#[test]
fn a_limit_that_is_raised_while_the_loss_counts_has_no_more_room_than_the_smaller_one() {
    let (small, large) = (bucket(4, "1m", 4), bucket(8, "1m", 8));
    let mut ledger = lost();
    assert!(charge(&mut ledger, &small, 1, after(30)).allowed);
    assert_eq!(remaining(&mut ledger, &large, after(30)), 1);
    let mut again = restarted(&mut ledger);
    for ledger in [&mut ledger, &mut again] {
        assert!(!charge(ledger, &large, 2, after(30)).allowed);
        assert!(charge(ledger, &large, 1, after(30)).allowed);
        assert_eq!(remaining(ledger, &large, after(45)), 2, "from then on it earns by the larger rate");
        assert_eq!(remaining(ledger, &large, after(90)), 8);
    }
}

#[test]
fn a_burst_that_is_raised_while_the_loss_counts_has_no_more_room_than_the_smaller_one() {
    let (small, large) = (bucket(60, "1m", 2), bucket(60, "1m", 50));
    let mut ledger = lost();
    assert!(charge(&mut ledger, &small, 2, after(3)).allowed);
    assert_eq!(remaining(&mut ledger, &large, after(3)), 0);
    assert_eq!(remaining(&mut ledger, &large, after(4)), 1);
    let slow = bucket(60, "1m", 600);
    assert_eq!(remaining(&mut ledger, &slow, after(70)), 2, "it takes ten minutes to be full again, not one");
}

#[test]
fn a_longer_window_that_comes_back_is_used_up_for_a_window_after_the_loss_and_less_than_two() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow] {
        for other in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket] {
            let (hourly, short) = (policy(algorithm, 100, "1h", None), policy(other, 100, "1s", None));
            let mut ledger = lost();
            assert!(charge(&mut ledger, &short, 2, after(2)).allowed);
            let Retry::After(wait) = charge(&mut ledger, &hourly, 1, after(3)).retry else { panic!("it is used up") };
            let free = after(3).plus(wait);
            // What was charged since the loss counts for a window as well.
            assert!((after(3_602)..after(7_200)).contains(&free), "{algorithm} behind {other}: {free:?}");
            let lowered = policy(algorithm, 50, "1h", None);
            let then = charge(&mut ledger, &lowered, 1, after(1_000)).retry;
            assert_eq!(then, Retry::After(Nanos(free.since(after(1_000)).0)), "it is not held anew");
            assert!(charge(&mut ledger, &hourly, 100, free).allowed);
        }
    }
}

#[test]
fn a_lost_bucket_of_other_numbers_in_a_command_is_empty_too_and_a_denial_changes_nothing() {
    let throttle = |burst, requests, window: &str| {
        let limits = vec![Limit::new(requests, window.parse().unwrap()).unwrap()];
        let (algorithm, burst, carry) = (Algorithm::TokenBucket, Some(burst), Carry::Time);
        Policy::new(PolicySpec { limits, algorithm, burst, carry, ..PolicySpec::default() }).unwrap()
    };
    let (slow, fast) = (throttle(100, 100, "1h"), throttle(1, 1, "1s"));
    let mut ledger = lost();
    assert!(charge(&mut ledger, &fast, 1, after(1)).allowed);
    assert!(!charge(&mut ledger, &slow, 1, after(35)).allowed);
    assert!(charge(&mut ledger, &fast, 1, after(35)).allowed);
    assert!(charge(&mut ledger, &slow, 1, after(36)).allowed, "it has earned one");
    let (slow, fast) = (throttle(120, 120, "1h"), throttle(120, 240, "1h"));
    let mut ledger = lost();
    assert!(charge(&mut ledger, &slow, 1, after(600)).allowed);
    assert!(!charge(&mut ledger, &fast, 1, after(600)).allowed, "the time at which it is full is kept");
}

#[test]
fn a_change_after_a_reset_is_like_any_other() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        let (small, large) = (policy(algorithm, 10, "1h", None), policy(algorithm, 20, "1h", None));
        let mut ledger = lost();
        let _ = ledger.reset(SHARD, key(), after(1));
        assert!(charge(&mut ledger, &small, 3, after(1)).allowed);
        assert_eq!(remaining(&mut ledger, &large, after(1)), 17, "{algorithm}");
        assert!(charge(&mut ledger, &large, 17, after(1)).allowed, "{algorithm}");
    }
}

#[test]
fn a_change_after_the_loss_has_ceased_to_count_is_like_any_other() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        let (small, large) = (policy(algorithm, 10, "1m", None), policy(algorithm, 20, "1m", None));
        let mut ledger = lost();
        assert!(charge(&mut ledger, &small, 3, after(60)).allowed);
        assert_eq!(remaining(&mut ledger, &large, after(60)), 17, "{algorithm}");
    }
}

/// So many nanoseconds later a check of this cost, under the policy at this place of a list.
type Step = (u64, u64, usize);

/// Gaps that meet at edges of windows of 2 and 6 s often, and of what a token takes.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let edges = prop_oneof![Just(0), Just(1), Just(SECOND), Just(SECOND / 2), Just(2 * SECOND), Just(6 * SECOND)];
    let gap = prop_oneof![edges, (0..2 * SECOND)];
    proptest::collection::vec((gap, prop_oneof![3 => Just(1u64), 1 => 1u64..=6], 0usize..4), 1..60)
}

fn algorithms() -> impl Strategy<Value = Algorithm> {
    prop_oneof![Just(Algorithm::FixedWindow), Just(Algorithm::SlidingWindow), Just(Algorithm::TokenBucket)]
}

/// Full again within a window: what was lost counts for no longer than that.
fn any_policy(algorithm: Algorithm, limits: &[(u64, u64)], burst: Option<u64>) -> Policy {
    let window = |seconds: u64| Window::new(Nanos(seconds * SECOND)).unwrap();
    let limits: Vec<Limit> =
        limits.iter().map(|(requests, seconds)| Limit::new(*requests, window(*seconds)).unwrap()).collect();
    let shortest = limits.iter().min_by_key(|limit| limit.window()).unwrap().requests();
    let burst = burst.map(|part| 1 + shortest * part / 101).filter(|_| algorithm == Algorithm::TokenBucket);
    Policy::new(PolicySpec { limits, algorithm, burst, ..PolicySpec::default() }).unwrap()
}

fn bursts() -> impl Strategy<Value = Option<u64>> {
    proptest::option::of(1u64..=100)
}

fn any_policies() -> impl Strategy<Value = Vec<Policy>> {
    let limits = proptest::collection::vec((1u64..=12, prop_oneof![Just(2u64), Just(6), Just(1)]), 1..=2);
    let one =
        (algorithms(), limits, bursts()).prop_map(|(algorithm, limits, burst)| any_policy(algorithm, &limits, burst));
    proptest::collection::vec(one, 4)
}

/// Policies of one algorithm and a window of six seconds.
fn alike() -> impl Strategy<Value = Vec<Policy>> {
    (algorithms(), proptest::collection::vec((1u64..=12, bursts()), 4)).prop_map(|(algorithm, numbers)| {
        numbers.into_iter().map(|(requests, burst)| any_policy(algorithm, &[(requests, 6)], burst)).collect()
    })
}

/// Runs the checks, with checkpoints in between that drop what has expired, and says what the policies for which `counts` holds have
/// admitted.
fn run(
    ledger: &mut Ledger,
    start: ShardTime,
    policies: &[Policy],
    steps: &[Step],
    counts: impl Fn(usize) -> bool,
) -> Vec<Admission> {
    let (mut now, mut admitted) = (start, Vec::new());
    for (gap, cost, place) in steps {
        now = now.plus(Nanos(*gap));
        if *place == 3 {
            let _ = ledger.take_pages(SHARD, now);
        }
        if charge(ledger, &policies[*place], *cost, now).allowed && counts(*place) {
            admitted.push(Admission { at: now, cost: *cost });
        }
    }
    admitted
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// The largest of the limits was used up when the state was lost. However often they change afterwards, the window that
    /// straddles the loss holds no more than the largest, and a bucket no more than the largest rate earned.
    #[test]
    fn the_window_that_straddles_a_loss_holds_the_largest_limit(policies in alike(), steps in steps()) {
        let admitted = run(&mut lost(), LOST, &policies, &steps, |_| true);
        let until = after(6);
        let used = policies.iter().map(|policy| policy.capacities()[0]).max().unwrap();
        let rate = policies.iter().map(|policy| policy.limits()[0].requests()).max().unwrap();
        let limit = Limit::new(rate, policies[0].limits()[0].window()).unwrap();
        let before = [Admission { at: LOST, cost: used }];
        let trace = Trace::new(before.into_iter().chain(admitted.into_iter().filter(|one| one.at < until)).collect());
        let outcome = match policies[0].algorithm() {
            Algorithm::TokenBucket => trace.check_bucket(&limit, used),
            Algorithm::FixedWindow | Algorithm::SlidingWindow => trace.check_every_interval(&limit),
        };
        prop_assert_eq!(outcome, Ok(()));
    }

    /// A policy that comes back after the loss, whatever stood in between, keeps its limits as if nothing had been lost.
    #[test]
    fn a_policy_that_comes_back_after_a_loss_opens_nothing(policies in any_policies(), earlier in steps(), later in steps()) {
        let mut ledger = fresh();
        let home = |place: usize| place == 0;
        let start = ShardTime(LOST.0 - earlier.iter().map(|step| step.0).sum::<u64>());
        let mut admitted = run(&mut ledger, start, &policies, &earlier, home);
        while charge(&mut ledger, &policies[0], 1, LOST).allowed {
            admitted.push(Admission { at: LOST, cost: 1 });
        }
        ledger.lose_everything(LOST);
        admitted.extend(run(&mut ledger, LOST, &policies, &later, home));
        prop_assert_eq!(Trace::new(admitted).check(&policies[0]), Ok(()));
    }

    /// Two windows after a change nothing is withheld any more.
    #[test]
    fn what_is_withheld_comes_back(policies in any_policies(), steps in steps(), wait in 0..7 * SECOND) {
        let mut ledger = lost();
        let steps: Vec<Step> = steps.into_iter().map(|(gap, cost, _)| (gap, cost, 0)).collect();
        run(&mut ledger, LOST, &policies, &steps, |_| true);
        let changed = steps.iter().fold(LOST, |now, step| now.plus(Nanos(step.0))).plus(Nanos(wait));
        let last = &policies[1];
        let least = *last.capacities().iter().min().unwrap();
        charge(&mut ledger, last, least, changed);
        let window = last.shape().longest_window();
        prop_assert_eq!(remaining(&mut ledger, last, changed.plus(window).plus(window)), least);
    }
}
