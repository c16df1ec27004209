//! What a check asks for, in units of the limit. Zero is a peek: it looks and charges nothing.

use crate::caps::COST_MAX;

/// 0 to 2^53 units. Zero charges nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(u64);

/// A cost that is negative or above 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cost is {sent}; send 0 (peek) to {COST_MAX}")]
pub struct InvalidCost {
    /// What was sent.
    pub sent: i128,
}

impl Cost {
    pub const ONE: Self = Self(1);
    pub const PEEK: Self = Self(0);

    /// # Errors
    /// [`InvalidCost`] when `units` is negative or above [`COST_MAX`].
    pub fn new(units: impl Into<i128>) -> Result<Self, InvalidCost> {
        let sent = units.into();
        match u64::try_from(sent) {
            Ok(units) if units <= COST_MAX => Ok(Self(units)),
            _ => Err(InvalidCost { sent }),
        }
    }

    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }

    #[must_use]
    pub const fn is_peek(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_and_oversized_costs_are_refused_at_the_exact_edge() {
        assert_eq!(Cost::new(-1), Err(InvalidCost { sent: -1 }));
        assert_eq!(Cost::new(COST_MAX + 1), Err(InvalidCost { sent: (1 << 53) + 1 }));
        assert_eq!(Cost::new(COST_MAX).unwrap().units(), 1 << 53);
        assert!(Cost::new(0).unwrap().is_peek());
        assert!(Cost::new(i64::MIN).is_err());
        assert!(Cost::new(u64::MAX).is_err());
    }
}
