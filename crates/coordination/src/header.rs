//! What every reply says about who answered and how far it was.

/// The number of a change of the whole store. It rises by one with every transaction that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

/// The identity of an etcd cluster, drawn when it was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub u64);

/// Comes with every reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub cluster: ClusterId,
    /// The member that answered.
    pub member: u64,
    /// The store's revision as that member knew it.
    pub revision: Revision,
}

/// How far somebody has seen a store. A node keeps it on disk, so that a restored backup is noticed after a restart too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub cluster: ClusterId,
    /// The highest revision in any reply.
    pub revision: Revision,
}

impl Revision {
    /// What an absent key was changed in.
    pub const ABSENT: Self = Self(0);

    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl std::fmt::Display for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// In hexadecimal, as etcd's own tools print it.
impl std::fmt::Display for ClusterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}", self.0)
    }
}
