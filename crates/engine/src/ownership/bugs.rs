//! The rules that a simulator can break on purpose, to prove that its checker notices. A program names [`NoBugs`], which has no
//! state and answers no, so nothing that runs in a product can break a rule and the questions cost nothing.

/// A rule of the protocol that is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// An owner goes on under its old epoch when the record names somebody else.
    OldEpochNotFenced,
    /// A cold take-over starts with empty counters instead of exhausted ones.
    ColdStartsEmpty,
    /// A cold take-over does not wait until the owner's deadline has passed for sure.
    ColdWithoutWaiting,
    /// A cold take-over waits for two seconds longer than it has to.
    ColdWaitsTooLong,
    /// A cold take-over trusts what it saw earlier and does not compare it again in the transaction.
    ColdNotCompared,
    /// A cold take-over does not promise the time that whoever it follows had promised.
    ColdPromisesNoTime,
    /// The deadline is not looked at, neither before deciding nor before the reply leaves.
    AnswersPastDeadline,
    /// A reply leaves without a second look at deadline and epoch.
    LeavesUnchecked,
    /// A node whose deadline has passed keeps its roles and goes on when etcd is back.
    RejoinsWithOldRoles,
    /// A node resumes from whatever directory it finds.
    ResumesFromAnyDirectory,
    /// `cold` is dropped by a resume although the floor never reached the journal.
    ColdLostByCrash,
    /// Shard time begins at the wall clock whenever an epoch begins.
    TimeRestarts,
    /// Sections apply by seq alone.
    SeqWithoutEpoch,
    /// A shard goes on admitting while it is handed over.
    AdmitsWhileFrozen,
    /// A checkpoint drops counters whose windows still run.
    EvictsRunningCounters,
    /// A follower takes over although the record does not say that it is in sync.
    PromotesUnsynced,
    /// A record says in sync before replies wait for the copy.
    MarksBeforeRequired,
    /// A follower acknowledges past its own deadline.
    AcksPastDeadline,
    /// An acknowledgement of, or for, an earlier lifetime counts.
    CountsOldAcks,
    /// A reply leaves without the acknowledgement of the copy in sync.
    RepliesBeforeAck,
    /// A new owner decides by older policies than the one before it.
    OldPoliciesAfterTakeOver,
    /// Changes made while a snapshot is sent do not reach the copy.
    SnapshotWithoutTail,
}

/// Which rules are broken.
pub trait Bugs {
    /// Whether `bug` is planted.
    fn has(&self, bug: Bug) -> bool;
}

/// Every rule is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoBugs;

impl Bugs for NoBugs {
    fn has(&self, _bug: Bug) -> bool {
        false
    }
}
