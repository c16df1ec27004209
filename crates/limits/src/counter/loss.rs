//! Lost state and a change of policy.
//!
//! What was lost counts as used up by the first policy that is asked afterwards ([`Counter::exhausted`](super::Counter::exhausted)). If
//! that was a small one and a larger one comes back, more may have been used up than the counter says. So:
//!
//! **While what was lost counts for a limit, a change of policy makes no room in it.** Its room is then at most
//!
//! 1. that of the limit from which it takes its use: what passes at the moment of the change would have passed without it;
//! 2. that of the same limit used up at the moment of the loss. A window has none.
//!
//! It is enough for a bucket, through any number of changes: let C be what was admitted since the loss, d the time since then. C + room
//! begins at zero and grows with time alone, never faster than the largest rate: a charge moves a unit from one to the other, and a
//! change adds nothing (1). So C is at most the largest rate times d, and before the loss was at most the largest burst and rate times
//! the time until then. A policy that comes back finds no more than if it had been there all the time (2).
//!
//! A window that counts as used up is used up from the change on, and so until a window after the loss at the least, and less than two
//! at most: what was charged since the loss is covered by it and need not be told apart.
//!
//! A counter with more room than the loss leaves it did not begin with the loss: it was reset, or its policy did not mind. It is
//! converted as any other. Which of the two it is cannot be seen once it has as little room; then it counts as lost.

use drl_core::ShardTime;

use super::convert::bucket;
use crate::Algorithm;
use crate::cell::{Cell, Level};
use crate::shape::LimitShape;

/// State from before this moment was lost, and counts as used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss(pub ShardTime);

impl Loss {
    /// Until when it counts for a limit: for one window, and for a bucket until it is full again.
    fn counts_until(self, limit: &LimitShape) -> ShardTime {
        self.used_up(limit).expires_at(limit).max(self.0.plus(limit.window().nanos()))
    }

    /// What counts as used because of it, until then.
    fn level(self, limit: &LimitShape, now: ShardTime) -> Level {
        match limit.algorithm() {
            Algorithm::TokenBucket => self.used_up(limit).level(limit, now),
            Algorithm::FixedWindow | Algorithm::SlidingWindow => Level::whole(limit.capacity()),
        }
    }

    /// The limit as if it had been used up at the moment of the loss.
    fn used_up(self, limit: &LimitShape) -> Cell {
        Cell::spent(limit, self.0, limit.capacity())
    }
}

/// The cell of `new` that was `carried` over from `cell`, without room that may have been used up in what was lost.
pub(super) fn withheld(
    loss: Loss,
    carried: Cell,
    (cell, old): (&Cell, &LimitShape),
    new: &LimitShape,
    now: ShardTime,
) -> Cell {
    let is_kept = old.reads_like(new) && new.capacity() <= old.capacity();
    let began_anew = now < loss.counts_until(old) && is_less(cell.level(old, now), loss.level(old, now));
    if is_kept || began_anew || loss.counts_until(new) <= now {
        return carried;
    }
    let at = now.max(cell.latest());
    match new.algorithm() {
        Algorithm::SlidingWindow => Cell::spent(new, at, new.capacity()),
        Algorithm::FixedWindow => {
            // The window that contains the loss may end at once, and shard time has jumped there: whichever one is current until a
            // whole window has passed counts as used up.
            let last = ShardTime(loss.counts_until(new).0.saturating_sub(1));
            Cell::spent(new, at.max(last), new.capacity())
        }
        Algorithm::TokenBucket => {
            let Level { whole, part, parts } = cell.level(old, at);
            let raised = new.capacity().saturating_sub(old.capacity());
            let level = Level { whole: whole.saturating_add(raised), part, parts };
            let candidates = [carried, loss.used_up(new), Cell::Bucket(bucket(level, new, at))];
            candidates.into_iter().max_by_key(|cell| cell.expires_at(new)).unwrap_or_else(|| Cell::fresh(new))
        }
    }
}

/// Of two levels of one limit.
fn is_less(one: Level, other: Level) -> bool {
    (one.whole, one.part) < (other.whole, other.part)
}
