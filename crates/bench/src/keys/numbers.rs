//! Numbers that depend on a seed only: `SplitMix64` (Steele, Lea, Flood 2014), some two nanoseconds each. Not for secrets.

use rand::RngCore;

/// A sequence of numbers.
#[derive(Debug, Clone)]
pub(super) struct Numbers(u64);

impl Numbers {
    /// Sequence `nth` of a seed. Two of them overlap only by chance: their places in the cycle of 2^64 are hashes.
    pub(super) fn new(seed: u64, nth: u64) -> Self {
        Self(mixed(seed ^ mixed(nth)))
    }

    /// 0 to `bound` less one (Lemire 2019, without the correction: the bias is below bound / 2^64).
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

impl RngCore for Numbers {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    fn fill_bytes(&mut self, into: &mut [u8]) {
        for piece in into.chunks_mut(8) {
            piece.copy_from_slice(&self.next_u64().to_le_bytes()[..piece.len()]);
        }
    }
}

const fn mixed(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_below_their_bound_and_reach_both_ends() {
        let mut numbers = Numbers::new(1, 0);
        let drawn: Vec<u64> = (0..1_000).map(|_| numbers.below(7)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&0), Some(&6)));
    }

    #[test]
    fn bytes_are_filled_to_the_last() {
        let mut bytes = [0_u8; 13];
        Numbers::new(3, 0).fill_bytes(&mut bytes);
        assert_ne!(bytes[8..], [0; 5]);
    }
}
