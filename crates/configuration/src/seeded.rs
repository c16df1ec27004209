//! The hash of the lookup tables: XXH3 with a seed per table, a few nanoseconds for an id where the standard hash takes twenty. Whoever
//! names clients does not know the seed, so that names cannot be chosen to collide. Nothing of it is stored or sent.

use std::hash::{BuildHasher, Hasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// An odd number without a pattern (2^64 divided by the golden ratio).
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Seeded {
    seed: u64,
}

pub(crate) struct SeededHasher(u64);

impl Default for Seeded {
    fn default() -> Self {
        // The standard library's own keys are the randomness: hash tables have no other need of any.
        Self { seed: RandomState::new().hash_one(MIX) }
    }
}

impl BuildHasher for Seeded {
    type Hasher = SeededHasher;

    fn build_hasher(&self) -> SeededHasher {
        SeededHasher(self.seed)
    }
}

impl Hasher for SeededHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// The mark behind a text.
    fn write_u8(&mut self, mark: u8) {
        self.write_u64(u64::from(mark));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(MIX);
    }

    /// The length in front of bytes.
    fn write_usize(&mut self, length: usize) {
        self.write_u64(u64::try_from(length).unwrap_or(u64::MAX));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_spread_and_every_table_has_its_own_seed() {
        let (one, other) = (Seeded::default(), Seeded::default());
        let id = |number: u32| format!("client-{number}").into_bytes();
        let hashes: HashSet<u64> = (0..10_000).map(|number| one.hash_one(id(number))).collect();
        assert_eq!(hashes.len(), 10_000);
        let low_bits: HashSet<u64> = hashes.iter().map(|hash| hash & 1_023).collect();
        assert!(low_bits.len() > 1_000);
        assert_ne!(one.hash_one(id(1)), other.hash_one(id(1)));
    }
}
