//! When a worker may make its next call. Closed loop: as soon as its last one was answered. Open loop: when one is due, and who comes late
//! to a call that was due before still counts from when it was due.
//!
//! ```text
//!   due:      1    2    3    4    5    6      every interval, whatever happens
//!   released: 1    2    3    4    5    6      by the pacer
//!   claimed:  1    2 ........... 3456         the server stalled, all workers waited
//!   latency:       |------------>|            of 3, 4, 5, 6 from when each was due: the stall is theirs, too
//! ```

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use drl_core::Nanos;
use tokio::sync::Semaphore;

use crate::schedule::Schedule;
use crate::span::Span;

/// Monotonic time.
pub type Clock = fn() -> Nanos;

/// Leave to make one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Now,
    /// Latency counts from this moment, which is now or earlier.
    Due(Nanos),
}

/// Whose turn it is, for all workers.
#[derive(Debug)]
pub(crate) enum Turns {
    Closed(Closed),
    Open(Open),
}

/// Every worker's turn, until the end.
#[derive(Debug)]
pub(crate) struct Closed {
    clock: Clock,
    end: Nanos,
    is_over: AtomicBool,
}

/// A turn for each call that is due.
#[derive(Debug)]
pub(crate) struct Open {
    schedule: Schedule,
    /// Calls that are due and that nobody has claimed.
    waiting: Semaphore,
    released: AtomicU64,
    claimed: AtomicU64,
}

impl Turns {
    /// Without a rate the loop is closed. Calls are of so many checks.
    pub(crate) fn new(clock: Clock, span: Span, rate: Option<u64>, checks_per_call: u64) -> Self {
        match rate {
            None => Self::Closed(Closed { clock, end: span.end, is_over: AtomicBool::new(false) }),
            Some(rate) => Self::Open(Open::new(Schedule::new(span.start, span.end, rate, checks_per_call))),
        }
    }

    /// Waits for the next turn. `None`: there are no more.
    pub(crate) async fn next(&self) -> Option<Turn> {
        match self {
            Self::Closed(closed) => closed.next(),
            Self::Open(open) => open.next().await.map(Turn::Due),
        }
    }

    /// There are no more turns.
    pub(crate) fn end(&self) {
        match self {
            Self::Closed(closed) => closed.is_over.store(true, Ordering::Relaxed),
            Self::Open(open) => open.waiting.close(),
        }
    }

    /// Calls that were due from `begin` on, and that no worker was free to make before the end.
    pub(crate) fn missed(&self, begin: Nanos) -> u64 {
        match self {
            Self::Closed(_) => 0,
            Self::Open(open) => open.missed(begin),
        }
    }
}

impl Closed {
    fn next(&self) -> Option<Turn> {
        let is_over = self.is_over.load(Ordering::Relaxed) || (self.clock)() >= self.end;
        (!is_over).then_some(Turn::Now)
    }
}

impl Open {
    fn new(schedule: Schedule) -> Self {
        let waiting = Semaphore::new(0);
        if schedule.total() == 0 {
            waiting.close();
        }
        Self { schedule, waiting, released: AtomicU64::new(0), claimed: AtomicU64::new(0) }
    }

    /// Releases what is due by `now`, and says when the next call is. `None`: all are released, or nobody wants more.
    pub(crate) fn release(&self, now: Nanos) -> Option<Nanos> {
        if self.waiting.is_closed() {
            return None;
        }
        let due = self.schedule.due_by(now);
        let more = due.saturating_sub(self.released.swap(due, Ordering::Relaxed));
        // The highest rate for the longest time is a thousandth of what a semaphore takes.
        self.waiting.add_permits(usize::try_from(more).unwrap_or(0));
        (due < self.schedule.total()).then(|| self.schedule.due(due))
    }

    async fn next(&self) -> Option<Nanos> {
        self.waiting.acquire().await.ok()?.forget();
        let nth = self.claimed.fetch_add(1, Ordering::Relaxed);
        if nth + 1 >= self.schedule.total() {
            self.waiting.close();
        }
        Some(self.schedule.due(nth))
    }

    fn missed(&self, begin: Nanos) -> u64 {
        let first = self.schedule.due_by(Nanos(begin.0.saturating_sub(1)));
        let claimed = self.claimed.load(Ordering::Relaxed).max(first);
        self.released.load(Ordering::Relaxed).saturating_sub(claimed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Nanos = Nanos(1_000);

    fn at(millis: u64) -> Nanos {
        Nanos(START.0 + millis * 1_000_000)
    }

    /// A call each millisecond for ten of them.
    fn open() -> Open {
        Open::new(Schedule::new(START, at(10), 1_000, 1))
    }

    #[tokio::test]
    async fn a_call_that_is_claimed_late_is_due_when_it_was_due() {
        let open = open();
        assert_eq!(open.release(at(0)), Some(at(1)));
        assert_eq!(open.next().await, Some(at(0)));
        assert_eq!(open.release(at(5)), Some(at(6)));
        for due in 1..=5 {
            assert_eq!(open.next().await, Some(at(due)));
        }
        assert_eq!(open.release(at(60)), None);
        for due in 6..=9 {
            assert_eq!(open.next().await, Some(at(due)));
        }
        assert_eq!((open.next().await, open.missed(START)), (None, 0));
    }

    #[tokio::test]
    async fn what_nobody_was_free_for_is_missed_and_not_forgotten() {
        let open = open();
        open.release(at(7));
        assert_eq!(open.next().await, Some(at(0)));
        open.waiting.close();
        assert_eq!(open.release(at(9)), None);
        assert_eq!((open.next().await, open.missed(START), open.missed(at(5))), (None, 7, 3));
    }

    #[tokio::test]
    async fn a_schedule_without_calls_has_no_turns() {
        let open = Open::new(Schedule::new(START, START, 1_000, 1));
        assert_eq!((open.release(at(5)), open.next().await), (None, None));
    }

    #[tokio::test]
    async fn a_closed_loop_has_turns_until_its_end_or_until_it_is_told_to_end() {
        let turns = |end| Turns::new(|| at(3), Span { start: START, begin: START, end: at(end) }, None, 1);
        assert_eq!((turns(4).next().await, turns(3).next().await), (Some(Turn::Now), None));
        let told = turns(4);
        told.end();
        assert_eq!((told.next().await, told.missed(START)), (None, 0));
    }
}
