//! Whether this process answers for a shard: the part of ownership that every check goes through.

use crate::ownership::{Closed, ShardClock};

/// Whether a shard is answered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Yes, as long as the deadline is ahead; shard time comes from this clock.
    Open(ShardClock),
    /// It is about to be handed over: nothing is decided any more.
    Frozen(ShardClock),
    Closed(Closed),
}

impl Default for Gate {
    fn default() -> Self {
        Self::Closed(Closed::Unknown)
    }
}

impl Gate {
    pub(crate) const fn clock(&self) -> Option<ShardClock> {
        match self {
            Self::Open(clock) | Self::Frozen(clock) => Some(*clock),
            Self::Closed(_) => None,
        }
    }
}
