//! The clocks of one simulated machine. Real time is the simulator's own; machines run fast or slow by at most rho, start their
//! monotonic clock anew at each boot, and have wall clocks that are wrong by any amount.

use drl_core::{Nanos, ShardTime};
use drl_engine::ownership::{BootId, Moment};

use crate::random::Random;

/// What 1970 is, in simulated time: far enough away that a wall clock can be wrong in both directions.
const WALL_AT_ZERO: i64 = 1_700_000_000_000_000_000;

/// A machine's clocks.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    /// In millionths; within rho.
    drift_ppm: i64,
    skew: i64,
    /// Real time of the last boot, and the monotonic time that it began with.
    booted_at: u64,
    monotonic_at_boot: u64,
    boot: u64,
}

impl Clock {
    #[must_use]
    pub(crate) fn new(random: &mut Random, skew_max: u64) -> Self {
        let signed = |random: &mut Random, bound: u64| {
            let size = i64::try_from(random.below(bound + 1)).unwrap_or(0);
            if random.happens(500) { -size } else { size }
        };
        Self {
            drift_ppm: signed(random, 990),
            skew: signed(random, skew_max),
            booted_at: 0,
            monotonic_at_boot: random.below(1_000_000_000_000),
            boot: 1,
        }
    }

    /// The machine restarts: its monotonic clock begins anew.
    pub(crate) const fn reboot(&mut self, real: u64, random: &mut Random) {
        self.booted_at = real;
        self.boot += 1;
        self.monotonic_at_boot = random.below(1_000_000_000);
    }

    /// What the machine's clocks show.
    #[must_use]
    pub(crate) fn read(&self, real: u64) -> Moment {
        let wall = WALL_AT_ZERO.saturating_add(self.skew).saturating_add_unsigned(scaled(real, self.drift_ppm));
        Moment {
            boot: BootId(u128::from(self.boot)),
            boottime: self.boottime(real),
            wall: ShardTime(wall.unsigned_abs()),
        }
    }

    /// The number of the present boot.
    #[must_use]
    pub(crate) const fn boot(&self) -> u64 {
        self.boot
    }

    #[must_use]
    pub(crate) fn boottime(&self, real: u64) -> Nanos {
        Nanos(self.monotonic_at_boot + scaled(real.saturating_sub(self.booted_at), self.drift_ppm))
    }

    /// The first real time at which the monotonic clock shows `boottime`.
    #[must_use]
    pub(crate) fn real_at(&self, boottime: Nanos) -> u64 {
        let span = u128::from(boottime.0.saturating_sub(self.monotonic_at_boot));
        let rate = u128::try_from(1_000_000 + i128::from(self.drift_ppm)).unwrap_or(1);
        let real = (span * 1_000_000).div_ceil(rate);
        self.booted_at.saturating_add(u64::try_from(real).unwrap_or(u64::MAX))
    }
}

fn scaled(span: u64, drift_ppm: i64) -> u64 {
    let scaled = i128::from(span) * (1_000_000 + i128::from(drift_ppm)) / 1_000_000;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_time_and_monotonic_time_are_inverse() {
        let mut random = Random::new(3);
        for real in [0, 1, 999_999_999, 123_456_789_012] {
            let clock = Clock::new(&mut random, 1_000_000_000);
            let shown = clock.boottime(real);
            let back = clock.real_at(shown);
            assert!(clock.boottime(back) >= shown && back <= real + 1, "{back} for {real}");
        }
    }
}
