//! A shard is a fixed piece of the key space. How many there are is chosen once, when the cluster is created.

use crate::caps::{SHARDS_DEFAULT, SHARDS_MAX};

/// A shard, 0 to the shard count less one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(u16);

/// How many shards the key space is cut into: 1 to 16,384.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardCount(u16);

/// A shard count outside 1 to 16,384.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{sent} shards are not possible; choose 1 to {SHARDS_MAX} (default {SHARDS_DEFAULT})")]
pub struct InvalidShardCount {
    pub sent: u64,
}

impl ShardId {
    #[must_use]
    pub const fn new(index: u16) -> Self {
        Self(index)
    }

    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// For indexing a table of all shards.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl ShardCount {
    pub const DEFAULT: Self = Self(SHARDS_DEFAULT);

    /// # Errors
    /// [`InvalidShardCount`] when `count` is zero or above [`SHARDS_MAX`].
    pub fn new(count: u64) -> Result<Self, InvalidShardCount> {
        match u16::try_from(count) {
            Ok(count @ 1..=SHARDS_MAX) => Ok(Self(count)),
            _ => Err(InvalidShardCount { sent: count }),
        }
    }

    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// All shards in order.
    pub fn iter(self) -> impl Iterator<Item = ShardId> {
        (0..self.0).map(ShardId)
    }
}

impl std::fmt::Display for ShardId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
