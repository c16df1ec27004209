//! I9: no needless denial. A denial is needed when what was decided before, answered or not, leaves no room for it, or when the
//! shard's state was lost less than a window ago. What was decided and lost in a crash may still be counted here, so this allows
//! as much withheld as was in flight. A sliding window may withhold for one sub-window more. Source: protocol, invariants.

use drl_limits::{Algorithm, Limit, Policy, SUB_WINDOWS};

use super::{Admitted, Denied};

/// By how much the time of whoever took over may be behind, in nanoseconds.
const LONGEST_LAG: i128 = 200_000_000_000;

/// Whether a denial had to be. `admitted` has everything that was decided before it, in about the order of time; `lost`: the shard's state
/// was lost so long before it, in nanoseconds.
#[must_use]
pub fn is_needed(policy: &Policy, admitted: &[Admitted], denied: &Denied, lost: Option<i128>) -> bool {
    policy.limits().iter().zip(policy.capacities()).any(|(limit, capacity)| {
        let window = i128::from(limit.window().nanos().0);
        let longest = window + window / i128::from(SUB_WINDOWS.get()) + 1;
        let is_lost = lost.is_some_and(|age| age < longest);
        let used = match policy.algorithm() {
            _ if is_lost || denied.cost > *capacity => return true,
            Algorithm::FixedWindow => used(admitted, denied, window, |charge| is_in_window(charge, denied, window)),
            Algorithm::SlidingWindow => used(admitted, denied, longest, |charge| age(charge, denied) <= longest),
            Algorithm::TokenBucket => return is_empty(admitted, denied, lost, limit, *capacity),
        };
        used + denied.cost > *capacity
    })
}

/// How long before the denial it was decided, at least; below zero when it was later. By shard time where both are known by it.
fn age(charge: &Admitted, denied: &Denied) -> i128 {
    match (charge.at, denied.at) {
        (Some(charged), Some(denied)) => i128::from(denied.0) - i128::from(charged.0),
        _ => i128::from(denied.sent) - i128::from(charge.real),
    }
}

fn is_in_window(charge: &Admitted, denied: &Denied, window: i128) -> bool {
    match (charge.at, denied.at) {
        (Some(charged), Some(denied)) => i128::from(charged.0) / window == i128::from(denied.0) / window,
        _ => age(charge, denied) < window,
    }
}

/// What was decided in times that count.
fn used(admitted: &[Admitted], denied: &Denied, span: i128, counts: impl Fn(&Admitted) -> bool) -> u64 {
    // An owner that nobody believes any more may be ahead of whoever took over, so time does not only go on in the list; but nobody
    // is behind by more than the longest pause.
    let recent = admitted.iter().rev().take_while(|charge| age(charge, denied) <= 2 * span + LONGEST_LAG);
    recent.filter(|charge| counts(charge)).map(|charge| charge.cost).sum()
}

/// Whether a bucket that was charged with everything, and emptied at the loss, would not have this cost. In units of
/// (nanoseconds x requests), counted from the denial.
fn is_empty(admitted: &[Admitted], denied: &Denied, lost: Option<i128>, limit: &Limit, burst: u64) -> bool {
    let (window, requests) = (i128::from(limit.window().nanos().0), i128::from(limit.requests()));
    let mut busy_until = i128::MIN;
    let mut lost = lost.map(|age| -age);
    for charge in admitted {
        let at = -age(charge, denied);
        if let Some(emptied) = lost.take_if(|emptied| *emptied <= at) {
            busy_until = busy_until.max(emptied * requests + i128::from(burst) * window);
        }
        busy_until = busy_until.max(at * requests) + i128::from(charge.cost) * window;
    }
    // A nanosecond of rounding for each side.
    busy_until.max(0) + i128::from(denied.cost) * window + 2 * requests > i128::from(burst) * window
}
