//! "Sometimes" marks: things that must have happened in a batch of seeds, or else the batch proved less than it seems to.

/// How often each thing happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    counts: [u64; Mark::COUNT],
}

/// A thing that should happen now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Admitted,
    Denied,
    Forwarded,
    Resumed,
    TakenCold,
    ColdAgain,
    Rejoined,
    SessionRecreated,
    EtcdAwayPastAuthority,
    HandedOver,
    OutcomeUnknown,
    BatchRefused,
    DirectoryDoubtful,
    ReplyWithheld,
    Drained,
    NodeIdInUse,
    WatchBroken,
    Paused,
    Suspended,
    DiskHung,
    EtcdRestored,
    RevisionWentBack,
    EpochWentBack,
    Named,
    InSync,
    Replaced,
    Dropped,
    TakenWarm,
    ResumedByFollower,
    Swapped,
    LetterRejected,
    Fenced,
    /// A planned move was given up after the shard was frozen for it.
    HandOverAborted,
    /// An admission while a snapshot of its shard was on its way.
    SnapshotUnderLoad,
    /// A shard changed hands to a node that ran older policies than the one before it.
    PoliciesAtTakeOver,
    /// etcd ended a session whose node was well.
    RevokedEarly,
    /// A new leader of etcd began every lease anew.
    LeasesRenewed,
    /// A stale member said that a session lives which had ended.
    KeepAliveLied,
    /// A write failed; and one that failed because the disk was still full.
    DiskFailed,
    DiskFull,
    /// The beginning of a frame was found behind the journal, and not taken.
    TornFrame,
    /// An answer left after its shard was handed over: a copy had acknowledged it.
    LeftAfterHandOver,
    /// A process heard nobody for a while.
    Deafened,
}

impl Mark {
    const COUNT: usize = 43;

    pub const ALL: [Self; Self::COUNT] = [
        Self::Admitted,
        Self::Denied,
        Self::Forwarded,
        Self::Resumed,
        Self::TakenCold,
        Self::ColdAgain,
        Self::Rejoined,
        Self::SessionRecreated,
        Self::EtcdAwayPastAuthority,
        Self::HandedOver,
        Self::OutcomeUnknown,
        Self::BatchRefused,
        Self::DirectoryDoubtful,
        Self::ReplyWithheld,
        Self::Drained,
        Self::NodeIdInUse,
        Self::WatchBroken,
        Self::Paused,
        Self::Suspended,
        Self::DiskHung,
        Self::EtcdRestored,
        Self::RevisionWentBack,
        Self::EpochWentBack,
        Self::Named,
        Self::InSync,
        Self::Replaced,
        Self::Dropped,
        Self::TakenWarm,
        Self::ResumedByFollower,
        Self::Swapped,
        Self::LetterRejected,
        Self::Fenced,
        Self::HandOverAborted,
        Self::SnapshotUnderLoad,
        Self::PoliciesAtTakeOver,
        Self::RevokedEarly,
        Self::LeasesRenewed,
        Self::KeepAliveLied,
        Self::DiskFailed,
        Self::DiskFull,
        Self::TornFrame,
        Self::LeftAfterHandOver,
        Self::Deafened,
    ];
}

impl Default for Marks {
    fn default() -> Self {
        Self { counts: [0; Mark::COUNT] }
    }
}

impl Marks {
    pub fn see(&mut self, mark: Mark) {
        self.counts[mark as usize] += 1;
    }

    #[must_use]
    pub const fn count(&self, mark: Mark) -> u64 {
        self.counts[mark as usize]
    }

    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
    }

    /// What never happened.
    pub fn never(&self) -> impl Iterator<Item = Mark> {
        Mark::ALL.into_iter().filter(|mark| self.count(*mark) == 0)
    }
}
