//! Whether more was admitted than the limits allow.
//!
//! In shard time (I4, I4t): the sum of each fixed window, and of every interval of a sliding window's length, is at most the limit; every
//! interval of a token bucket admits at most burst + rate x length. An admission whose answer never left counts as not admitted.
//!
//! By real time: whatever shard time claims, no real interval admits more than its limit allows, up to the drift of clocks. This is what a
//! client would measure, and what a clock that jumps would break. A fixed window may admit its limit twice within one length of it, so it
//! is allowed that, and a bucket earns what one window refills on top of what it held.
//!
//! Source: protocol, invariants; the definitions of the limits; promise P2 (wall clocks that disagree by any amount, clock rates within
//! 0.1 %).

use drl_limits::reference::{Admission, Trace, Violation};
use drl_limits::{Algorithm, Limit, Policy};

use super::Admitted;

/// An interval of real time in which more was admitted than is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{admitted} admitted from {from} to {to} ns of real time where {allowed} are allowed")]
pub struct Overdraft {
    pub from: u64,
    pub to: u64,
    pub admitted: u64,
    pub allowed: u64,
}

/// By what owners say of their own time.
///
/// # Errors
/// The first [`Violation`].
pub fn in_shard_time(policy: &Policy, admitted: &[Admitted]) -> Result<(), Violation> {
    let answered = admitted.iter().filter(|admitted| admitted.answered);
    let timed = answered.filter_map(|admitted| Some(Admission { at: admitted.at?, cost: admitted.cost }));
    Trace::new(timed.collect()).check(policy)
}

/// By real time. `excess`: what may have been admitted on top, from one moment to another.
///
/// # Errors
/// The first [`Overdraft`].
pub fn in_real_time(policy: &Policy, admitted: &[Admitted], excess: impl Fn(u64, u64) -> u64) -> Result<(), Overdraft> {
    let answered: Vec<&Admitted> = admitted.iter().filter(|admitted| admitted.answered).collect();
    policy.limits().iter().try_for_each(|limit| check(policy.algorithm(), limit, &answered, &excess))
}

/// An admission lies in an interval for certain when it was asked for and answered within it. So the most that certainly lies in an interval
/// which ends with an answer is all that was answered until then, and asked for since it began.
fn check(
    algorithm: Algorithm,
    limit: &Limit,
    answered: &[&Admitted],
    excess: impl Fn(u64, u64) -> u64,
) -> Result<(), Overdraft> {
    // Two clocks at opposite ends of the allowed rates, and the arithmetic of nanoseconds.
    let window = limit.window().nanos().0 / 1_000 * 997;
    let times = match algorithm {
        Algorithm::SlidingWindow => 1,
        Algorithm::FixedWindow | Algorithm::TokenBucket => 2,
    };
    let limit = limit.requests() * times;
    let (mut by_sent, mut by_real): (Vec<usize>, Vec<usize>) = ((0..answered.len()).collect(), Vec::new());
    by_real.clone_from(&by_sent);
    by_sent.sort_by_key(|index| answered[*index].sent);
    by_real.sort_by_key(|index| answered[*index].real);
    let (mut is_counted, mut is_over) = (vec![false; answered.len()], vec![false; answered.len()]);
    let (mut first, mut sum) = (0, 0);
    for index in by_real {
        let last = answered[index];
        // Before what is over is left out, so that an interval ends with the answer that it is named for.
        if !is_over[index] {
            is_counted[index] = true;
            sum += last.cost;
        }
        while let Some(oldest) = by_sent.get(first).filter(|oldest| last.real >= answered[**oldest].sent + window) {
            is_over[*oldest] = true;
            sum -= if is_counted[*oldest] { answered[*oldest].cost } else { 0 };
            first += 1;
        }
        let from = by_sent.get(first).map_or(last.sent, |oldest| answered[*oldest].sent);
        let allowed = limit + excess(from, last.real);
        if sum > allowed {
            return Err(Overdraft { from, to: last.real, admitted: sum, allowed });
        }
    }
    Ok(())
}
