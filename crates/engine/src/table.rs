//! The table of a shard's counters. Keys are keyed hashes already, so the table uses their bits as they are.

use std::hash::{BuildHasherDefault, Hasher};

use drl_core::KeyHash;
use hashbrown::HashMap;

use crate::row::Row;

pub(crate) type Table = HashMap<KeyHash, Row, BuildHasherDefault<AsIs>>;

/// Hands through the one word that [`KeyHash`] feeds it.
#[derive(Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only KeyHash is ever a key here and it writes one u64; anything else still gets a usable hash.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}
