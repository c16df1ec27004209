//! The three moments of a run: it starts, it is measured, it makes no more calls.

use std::time::Duration;

use drl_core::Nanos;

/// `start` to `begin` warms up; what is called from `begin` until `end` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: Nanos,
    pub(crate) begin: Nanos,
    pub(crate) end: Nanos,
}

impl Span {
    pub(crate) fn new(start: Nanos, warmup: Duration, duration: Duration) -> Self {
        let begin = later(start, warmup);
        Self { start, begin, end: later(begin, duration) }
    }
}

/// `from` and `span` later.
fn later(from: Nanos, span: Duration) -> Nanos {
    Nanos(from.0.saturating_add(Nanos::from(span).0))
}
