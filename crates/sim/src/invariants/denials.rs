//! I9: no needless denial. A denial is needed when what was decided before, answered or not, leaves no room for it, or when the
//! shard's state was lost less than a window ago. What was decided and lost in a crash may still be counted here, so this allows
//! as much withheld as was in flight. A sliding window may withhold for one sub-window more. Source: protocol, invariants.

use drl_core::{Epoch, ShardTime};
use drl_limits::{Algorithm, SUB_WINDOWS};

use super::Violation;
use crate::swarm::SECOND;
use crate::trace::{Client, Decided};

pub(super) fn check(client: &Client, denied: &Decided, floor: Option<(Epoch, ShardTime)>) -> Result<(), Violation> {
    let needed = client.policy.limits().iter().zip(client.policy.capacities()).any(|(limit, capacity)| {
        let window = limit.window().nanos().0;
        let sub_window = window / u64::from(SUB_WINDOWS);
        let is_lost = floor.is_some_and(|(_, floor)| denied.at.0 < floor.0 + window + sub_window + 1);
        let cost = denied.cost;
        is_lost
            || cost > *capacity
            || match client.policy.algorithm() {
                Algorithm::FixedWindow => {
                    used(client, |at| at.0 / window == denied.at.0 / window, window, denied) + cost > *capacity
                }
                Algorithm::SlidingWindow => {
                    let from = denied.at.0.saturating_sub(window + sub_window + 1);
                    used(client, |at| at.0 >= from, window + sub_window + 1, denied) + cost > *capacity
                }
                Algorithm::TokenBucket => is_empty(client, denied, floor, (window, limit.requests(), *capacity)),
            }
    });
    if needed {
        return Ok(());
    }
    let what =
        format!("{denied:?} ({} {:?}) is denied without need", client.policy.algorithm(), client.policy.limits());
    Err(Violation::new("I9", denied.real, what))
}

/// By how much the time of whoever took over may be behind.
const LONGEST_LAG: u64 = 200 * SECOND;

/// What was decided in times that count.
fn used(client: &Client, counts: impl Fn(ShardTime) -> bool, span: u64, denied: &Decided) -> u64 {
    // An owner that nobody believes any more may be ahead of whoever took over, so time does not only go on in the list; but nobody
    // is behind by more than the longest pause.
    let oldest = denied.at.0.saturating_sub(2 * span + LONGEST_LAG);
    let recent = client.admitted.iter().rev().take_while(|admitted| admitted.at.0 >= oldest);
    recent.filter(|admitted| counts(admitted.at)).map(|admitted| admitted.cost).sum()
}

/// Whether a bucket that was charged with everything, and emptied at the floor, would not have this cost. In units of
/// (nanoseconds x requests).
fn is_empty(
    client: &Client,
    denied: &Decided,
    floor: Option<(Epoch, ShardTime)>,
    (window, requests, burst): (u64, u64, u64),
) -> bool {
    let (window, requests) = (u128::from(window), u128::from(requests));
    let mut busy_until: u128 = 0;
    let mut floor = floor.map(|(_, floor)| floor);
    for admitted in &client.admitted {
        if let Some(emptied) = floor.take_if(|floor| *floor <= admitted.at) {
            busy_until = busy_until.max(u128::from(emptied.0) * requests + u128::from(burst) * window);
        }
        let at = u128::from(admitted.at.0) * requests;
        busy_until = busy_until.max(at) + u128::from(admitted.cost) * window;
    }
    let now = u128::from(denied.at.0) * requests;
    // A nanosecond of rounding for each side.
    busy_until.max(now) + u128::from(denied.cost) * window + 2 * requests > now + u128::from(burst) * window
}
