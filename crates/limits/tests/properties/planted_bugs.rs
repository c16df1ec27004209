//! A checker that never caught anything is no evidence: these limiters are wrong on purpose, and the trace says so.

use drl_core::{Cost, ShardTime};
use drl_limits::reference::{Admission, Trace};
use drl_limits::{Algorithm, Counter, Limit, Policy};

use crate::scenario::policy;

const SECOND: u64 = 1_000_000_000;

fn trace(admissions: &[(u64, u64)]) -> Trace {
    Trace::new(admissions.iter().map(|(at, cost)| Admission { at: ShardTime(*at), cost: *cost }).collect())
}

/// GCRA that forgets to lift the theoretical arrival time to `now` while an entry has not expired (found in a real limiter): a
/// bucket that was full for a while pays out the time it was full as well.
struct DoubleBurst {
    tat: u64,
    emission: u64,
    tolerance: u64,
}

impl DoubleBurst {
    fn allows(&mut self, now: u64) -> bool {
        let next = self.tat + self.emission;
        let allowed = next <= now + self.tolerance;
        if allowed {
            self.tat = next;
        }
        allowed
    }
}

/// Ten tokens, 60 per 60 s: 10 at once, then as many as pass at 17.9 s.
fn two_bursts(mut allows: impl FnMut(u64) -> bool) -> Trace {
    let sent = [0, 179 * SECOND / 10].map(|at| std::iter::repeat_n(at, 40));
    let admitted: Vec<_> = sent.into_iter().flatten().filter(|at| allows(*at)).map(|at| (at, 1)).collect();
    trace(&admitted)
}

fn ten_then_one_a_second() -> Policy {
    policy(Algorithm::TokenBucket, &[(60, "60s")], Some(10))
}

#[test]
fn the_double_burst_is_caught() {
    let mut bug = DoubleBurst { tat: 0, emission: SECOND, tolerance: 10 * SECOND };
    let violation = two_bursts(|at| bug.allows(at)).check(&ten_then_one_a_second()).unwrap_err();
    assert_eq!((violation.from.0, violation.to.0), (17_900_000_000, 17_900_000_000));
    assert_eq!((violation.admitted, violation.allowed), (11, 10));
    assert_eq!(bug.tat, 27 * SECOND, "10 and then 17");
}

#[test]
fn the_second_burst_of_a_counter_is_what_was_earned() {
    let policy = ten_then_one_a_second();
    let mut counter = Counter::fresh(&policy);
    let mut admitted = 0;
    let trace = two_bursts(|at| {
        let allowed = counter.check(&policy, ShardTime(at), Cost::ONE).allowed;
        admitted += u64::from(allowed);
        allowed
    });
    assert_eq!(trace.check(&policy), Ok(()));
    assert_eq!(admitted, 20);
}

#[test]
fn two_fixed_windows_in_one_interval_are_caught_by_the_sliding_claim_only() {
    let admitted = trace(&[(SECOND - 1, 10), (SECOND, 10)]);
    assert_eq!(admitted.check(&policy(Algorithm::FixedWindow, &[(10, "1s")], None)), Ok(()));
    let violation = admitted.check(&policy(Algorithm::SlidingWindow, &[(10, "1s")], None)).unwrap_err();
    assert_eq!((violation.from.0, violation.to.0, violation.admitted), (SECOND - 1, SECOND, 20));
}

#[test]
fn the_claims_hold_at_the_exact_edge_and_fail_one_beyond_it() {
    let limit = Limit::new(10, "1s".parse().unwrap()).unwrap();
    let whole_window_apart = trace(&[(5, 10), (5 + SECOND, 10)]);
    assert_eq!(whole_window_apart.check_every_interval(&limit), Ok(()));
    assert!(trace(&[(5, 10), (4 + SECOND, 1)]).check_every_interval(&limit).is_err());
    assert_eq!(trace(&[(0, 10), (SECOND - 1, 0)]).check_fixed(&limit), Ok(()));
    assert!(trace(&[(0, 10), (SECOND - 1, 1)]).check_fixed(&limit).is_err());
    // A token is earned in 100 ms.
    assert_eq!(trace(&[(7, 10), (7 + SECOND / 10, 1)]).check_bucket(&limit, 10), Ok(()));
    assert!(trace(&[(7, 10), (6 + SECOND / 10, 1)]).check_bucket(&limit, 10).is_err());
    // The interval that is over need not begin with the first admission.
    assert!(trace(&[(0, 1), (50 * SECOND, 10), (50 * SECOND + 1, 1)]).check_bucket(&limit, 10).is_err());
}

/// A sliding window that weighs the last fixed window by its overlap (an estimate many limiters use) is over its limit.
#[test]
fn the_weighted_estimate_of_a_sliding_window_is_caught() {
    let (mut used_before, mut used, mut index) = (0u64, 0u64, 0u64);
    let mut allows = |now: u64| {
        if now / SECOND > index {
            used_before = if now / SECOND == index + 1 { used } else { 0 };
            (used, index) = (0, now / SECOND);
        }
        let weighted = used_before * (SECOND - now % SECOND) / SECOND + used;
        used += u64::from(weighted < 10);
        weighted < 10
    };
    let sent = (0..20).map(|n| SECOND * 9 / 10 + n * SECOND / 20).map(|at| (at, 1));
    let burst = std::iter::repeat_n((SECOND * 9 / 10, 1), 10).chain(sent);
    let admitted: Vec<_> = burst.filter(|(at, _)| allows(*at)).collect();
    assert!(trace(&admitted).check(&policy(Algorithm::SlidingWindow, &[(10, "1s")], None)).is_err());
}
