//! One decision over several limits. A check passes when every limit lets it pass; the decision shows the limit that matters most.

use drl_core::{Cost, Nanos, ShardTime};

use crate::cell::{Cell, Standing};
use crate::{Decision, OnUnavailable, Policy, Reason, Retry};

/// When `cost` passes every limit: the latest of their answers.
pub(super) fn retry(policy: &Policy, cells: &[Cell], now: ShardTime, cost: Cost) -> Retry {
    let retries =
        cells.iter().zip(policy.rules()).map(|(cell, (shape, capacity))| cell.retry(shape, capacity, now, cost));
    retries.max().unwrap_or(Retry::Now)
}

/// What an admission shows: of the limits as they now stand the one with the least remaining, and among equals the one that
/// resets last.
pub(super) fn allowed(policy: &Policy, cells: &[Cell], now: ShardTime) -> Decision {
    decision(now, Retry::Now, tightest(policy, cells, now, |_, _, _| true))
}

/// What a denial shows: the limit that holds longest.
pub(super) fn denied(policy: &Policy, cells: &[Cell], now: ShardTime, cost: Cost, retry: Retry) -> Decision {
    let holds_longest = |cell: &Cell, shape: &_, capacity| cell.retry(shape, capacity, now, cost) == retry;
    decision(now, retry, tightest(policy, cells, now, holds_longest))
}

/// Decides and charges nothing.
pub(super) fn peek(policy: &Policy, cells: &[Cell], now: ShardTime, cost: Cost) -> Decision {
    match retry(policy, cells, now, cost) {
        Retry::Now => allowed(policy, cells, now),
        retry => denied(policy, cells, now, cost, retry),
    }
}

/// The limit that a decision shows.
#[derive(Clone, Copy)]
struct Shown {
    capacity: u64,
    window: Nanos,
    standing: Standing,
}

fn tightest(
    policy: &Policy,
    cells: &[Cell],
    now: ShardTime,
    is_shown: impl Fn(&Cell, &crate::shape::LimitShape, u64) -> bool,
) -> Shown {
    let mut found: Option<Shown> = None;
    for (cell, (shape, capacity)) in cells.iter().zip(policy.rules()) {
        if !is_shown(cell, shape, capacity) {
            continue;
        }
        let standing = cell.standing(shape, capacity, now);
        let tighter = found.is_none_or(|Shown { standing: best, .. }| {
            standing.remaining < best.remaining
                || (standing.remaining == best.remaining && standing.reset_after > best.reset_after)
        });
        if tighter {
            found = Some(Shown { capacity, window: shape.window().nanos(), standing });
        }
    }
    // There is always a limit to show: a policy has at least one, and one of them gave the retry.
    let nothing = Standing { remaining: 0, reset_after: Nanos::ZERO };
    found.unwrap_or(Shown { capacity: 0, window: Nanos::ZERO, standing: nothing })
}

fn decision(now: ShardTime, retry: Retry, Shown { capacity: limit, window, standing }: Shown) -> Decision {
    let reason = match retry {
        Retry::Now => Reason::WithinLimit,
        Retry::After(_) => Reason::OverLimit,
        Retry::Never => Reason::CostAboveLimit,
    };
    Decision {
        allowed: retry == Retry::Now,
        limit,
        window,
        remaining: standing.remaining,
        retry,
        reset_after: standing.reset_after,
        policy_revision: 0,
        on_unavailable: OnUnavailable::Deny,
        decided_at: now,
        reason,
    }
}
