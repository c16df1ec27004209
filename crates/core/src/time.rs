//! Time as a shard knows it. A [`ShardTime`] is only ever compared with times of the same shard: it starts near the wall clock
//! (nanoseconds since 1970) but is carried on by monotonic clocks, so it never goes back and owes nothing to a clock that steps.

use std::time::Duration;

/// A span of time in whole nanoseconds; up to 584 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanos(pub u64);

/// A moment in shard time: nanoseconds, zero is 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ShardTime(pub u64);

impl Nanos {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(u64::MAX);

    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Whole milliseconds, rounded up: a caller that waits this long has waited long enough.
    #[must_use]
    pub const fn millis_ceil(self) -> u64 {
        self.0.div_ceil(1_000_000)
    }

    /// Whole seconds, rounded up.
    #[must_use]
    pub const fn secs_ceil(self) -> u64 {
        self.0.div_ceil(1_000_000_000)
    }
}

impl ShardTime {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(u64::MAX);

    /// The span since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }

    /// This moment and `span` later; stops at the end of time.
    #[must_use]
    pub const fn plus(self, span: Nanos) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl From<Nanos> for Duration {
    fn from(span: Nanos) -> Self {
        Self::from_nanos(span.0)
    }
}

impl From<Duration> for Nanos {
    /// Spans beyond 584 years are cut to that.
    fn from(span: Duration) -> Self {
        Self(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_times_are_rounded_up_and_never_down() {
        assert_eq!(Nanos(1).millis_ceil(), 1);
        assert_eq!(Nanos(1_000_000).millis_ceil(), 1);
        assert_eq!(Nanos(1_000_000_001).secs_ceil(), 2);
        assert_eq!(Nanos(0).secs_ceil(), 0);
    }

    #[test]
    fn the_ends_of_time_hold() {
        assert_eq!(ShardTime(5).since(ShardTime(9)), Nanos::ZERO);
        assert_eq!(ShardTime::MAX.plus(Nanos(1)), ShardTime::MAX);
        assert_eq!(Nanos::from(Duration::MAX), Nanos::MAX);
    }
}
