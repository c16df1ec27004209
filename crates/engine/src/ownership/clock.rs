//! Shard time, as its owner carries it on.
//!
//! Rule (protocol, time and cold starts): T = base + (own monotonic now - base monotonic), never backwards. On the same boot it
//! goes on by `CLOCK_BOOTTIME`. After a restart of the machine it goes on by how much the machine's own wall clock has advanced,
//! so that a clock that is wrong by any constant opens no window. Wall clocks of different machines are compared by a cold start only.

use drl_core::{Nanos, ShardTime};

/// The time since a machine started, by its kernel's own id for it. Monotonic times of different boots are never compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BootId(pub u128);

/// A reading of a machine's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    pub boot: BootId,
    /// `CLOCK_BOOTTIME`: goes on in suspend, begins anew with the machine.
    pub boottime: Nanos,
    /// The wall clock.
    pub wall: ShardTime,
}

/// What shard time is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardClock {
    /// Shard time at `at`.
    pub base: ShardTime,
    /// `CLOCK_BOOTTIME` at `base`.
    pub at: Nanos,
    /// The wall clock at `base`.
    pub wall: ShardTime,
    /// The boot that `at` belongs to.
    pub boot: BootId,
}

impl ShardClock {
    /// Shard time that is `base` now.
    #[must_use]
    pub const fn starting(base: ShardTime, now: Moment) -> Self {
        Self { base, at: now.boottime, wall: now.wall, boot: now.boot }
    }

    /// Shard time at a monotonic time.
    #[must_use]
    pub const fn time(&self, boottime: Nanos) -> ShardTime {
        self.base.plus(Nanos(boottime.0.saturating_sub(self.at.0)))
    }

    /// The clock as a later process carries it on. Over a restart of the machine it goes on by what the wall clock advanced, and
    /// begins not before `stored`.
    #[must_use]
    pub fn carried_on(self, stored: ShardTime, now: Moment) -> Self {
        if self.boot == now.boot {
            return self;
        }
        let passed = now.wall.since(self.wall);
        Self::starting(self.base.plus(passed).max(stored), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment { boot: BootId(1), boottime: Nanos(50), wall: ShardTime(1_000) };

    #[test]
    fn time_goes_on_by_the_monotonic_clock_and_never_back() {
        let clock = ShardClock::starting(ShardTime(7_000), NOW);
        assert_eq!(clock.time(Nanos(53)), ShardTime(7_003));
        assert_eq!(clock.time(Nanos(49)), ShardTime(7_000));
    }

    #[test]
    fn a_reboot_carries_time_on_by_the_wall_clocks_own_advance() {
        let clock = ShardClock::starting(ShardTime(7_000), NOW);
        let later = Moment { boot: BootId(2), boottime: Nanos(3), wall: ShardTime(1_400) };
        assert_eq!(clock.carried_on(ShardTime(0), later).time(Nanos(3)), ShardTime(7_400));
        assert_eq!(
            clock.carried_on(ShardTime(9_000), later).time(Nanos(3)),
            ShardTime(9_000),
            "never before what is stored"
        );
        assert_eq!(clock.carried_on(ShardTime(9_000), Moment { boottime: Nanos(80), ..NOW }), clock, "the same boot");
        let set_back = Moment { boot: BootId(2), boottime: Nanos(3), wall: ShardTime(10) };
        assert_eq!(clock.carried_on(ShardTime(0), set_back).time(Nanos(3)), ShardTime(7_000));
    }
}
