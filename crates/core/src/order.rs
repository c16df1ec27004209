//! The three numbers that order what happens: epochs of an ownership, sequence numbers of a shard within an epoch, commits of a
//! node's journal. Two of them are never compared with each other, which is why they are types.

/// The number of an ownership of a shard. It rises at every change of owner or follower; zero means "never owned".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

/// The number of a shard's section within its epoch. Sections apply in (epoch, seq) order and the last one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

/// The number of a commit (one frame) in a node's journal: 1, 2, 3, ... without a gap. Zero means "nothing yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CommitNo(pub u64);

impl Epoch {
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Seq {
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl CommitNo {
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}
