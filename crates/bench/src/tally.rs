//! What was measured, of many workers at once: counts and two histograms in a few pieces, so that workers do not wait for each other.

use std::sync::{Mutex, PoisonError};

use drl_core::Nanos;
use hdrhistogram::Histogram;

use crate::told::Told;
use crate::turns::Turn;

/// Values are kept to three digits: 1.23 ms is told from 1.24 ms.
const DIGITS: u8 = 3;

/// The longest latency that is told from longer ones. A call is given up long before.
const LATENCY_MAX: Nanos = Nanos::from_secs(600);

/// Pieces; more than a generator has threads gains nothing, and each takes half a MiB.
const PIECES_MAX: usize = 16;

/// When one call happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moments {
    pub(crate) turn: Turn,
    pub(crate) sent: Nanos,
    pub(crate) done: Nanos,
}

impl Moments {
    /// What the caller waited. In an open loop that begins when the call was due and not when there was somebody to make it: else
    /// a server that stalls would be asked less, and look better, just while it stalls (coordinated omission).
    fn latency(&self) -> Nanos {
        Nanos(self.done.0.saturating_sub(self.intended().0))
    }

    /// How late it was sent.
    fn lateness(&self) -> Nanos {
        Nanos(self.sent.0.saturating_sub(self.intended().0))
    }

    /// When it should have been sent.
    pub(crate) const fn intended(&self) -> Nanos {
        match self.turn {
            Turn::Due(due) => due,
            Turn::Now => self.sent,
        }
    }
}

/// All that was measured, or a part of it.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) told: Told,
    /// Nanoseconds of each call of which any check was decided.
    pub(crate) latency: Histogram<u64>,
    /// Nanoseconds by which calls of an open loop were sent late.
    pub(crate) lateness: Histogram<u64>,
    pub(crate) calls: u64,
    /// When the last call was done.
    pub(crate) last_done: Nanos,
}

/// A histogram cannot be made: not with these bounds, and they are constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot keep latencies: {0}")]
pub struct TallyError(#[from] hdrhistogram::CreationError);

impl Measured {
    pub(crate) fn new() -> Result<Self, TallyError> {
        let histogram = || Histogram::new_with_bounds(1, LATENCY_MAX.0, DIGITS);
        Ok(Self {
            told: Told::default(),
            latency: histogram()?,
            lateness: histogram()?,
            calls: 0,
            last_done: Nanos::ZERO,
        })
    }

    pub(crate) fn add(&mut self, moments: Moments, told: &Told) {
        self.told.absorb(told);
        self.calls += 1;
        self.last_done = self.last_done.max(moments.done);
        if told.has_decisions() {
            self.latency.saturating_record(moments.latency().0);
        }
        if matches!(moments.turn, Turn::Due(_)) {
            self.lateness.saturating_record(moments.lateness().0);
        }
    }

    fn absorb(&mut self, other: &Self) {
        self.told.absorb(&other.told);
        self.calls += other.calls;
        self.last_done = self.last_done.max(other.last_done);
        // They have the same bounds, so that nothing can be in the way.
        let _ = self.latency.add(&other.latency);
        let _ = self.lateness.add(&other.lateness);
    }
}

/// The pieces of all workers.
#[derive(Debug)]
pub(crate) struct Tally {
    pieces: Vec<Mutex<Measured>>,
}

impl Tally {
    /// # Errors
    /// [`TallyError`].
    pub(crate) fn new(threads: usize) -> Result<Self, TallyError> {
        let pieces = (0..threads.clamp(1, PIECES_MAX)).map(|_| Measured::new().map(Mutex::new));
        Ok(Self { pieces: pieces.collect::<Result<_, _>>()? })
    }

    /// Adds a call of this worker.
    pub(crate) fn add(&self, worker: usize, moments: Moments, told: &Told) {
        if let Some(piece) = self.pieces.get(worker % self.pieces.len()) {
            piece.lock().unwrap_or_else(PoisonError::into_inner).add(moments, told);
        }
    }

    /// All pieces together.
    ///
    /// # Errors
    /// [`TallyError`].
    pub(crate) fn total(&self) -> Result<Measured, TallyError> {
        let mut total = Measured::new()?;
        for piece in &self.pieces {
            total.absorb(&piece.lock().unwrap_or_else(PoisonError::into_inner));
        }
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told::Verdict;

    fn moments(turn: Turn) -> Moments {
        Moments { turn, sent: Nanos::from_millis(1_007), done: Nanos::from_millis(1_010) }
    }

    #[test]
    fn a_call_that_was_due_is_late_and_its_latency_begins_then() {
        let due = moments(Turn::Due(Nanos::from_millis(10)));
        assert_eq!((due.latency(), due.lateness()), (Nanos::from_millis(1_000), Nanos::from_millis(997)));
        let now = moments(Turn::Now);
        assert_eq!((now.latency(), now.lateness()), (Nanos::from_millis(3), Nanos::ZERO));
    }

    #[test]
    fn pieces_add_up_and_latency_is_of_what_was_decided() {
        let tally = Tally::new(2).unwrap();
        let mut told = Told::default();
        told.add(Verdict::Allowed, "within-limit", 2);
        tally.add(0, moments(Turn::Now), &told);
        tally.add(1, moments(Turn::Due(Nanos::from_millis(10))), &told);
        told.clear();
        told.fail(Verdict::Failed, "broken", 2, || "gone".to_owned());
        tally.add(3, moments(Turn::Now), &told);
        let total = tally.total().unwrap();
        assert_eq!((total.calls, total.latency.len(), total.lateness.len()), (3, 2, 1));
        assert_eq!(total.last_done, Nanos::from_millis(1_010));
        let counts: Vec<_> = total.told.counts().collect();
        assert_eq!(counts, [(Verdict::Allowed, "within-limit", 4), (Verdict::Failed, "broken", 2)]);
    }
}
