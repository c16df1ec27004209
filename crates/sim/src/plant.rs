//! The planted bugs: each is one rule of the protocol that is not kept, and each must be caught by the checker. A checker that
//! never caught anything is not evidence.

use drl_engine::ownership::{Bug, Bugs};

/// A planted bug, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Plant(Option<&'static Entry>);

/// One row of the list.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: &'static str,
    pub what: &'static str,
    /// The smallest seed that catches it; a test holds it to that. A change of the world or of the engine may move it.
    pub caught_by: u64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Engine(Bug),
    /// The world around the engine does it.
    World(WorldBug),
}

/// Bugs of the program that drives the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorldBug {
    /// An admission is answered before its frame is in the journal.
    ReplyBeforeCommit,
    /// A journal that lost its tail counts as whole.
    TornWriteUnnoticed,
}

const fn engine(name: &'static str, caught_by: u64, bug: Bug, what: &'static str) -> Entry {
    Entry { name, what, caught_by, kind: Kind::Engine(bug) }
}

const fn world(name: &'static str, caught_by: u64, bug: WorldBug, what: &'static str) -> Entry {
    Entry { name, what, caught_by, kind: Kind::World(bug) }
}

/// All planted bugs.
pub const PLANTS: &[Entry] = &[
    engine(
        "no-fencing",
        0,
        Bug::OldEpochNotFenced,
        "an owner goes on under its old epoch when the record names another",
    ),
    engine("cold-empty", 1, Bug::ColdStartsEmpty, "a cold start has empty counters instead of exhausted ones"),
    engine(
        "cold-without-waiting",
        0,
        Bug::ColdWithoutWaiting,
        "a cold take-over does not wait for the owner's deadline",
    ),
    engine("cold-late", 4, Bug::ColdWaitsTooLong, "a cold take-over waits two seconds longer than it has to"),
    engine(
        "cold-not-compared",
        1,
        Bug::ColdNotCompared,
        "a cold take-over does not compare again that the owner is gone",
    ),
    engine(
        "cold-without-time",
        1,
        Bug::ColdPromisesNoTime,
        "a cold take-over does not promise the time of whoever it follows",
    ),
    engine("past-deadline", 1, Bug::AnswersPastDeadline, "an owner answers past its deadline"),
    engine("leaves-unchecked", 0, Bug::LeavesUnchecked, "a reply leaves without a second look at deadline and epoch"),
    engine(
        "old-roles",
        1,
        Bug::RejoinsWithOldRoles,
        "a rejoined node keeps its roles instead of reading the records first",
    ),
    engine("any-directory", 3, Bug::ResumesFromAnyDirectory, "a node resumes from an empty or copied directory"),
    engine("cold-lost", 14, Bug::ColdLostByCrash, "`cold` is lost by a crash before activation"),
    engine("time-restarts", 0, Bug::TimeRestarts, "shard time begins at the wall clock in every epoch"),
    engine("seq-without-epoch", 0, Bug::SeqWithoutEpoch, "sections apply by seq, compared without the epoch"),
    engine("admits-while-frozen", 3, Bug::AdmitsWhileFrozen, "a shard admits while it is handed over"),
    engine("evicts-running", 0, Bug::EvictsRunningCounters, "a counter is evicted while its window runs"),
    engine(
        "promotes-unsynced",
        0,
        Bug::PromotesUnsynced,
        "a follower takes over although the record does not say that it is in sync",
    ),
    engine("marks-early", 0, Bug::MarksBeforeRequired, "a record says in sync before replies wait for the copy"),
    engine("acks-past-deadline", 25, Bug::AcksPastDeadline, "a follower acknowledges past its own deadline"),
    engine("no-tail", 177, Bug::SnapshotWithoutTail, "a snapshot without the changes that were made while it was sent"),
    engine(
        "old-policies",
        0,
        Bug::OldPoliciesAfterTakeOver,
        "a new owner decides by older policies than the one before",
    ),
    engine("old-acks", 123, Bug::CountsOldAcks, "an acknowledgement of, or for, an earlier lifetime counts"),
    engine("reply-before-ack", 0, Bug::RepliesBeforeAck, "a reply leaves without the follower's acknowledgement"),
    world(
        "reply-before-commit",
        0,
        WorldBug::ReplyBeforeCommit,
        "an admission is answered before its frame is journaled",
    ),
    world("torn-write", 36, WorldBug::TornWriteUnnoticed, "a journal that lost its tail counts as whole"),
];

impl Plant {
    pub const NONE: Self = Self(None);

    /// The plant of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        PLANTS.iter().find(|entry| entry.name == name).map(|entry| Self(Some(entry)))
    }

    /// `None` when nothing is planted.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        self.0.map(|entry| entry.name)
    }

    #[must_use]
    pub fn is_world(&self, bug: WorldBug) -> bool {
        self.0.is_some_and(|entry| entry.kind == Kind::World(bug))
    }
}

impl Bugs for Plant {
    fn has(&self, bug: Bug) -> bool {
        self.0.is_some_and(|entry| entry.kind == Kind::Engine(bug))
    }
}
