//! I4 by real time: whatever shard time claims, no real interval admits more than its limit allows, up to the drift of clocks. This
//! is what a client would measure, and what a clock that jumps would break. Source: promise P2 (wall clocks that disagree by any
//! amount; clock rates within 0.1 %).
//!
//! A fixed window may admit its limit twice within one length of it, so it is allowed that.

use drl_limits::Algorithm;

use super::{Violation, deadline};
use crate::trace::Client;

/// What class `async` may admit too much (I4a): B for every take-over without a plan that the interval touches.
pub(super) struct Excess<'a> {
    pub(super) bound: u64,
    pub(super) take_overs: &'a [u64],
}

impl Excess<'_> {
    fn of(&self, client: &Client, from: u64, to: u64) -> u64 {
        // An owner that was taken over from, and does not know it, may answer ahead until its deadline.
        let from = from.saturating_sub(deadline::AUTHORITY);
        let touching = self.take_overs.iter().filter(|at| (from..=to).contains(*at)).count() as u64;
        if client.is_async() { touching * self.bound } else { 0 }
    }
}

pub(super) fn check(number: usize, client: &Client, excess: &Excess<'_>, at: u64) -> Result<(), Violation> {
    let answered: Vec<_> = client.admitted.iter().filter(|admitted| admitted.answered).collect();
    for limit in client.policy.limits() {
        // Two clocks at opposite ends of the allowed rates, and the arithmetic of nanoseconds.
        let window = limit.window().nanos().0 / 1_000 * 997;
        let (fixed, bucket) = match client.policy.algorithm() {
            Algorithm::FixedWindow => (2, 0),
            Algorithm::SlidingWindow => (1, 0),
            Algorithm::TokenBucket => (1, 1),
        };
        // A bucket earns what one window refills on top of what it held.
        let allowed = limit.requests() * (fixed + bucket);
        let (mut first, mut sum) = (0, 0);
        for last in &answered {
            sum += last.cost;
            while last.real - answered[first].real >= window {
                sum -= answered[first].cost;
                first += 1;
            }
            let allowed = allowed + excess.of(client, answered[first].real, last.real);
            if sum > allowed {
                let what = format!(
                    "client {number} of shard {}, {} {}: {sum} admitted from {} to {} ns of real time where {allowed} are allowed",
                    client.shard,
                    client.policy.algorithm(),
                    client.policy.durability(),
                    answered[first].real,
                    last.real
                );
                return Err(Violation::new("I4 (real time)", at, what));
            }
        }
    }
    Ok(())
}
