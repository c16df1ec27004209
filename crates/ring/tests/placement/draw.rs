//! Draws for tests from one seed, so that a placement of thousands of seats shrinks to a number.

use drl_core::ShardId;
use drl_ring::{Placement, Seats};

use crate::cluster::{nobody, node};

/// `SplitMix64` (Steele, Lea, Flood 2014).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    /// 0 to `count` less one.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let wide = u128::from(mixed ^ (mixed >> 31)) * count as u128;
        usize::try_from(wide >> 64).unwrap()
    }

    /// Any placement at all: held by `nodes` numbers, some seats empty, some with one node in both roles, and the more
    /// uneven the more `skew` there is.
    pub(crate) fn placement(&mut self, shards: usize, nodes: usize, skew: usize) -> Placement {
        let mut placement = nobody(shards);
        for shard in 0..shards {
            let mut seat = || {
                let number = (0..=skew).map(|_| self.below(nodes)).min().unwrap();
                (self.below(8) > 0).then(|| node(number))
            };
            let seats = Seats { owner: seat(), follower: seat() };
            *placement.get_mut(ShardId::new(u16::try_from(shard).unwrap())).unwrap() = seats;
        }
        placement
    }
}
