//! "Sometimes" marks: things that must have happened in a batch of seeds, or else the batch proved less than it seems to.

/// How often each thing happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
}

impl Mark {
    const COUNT: usize = 32;

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
    ];
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
