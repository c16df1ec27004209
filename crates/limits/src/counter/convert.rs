//! What a counter becomes when its policy changed: what was used counts as spent at the moment of the change, rounded up.
//!
//! Each new limit takes the use of one old limit: the one that counts in the same way, else one of the same window (at the same
//! place in the list, if there are several), else the one of the next longer window (it saw at least as much), else the longest.
//!
//! Limits that the new policy does not have are remembered: they decide nothing, but go on counting until they have expired. So a
//! policy that comes back, or another of its window, finds exactly what was used, whatever stood in between. Otherwise a short
//! look through another policy (or a denied command with other numbers) would wipe a long window.
//!
//! ```text
//!   policy     100 per 1h        1 per 1s           100 per 1h
//!   counter    [1h: 100]   ->    [1s: 1 | 1h: 100]  ->  [1h: 100]
//! ```
//!
//! Invariant: with the same window, the window that straddles the change never admits more than the larger of the two limits, and a
//! lowered limit denies at once.
//!
//! * Fixed and sliding windows whose window is the same are kept as they are; another number of requests is just another limit.
//! * A bucket of a policy that carries time over keeps the moment at which it is full, as redis-cell does.
//! * Else a bucket takes over the level to the nanosecond, at most as an empty bucket: a limit that was lowered a hundredfold holds a
//!   client for one refill and not for a hundred.
//! * A bucket forgets what it earned again. The first window after it takes over the level, so an interval that straddles the change
//!   may hold what the bucket earned in it before the change on top.
//! * A fixed window's use may all have happened at the end of it, so it is placed at the moment of the change. Of the window
//!   before that nothing is known: whoever changes from fixed to sliding may see the fixed window's double edge one last time.
//! * Where state was lost, a change makes no room that may have been used up before: `loss.rs`.

use std::cmp::Reverse;

use drl_core::caps::{COST_MAX, LIMITS_REMEMBERED_MAX};
use drl_core::{Nanos, ShardTime};

use super::Cells;
use super::loss::{Loss, withheld};
use crate::cell::{Cell, Level};
use crate::shape::LimitShape;
use crate::sliding_window::{Entry, SlidingWindow};
use crate::token_bucket::TokenBucket;
use crate::wide::{narrow, product};
use crate::{Algorithm, Carry, Policy, Shape};

/// Limits that decide nothing and go on counting.
pub(super) struct Remembered {
    pub(super) limits: Vec<LimitShape>,
    /// From then on everything in them is younger than the change of policy.
    pub(super) until: ShardTime,
}

/// The cells that a counter of `old` shape has under `policy` from `now` on; the last of them are remembered.
pub(super) fn cells(
    old: &Shape,
    cells: &[Cell],
    loss: Option<Loss>,
    policy: &Policy,
    now: ShardTime,
) -> (Cells, Remembered) {
    let convert = |(at, new): (usize, &LimitShape)| {
        let Some(from) = source(old.limits(), at, new) else { return Cell::fresh(new) };
        let (cell, old) = (&cells[from], &old.limits()[from]);
        let carried = converted(cell, old, new, policy.carry(), now);
        match loss {
            Some(loss) => withheld(loss, carried, (cell, old), new, now),
            None => carried,
        }
    };
    let until = old.limits().iter().zip(cells).map(|(shape, cell)| cell.expires_at(shape)).max().unwrap_or_default();
    let kept = match policy.carry() {
        Carry::Units if until > now => remembered(old, cells, policy.shape().limits()),
        _ => Vec::new(),
    };
    let limits = kept.iter().map(|(shape, _)| **shape).collect();
    let carried_over = policy.shape().limits().iter().enumerate().map(convert);
    (carried_over.chain(kept.into_iter().map(|(_, cell)| cell.clone())).collect(), Remembered { limits, until })
}

/// What the new policy does not count itself, also where nothing is used: a limit that comes back would otherwise take its use from
/// one that had taken it over. Of too many those that last longest.
fn remembered<'a>(old: &'a Shape, cells: &'a [Cell], new: &[LimitShape]) -> Vec<(&'a LimitShape, &'a Cell)> {
    let is_counted = |shape: &LimitShape| new.iter().any(|new| shape.reads_like(new));
    let mut kept: Vec<_> = old.limits().iter().zip(cells).filter(|(shape, _)| !is_counted(shape)).collect();
    kept.sort_by_key(|(shape, cell)| Reverse(cell.expires_at(shape)));
    kept.truncate(LIMITS_REMEMBERED_MAX);
    kept
}

/// Which old limit the new limit at place `at` takes its use from. `None` only if there is no old limit at all.
fn source(old: &[LimitShape], at: usize, new: &LimitShape) -> Option<usize> {
    let places = || 0..old.len();
    let same_window = |index: &usize| old[*index].window() == new.window();
    let same_place = Some(at).filter(|index| *index < old.len()).filter(same_window);
    let alike = || places().find(|index| old[*index].reads_like(new));
    let same = || places().find(same_window);
    let longer = || places().filter(|index| old[*index].window() > new.window()).min_by_key(|at| old[*at].window());
    let longest = || places().max_by_key(|index| old[*index].window());
    let exact = same_place.filter(|index| old[*index].reads_like(new));
    exact.or_else(alike).or(same_place).or_else(same).or_else(longer).or_else(longest)
}

fn converted(cell: &Cell, old: &LimitShape, new: &LimitShape, carry: Carry, now: ShardTime) -> Cell {
    if old.reads_like(new) {
        return cell.clone();
    }
    // A cell may know of a later moment than `now`; placing its use before that would release it early.
    let at = now.max(cell.latest());
    match (cell, new.algorithm()) {
        (Cell::Sliding(cell), Algorithm::SlidingWindow) => Cell::Sliding(regrouped(cell, old, new, at)),
        (Cell::Bucket(cell), Algorithm::TokenBucket) if carry == Carry::Time => {
            Cell::Bucket(TokenBucket::new(at, 0, cell.expires_at(old).since(at)))
        }
        (_, Algorithm::TokenBucket) => Cell::Bucket(bucket(cell.level(old, at), new, at)),
        _ => Cell::spent(new, at, cell.level(old, at).rounded_up().min(COST_MAX)),
    }
}

/// The part of a unit becomes the time that the new rate takes to earn it, rounded up to the nanosecond; where a nanosecond earns
/// more than the rest of the unit, the unit is rounded up instead.
pub(super) fn bucket(level: Level, new: &LimitShape, at: ShardTime) -> TokenBucket {
    let (window, requests) = (new.window_nanos().get(), new.requests().get());
    let late = narrow(product(level.part, window).div_ceil(product(level.parts.get(), requests)));
    if level.whole >= new.capacity() {
        TokenBucket::new(at, new.capacity(), Nanos::ZERO)
    } else if product(late, requests) > u128::from(window) {
        TokenBucket::new(at, level.rounded_up(), Nanos::ZERO)
    } else {
        TokenBucket::new(at, level.whole, Nanos(late))
    }
}

/// The same charges in the sub-windows of the new window: entries that fall into one become one, as old as its latest.
fn regrouped(cell: &SlidingWindow, old: &LimitShape, new: &LimitShape, at: ShardTime) -> SlidingWindow {
    let live = cell.live(old, at).iter().filter(|entry| at.since(entry.latest) < new.window().nanos());
    let mut entries: Vec<Entry> = Vec::new();
    for entry in live.filter(|entry| entry.cost > 0) {
        let slot = |time: ShardTime| time.0 / new.sub_window_nanos();
        match entries.last_mut() {
            Some(newest) if slot(newest.latest) == slot(entry.latest) => {
                newest.latest = entry.latest;
                newest.cost = newest.cost.saturating_add(entry.cost);
            }
            _ => entries.push(*entry),
        }
    }
    SlidingWindow::new(at, entries)
}
