//! Leases of the store, which sessions are made of: a key under a lease vanishes with it. Not to be confused with an owner's right
//! to answer; a lease of the store detects failures and gives nobody any authority.

use std::time::Duration;

use drl_core::caps::{SESSION_SECS_MAX, SESSION_SECS_MIN};

use crate::Header;

/// The number of a lease. Never zero, which means "no lease" in etcd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(i64);

/// How long a lease lives without being renewed: whole seconds, 2 to 3,600.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ttl(u32);

/// A time to live outside 2 to 3,600 s, or not of whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session of {sent:?} is not possible; choose whole seconds, {SESSION_SECS_MIN} to {SESSION_SECS_MAX}")]
pub struct InvalidTtl {
    pub sent: Duration,
}

/// A lease that was just granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub lease: LeaseId,
    /// What the store granted; it may be more than was asked for.
    pub ttl: Ttl,
    pub header: Header,
}

/// The answer to a renewal. A hint: it may come from a member that is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    Alive,
    /// Expired or revoked; its keys are gone or about to be.
    Gone,
}

impl LeaseId {
    /// `None` unless `id` is positive.
    #[must_use]
    pub const fn new(id: i64) -> Option<Self> {
        if id > 0 { Some(Self(id)) } else { None }
    }

    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl Ttl {
    /// Five seconds: long enough for a store that elects a leader, short enough to notice a dead node.
    pub const DEFAULT: Self = Self(5);

    /// # Errors
    /// [`InvalidTtl`] when `span` has a fraction of a second or is outside 2 to 3,600 s.
    pub fn new(span: Duration) -> Result<Self, InvalidTtl> {
        match u32::try_from(span.as_secs()) {
            Ok(secs @ SESSION_SECS_MIN..=SESSION_SECS_MAX) if span.subsec_nanos() == 0 => Ok(Self(secs)),
            _ => Err(InvalidTtl { sent: span }),
        }
    }

    #[must_use]
    pub const fn secs(self) -> u32 {
        self.0
    }

    #[must_use]
    pub const fn span(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

/// In hexadecimal, as etcd's own tools print it.
impl std::fmt::Display for LeaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_parts_of_a_second_or_out_of_range_are_refused() {
        for millis in [0, 1_000, 1_999, 2_500, 3_600_001, 3_601_000] {
            let sent = Duration::from_millis(millis);
            assert_eq!(Ttl::new(sent), Err(InvalidTtl { sent }));
        }
        assert_eq!(Ttl::new(Duration::MAX), Err(InvalidTtl { sent: Duration::MAX }));
        for secs in [2, 5, 3_600] {
            assert_eq!(Ttl::new(Duration::from_secs(secs)).map(Ttl::span), Ok(Duration::from_secs(secs)));
        }
    }

    #[test]
    fn no_lease_has_the_number_zero() {
        assert_eq!(LeaseId::new(0), None);
        assert_eq!(LeaseId::new(-1), None);
        assert_eq!(LeaseId::new(0x7f).map(|id| id.to_string()).as_deref(), Some("7f"));
    }
}
