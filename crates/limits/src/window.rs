//! The length of a window, 1 ms to 366 days, and how people write it: `500ms`, `10s`, `5m`, `1h30m`, `7d`.

use std::num::NonZeroU64;

use drl_core::Nanos;
use drl_core::caps::{WINDOW_NANOS_MAX, WINDOW_NANOS_MIN};

/// 1 ms to 366 d, in whole nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window(NonZeroU64);

/// A window that cannot be read, or is too short or too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWindow {
    #[error("window of {nanos} ns is out of range; use 1ms to 366d")]
    OutOfRange { nanos: u64 },
    #[error(
        "window {text:?} cannot be read; write whole numbers with units, longest first, such as 500ms, 10s, 1h30m or 7d"
    )]
    Malformed {
        /// What was written, cut to a length that fits a log line.
        text: String,
    },
}

/// Units from the longest to the shortest; a text names each at most once, in this order.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl Window {
    /// The longest: 366 days.
    pub const LONGEST: Self = Self(NonZeroU64::new(WINDOW_NANOS_MAX).unwrap());

    /// # Errors
    /// [`InvalidWindow::OutOfRange`] when `length` is under 1 ms or over 366 days.
    pub const fn new(length: Nanos) -> Result<Self, InvalidWindow> {
        match NonZeroU64::new(length.0) {
            Some(nanos) if length.0 >= WINDOW_NANOS_MIN && length.0 <= WINDOW_NANOS_MAX => Ok(Self(nanos)),
            _ => Err(InvalidWindow::OutOfRange { nanos: length.0 }),
        }
    }

    #[must_use]
    pub const fn nanos(self) -> Nanos {
        Nanos(self.0.get())
    }

    /// For divisions: it is never zero.
    pub(crate) const fn get(self) -> NonZeroU64 {
        self.0
    }
}

/// The longest units that fit, as they are read: `1h30m`, never `90m`.
impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.0.get();
        for (unit, nanos) in UNITS {
            if rest >= nanos {
                write!(f, "{}{unit}", rest / nanos)?;
                rest %= nanos;
            }
        }
        Ok(())
    }
}

impl std::str::FromStr for Window {
    type Err = InvalidWindow;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || InvalidWindow::Malformed { text: text.chars().take(64).collect() };
        let mut rest = text;
        let mut units = UNITS.iter();
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let (digits, after) = split_while(rest, |c| c.is_ascii_digit());
            let (unit, after) = split_while(after, |c| c.is_ascii_lowercase());
            // The search goes on behind the unit before it, so a repeated or longer unit is not found.
            let (_, nanos) = units.find(|(name, _)| *name == unit).ok_or_else(malformed)?;
            if digits.is_empty() {
                return Err(malformed());
            }
            // A number beyond 64 bits is a window that is too long, not one that cannot be read.
            let count = digits.parse::<u64>().unwrap_or(u64::MAX);
            total = total.saturating_add(count.saturating_mul(*nanos));
            rest = after;
        }
        if text.is_empty() { Err(malformed()) } else { Self::new(Nanos(total)) }
    }
}

fn split_while(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !wanted(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_documented_spellings_are_read() {
        let millis = [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("1h30m", 5_400_000), ("7d", 604_800_000)];
        for (text, millis) in millis {
            let window = text.parse::<Window>().unwrap();
            assert_eq!(window.nanos(), Nanos::from_millis(millis));
            assert_eq!(window.to_string(), text);
        }
        assert_eq!("90m".parse::<Window>().unwrap().to_string(), "1h30m");
        assert_eq!("366d".parse::<Window>().unwrap().nanos(), Nanos(WINDOW_NANOS_MAX));
    }

    #[test]
    fn what_cannot_be_read_is_malformed() {
        for text in ["", "10", "s", "1.5h", "-1s", "1 s", "1S", "1m1h", "1s1s", "1w", "10s ", "é", "0x1s", "1h 30m"] {
            assert!(matches!(text.parse::<Window>(), Err(InvalidWindow::Malformed { .. })), "{text:?}");
        }
    }

    #[test]
    fn the_range_ends_exactly_at_1_ms_and_366_days() {
        for text in ["0s", "999us", "999999ns", "366d1ns", "367d", "99999999999999999999999d"] {
            assert!(matches!(text.parse::<Window>(), Err(InvalidWindow::OutOfRange { .. })), "{text:?}");
        }
        assert!(Window::new(Nanos(999_999)).is_err());
        assert!(Window::new(Nanos(1_000_000)).is_ok());
        assert!(Window::new(Nanos(WINDOW_NANOS_MAX)).is_ok());
        assert!(Window::new(Nanos(WINDOW_NANOS_MAX + 1)).is_err());
        assert!(Window::new(Nanos::MAX).is_err());
    }

    proptest! {
        #[test]
        fn every_window_reads_back_from_its_own_text(nanos in WINDOW_NANOS_MIN..=WINDOW_NANOS_MAX) {
            let window = Window::new(Nanos(nanos)).unwrap();
            prop_assert_eq!(window.to_string().parse(), Ok(window));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Window>();
        }
    }
}
