//! How many shards one node may hold in one role. The band is every whole number within a tenth of the mean, and in any case
//! the mean rounded down and rounded up, since with fewer than ten shards a node no whole number need lie within a tenth.
//!
//! Exactly, for S shards over n nodes:
//!
//! ```text
//!     low   = min(level, ceil(0.9 S / n))
//!     level = floor(S / n)
//!     cap   = max(ceil(S / n), floor(1.1 S / n))
//! ```
//!
//! `low n <= S <= cap n`, so the band can always be kept. Both ends fall when n rises: who is within the band before others
//! join is not below it afterwards, and who is within it before others leave is not above it afterwards. And between them, n
//! nodes that are within the band are missing no more for the band of n - 1 than the one that leaves had, and have no more
//! above the band of n + 1 than the joiner may take. So a join moves shards to the joiner only, at most its cap, and a leave moves
//! the leaver's only. Rounding can cost one shard a node more where few shards a node meet uneven loads, as after take-overs;
//! plans alone do not lead there.
//!
//! Bounded loads on a ring: Mirrokni, Thorup, Zadimoghaddam 2017, "Consistent Hashing with Bounded Loads".

/// Percent of the mean below which a node is given more, and above which it gives some away. Everything between stays as it
/// is: after a take-over the loads differ by a few percent, and evening that out would move shards for nothing.
const PERCENT: std::ops::RangeInclusive<usize> = 90..=110;

/// The range of shards for one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// Fewest.
    pub low: usize,
    /// The mean, rounded down: nobody is given more than this before everybody has it.
    pub level: usize,
    /// Most.
    pub cap: usize,
}

impl Band {
    /// The band of `shards` over `nodes`; of no nodes, the one that holds nothing.
    #[must_use]
    pub const fn of(shards: usize, nodes: usize) -> Self {
        if nodes == 0 {
            return Self { low: 0, level: 0, cap: 0 };
        }
        let (level, rounded_up) = (shards / nodes, shards.div_ceil(nodes));
        let low = (shards * *PERCENT.start()).div_ceil(100 * nodes);
        let cap = shards * *PERCENT.end() / (100 * nodes);
        Self { low: if low < level { low } else { level }, level, cap: if cap > rounded_up { cap } else { rounded_up } }
    }

    /// The same level, and no ends: whatever is held stays.
    #[must_use]
    pub const fn without_ends(self) -> Self {
        Self { low: 0, cap: usize::MAX, ..self }
    }

    /// How far `load` is above the level; negative below it.
    pub(crate) const fn height(self, load: usize) -> isize {
        load.cast_signed() - self.level.cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ten_and_a_hundred_nodes_stay_within_a_tenth() {
        assert_eq!(Band::of(1_024, 3), Band { low: 308, level: 341, cap: 375 });
        assert_eq!(Band::of(1_024, 10), Band { low: 93, level: 102, cap: 112 });
        assert_eq!(Band::of(1_024, 100), Band { low: 10, level: 10, cap: 11 });
    }

    #[test]
    fn a_band_is_within_a_tenth_of_the_mean_or_next_to_it() {
        for shards in [1, 16, 17, 100, 1_024, 2_048, 16_384] {
            for nodes in 1..=150 {
                let band = Band::of(shards, nodes);
                assert!(100 * nodes * band.cap <= 110 * shards || band.cap == shards.div_ceil(nodes));
                assert!(100 * nodes * band.low >= 90 * shards || band.low == shards / nodes);
                assert!(band.level * nodes <= shards && shards <= band.cap * nodes);
                assert!(band.low <= band.level && band.level <= band.cap);
                let more = Band::of(shards, nodes + 1);
                assert!(more.low <= band.low && more.cap <= band.cap, "{shards} over {nodes}: an end rises");
            }
        }
    }

    #[test]
    fn one_node_holds_everything_and_no_node_nothing() {
        assert_eq!(Band::of(16, 1), Band { low: 15, level: 16, cap: 17 });
        assert_eq!(Band::of(16, 0), Band { low: 0, level: 0, cap: 0 });
    }
}
