//! Where virtual nodes and shards stand on the ring: the XXH3-64 (seed 0) of a short text, `n1#7` for the virtual node 7 of node
//! `n1` and `#17` for shard 17. A node id has no `#` and is never empty, so no two texts are equal.
//!
//! `hashring` takes its positions from `std::hash::Hash`, which promises nothing from one build to the next. So positions are
//! computed here, and [`AsIs`] hands them through. They are frozen by a test: another hash would propose to move every shard.

use std::hash::{BuildHasher, Hash, Hasher};

use drl_core::{NodeId, ShardId};
use xxhash_rust::xxh3::xxh3_64;

/// A point on the circle of 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(u64);

impl Position {
    pub(crate) fn of_virtual_node(node: &NodeId, number: u16) -> Self {
        Self(xxh3_64(format!("{node}#{number}").as_bytes()))
    }

    pub(crate) fn of_shard(shard: ShardId) -> Self {
        Self(xxh3_64(format!("#{shard}").as_bytes()))
    }
}

impl Hash for Position {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// Builds hashers that do not hash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsIs;

impl BuildHasher for AsIs {
    type Hasher = Last;

    fn build_hasher(&self) -> Last {
        Last(0)
    }
}

/// Its hash is the last word written.
#[derive(Debug)]
pub(crate) struct Last(u64);

impl Hasher for Last {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }

    /// Positions come by [`Last::write_u64`]; anything else is mixed in, so that the trait keeps its promise.
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= xxh3_64(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `xxhsum -H3` has them.
    #[test]
    fn positions_are_frozen() {
        let node = NodeId::new("n1").unwrap();
        let found = [Position::of_virtual_node(&node, 0), Position::of_virtual_node(&node, 127)];
        assert_eq!(found.map(|position| format!("{:016x}", position.0)), ["517c1227c97404af", "46a34f4819d79c8b"]);
        let found = [0, 17, 1_023].map(|shard| Position::of_shard(ShardId::new(shard)));
        assert_eq!(
            found.map(|position| format!("{:016x}", position.0)),
            ["baec9961428a77eb", "50e021138f1aaba2", "a54a0fdaaf5b18f6"]
        );
    }

    #[test]
    fn a_position_passes_through_the_hasher_unchanged() {
        assert_eq!(AsIs.hash_one(Position(7)), 7);
        assert_eq!(AsIs.hash_one(Position(u64::MAX)), u64::MAX);
    }
}
