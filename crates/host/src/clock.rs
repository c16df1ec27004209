//! The only file that reads a clock. Monotonic time is `CLOCK_BOOTTIME`: unlike `std::time::Instant` it goes on in suspend.

use std::time::{SystemTime, UNIX_EPOCH};

use drl_core::{Nanos, ShardTime};
use rustix::time::{ClockId, clock_gettime};

/// Time since the machine started, suspend included.
#[must_use]
pub fn monotonic() -> Nanos {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Nanos(seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0)))
}

/// The wall clock as a shard time. Only a cold start looks at it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn wall() -> ShardTime {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ShardTime(Nanos::from(since_1970).0)
}

/// The machine's boot id: another one means that the machine restarted and its monotonic clock began anew.
///
/// # Errors
/// The kernel's file could not be read.
pub fn boot_id() -> std::io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Shard time as this process carries it on: a moment that was agreed on, plus the monotonic time since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShardClock {
    pub(crate) base: ShardTime,
    /// Monotonic time at `base`.
    pub(crate) at: Nanos,
}

impl ShardClock {
    pub(crate) fn now(&self) -> ShardTime {
        self.at_monotonic(monotonic())
    }

    pub(crate) const fn at_monotonic(&self, monotonic: Nanos) -> ShardTime {
        self.base.plus(Nanos(monotonic.0.saturating_sub(self.at.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_time_is_carried_on_by_the_monotonic_clock_and_never_back() {
        let clock = ShardClock { base: ShardTime(1_000), at: Nanos(50) };
        assert_eq!(clock.at_monotonic(Nanos(53)), ShardTime(1_003));
        assert_eq!(clock.at_monotonic(Nanos(49)), ShardTime(1_000));
        assert!(monotonic() <= monotonic());
    }
}
