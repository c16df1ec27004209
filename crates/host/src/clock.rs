//! The only file that reads a clock. Monotonic time is `CLOCK_BOOTTIME`: unlike `std::time::Instant` it goes on in suspend.

use std::time::{SystemTime, UNIX_EPOCH};

use drl_core::{Nanos, ShardTime};
use drl_engine::ownership::{BootId, Moment};
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

/// All clocks at once, as ownership takes them.
#[must_use]
pub fn moment(boot: BootId) -> Moment {
    Moment { boot, boottime: monotonic(), wall: wall() }
}

/// The number of a boot id: the hexadecimal digits of the kernel's UUID. Ids that are none (tests have such) get one by folding.
#[must_use]
pub fn boot_number(boot_id: &str) -> BootId {
    let digits: String = boot_id.chars().filter(|digit| *digit != '-').collect();
    let folded = || boot_id.bytes().fold(0, |number: u128, byte| number.rotate_left(8) ^ u128::from(byte));
    BootId(u128::from_str_radix(&digits, 16).unwrap_or_else(|_| folded()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boots_are_told_apart_by_their_ids() {
        let number = boot_number("1b4e28ba-2fa1-11d2-883f-0016d3cca427");
        assert_eq!(number, BootId(0x1b4e_28ba_2fa1_11d2_883f_0016_d3cc_a427));
        assert_ne!(boot_number("boot-1"), boot_number("boot-2"));
        assert!(monotonic() <= monotonic());
    }
}
