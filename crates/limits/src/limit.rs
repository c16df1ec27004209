//! One limit: so many requests per window. A limit of zero cannot be written down.

use std::num::NonZeroU64;

use drl_core::caps::COST_MAX;

use crate::Window;

/// `requests` (1 to 2^53) per `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit {
    requests: NonZeroU64,
    window: Window,
}

/// A limit of zero, or above 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a limit of {requests} requests is not possible; use 1 to {COST_MAX}")]
pub struct InvalidLimit {
    pub requests: u64,
}

impl Limit {
    /// One request in the longest window.
    pub(crate) const SLOWEST: Self = Self { requests: NonZeroU64::MIN, window: Window::LONGEST };

    /// # Errors
    /// [`InvalidLimit`] when `requests` is zero or above 2^53.
    pub const fn new(requests: u64, window: Window) -> Result<Self, InvalidLimit> {
        match NonZeroU64::new(requests) {
            Some(nonzero) if requests <= COST_MAX => Ok(Self { requests: nonzero, window }),
            _ => Err(InvalidLimit { requests }),
        }
    }

    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests.get()
    }

    #[must_use]
    pub const fn window(&self) -> Window {
        self.window
    }

    /// For divisions: it is never zero.
    pub(crate) const fn nonzero_requests(&self) -> NonZeroU64 {
        self.requests
    }
}

/// As people say it: `100 per 1m`.
impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} per {}", self.requests, self.window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_more_than_2_to_the_53_are_refused_at_the_exact_edge() {
        let window = "1m".parse().unwrap();
        assert_eq!(Limit::new(0, window), Err(InvalidLimit { requests: 0 }));
        assert!(Limit::new(1, window).is_ok());
        assert!(Limit::new(1 << 53, window).is_ok());
        assert!(Limit::new((1 << 53) + 1, window).is_err());
        assert!(Limit::new(u64::MAX, window).is_err());
        assert_eq!(Limit::new(100, window).unwrap().to_string(), "100 per 1m");
    }
}
