//! The ownership record of a shard, and every way in which it may change.
//!
//! Rule (protocol, the record and who may change it): the epoch rises by one at every change of owner or follower; a holder is a
//! node *and* a generation, so a record names a process lifetime and not a host.
//!
//! | transition | actor | here |
//! |---|---|---|
//! | genesis | whoever finds no record | [`ShardRecord::first`] |
//! | planned swap of a shard that was never written | owner | [`ShardRecord::handed_to`] |
//! | resume | the owner's node, restarted | [`ShardRecord::resumed_by`] |
//! | cold take-over | the node that the ring names | [`ShardRecord::taken_cold_by`] |
//! | the floor is in the journal | owner | [`ShardRecord::settled`] |
//! | name a follower, as learner | owner | [`ShardRecord::with_learner`] |
//! | mark in sync | owner | [`ShardRecord::marked_in_sync`] |
//! | replace the follower | owner | [`ShardRecord::with_replacement`] |
//! | drop the follower | owner | [`ShardRecord::without_follower`] |
//! | warm take-over | the in-sync follower | [`ShardRecord::resumed_by`]: it has everything that was answered |
//! | planned swap | owner | [`ShardRecord::swapped`] |
//!
//! A shard that was written moves to its in-sync follower and to nobody else.

use drl_core::{Epoch, Generation, NodeId};

/// A node in one of its process lifetimes. The generation is compared first: two lifetimes rarely have the same one, and numbers are
/// compared faster than names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    pub generation: Generation,
    pub node: NodeId,
}

/// Who owns a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardRecord {
    pub epoch: Epoch,
    pub owner: Holder,
    pub follower: Option<Holder>,
    /// Whether the follower may take over.
    pub in_sync: bool,
    /// The counters were lost and count as exhausted; set until that is in the new owner's journal.
    pub cold: bool,
}

impl ShardRecord {
    /// A shard that nobody has claimed before.
    #[must_use]
    pub const fn first(owner: Holder) -> Self {
        Self { epoch: Epoch(1), owner, follower: None, in_sync: false, cold: false }
    }

    /// The next epoch, for a lifetime of the same node that has everything which the last one journaled. Whether the counters
    /// count as exhausted does not change.
    #[must_use]
    pub const fn resumed_by(&self, owner: Holder) -> Self {
        Self { epoch: self.epoch.next(), owner, follower: None, in_sync: false, cold: self.cold }
    }

    /// The next epoch, for somebody who has nothing of the counters.
    #[must_use]
    pub const fn taken_cold_by(&self, owner: Holder) -> Self {
        Self { epoch: self.epoch.next(), owner, follower: None, in_sync: false, cold: true }
    }

    /// The next epoch, for another node, of a shard without counters.
    #[must_use]
    pub const fn handed_to(&self, owner: Holder) -> Self {
        Self { epoch: self.epoch.next(), owner, follower: None, in_sync: false, cold: false }
    }

    /// The next epoch, with a follower that has nothing yet.
    #[must_use]
    pub fn with_learner(&self, follower: Holder) -> Self {
        Self { epoch: self.epoch.next(), follower: Some(follower), in_sync: false, ..self.clone() }
    }

    /// The same epoch; the follower may take over from now on.
    #[must_use]
    pub fn marked_in_sync(&self) -> Self {
        Self { in_sync: true, ..self.clone() }
    }

    /// The next epoch, with another follower that has everything.
    #[must_use]
    pub fn with_replacement(&self, follower: Holder) -> Self {
        Self { epoch: self.epoch.next(), follower: Some(follower), in_sync: true, ..self.clone() }
    }

    /// The next epoch, with one copy only.
    #[must_use]
    pub fn without_follower(&self) -> Self {
        Self { epoch: self.epoch.next(), follower: None, in_sync: false, ..self.clone() }
    }

    /// The next epoch: the follower in sync is the owner, and the owner follows it. `None` without a follower in sync.
    #[must_use]
    pub fn swapped(&self) -> Option<Self> {
        let owner = self.follower.clone().filter(|_| self.in_sync)?;
        Some(Self { epoch: self.epoch.next(), owner, follower: Some(self.owner.clone()), ..self.clone() })
    }

    /// The follower that may take over.
    #[must_use]
    pub fn in_sync_follower(&self) -> Option<&Holder> {
        self.follower.as_ref().filter(|_| self.in_sync)
    }

    /// The same ownership, with the loss of the counters in the owner's journal.
    #[must_use]
    pub fn settled(&self) -> Self {
        Self { cold: false, ..self.clone() }
    }

    /// Everybody who may have to be waited for before a cold take-over: the owner, and a follower that could take over.
    pub fn fences(&self) -> impl Iterator<Item = &Holder> {
        std::iter::once(&self.owner).chain(self.in_sync_follower())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(node: &str, generation: u64) -> Holder {
        Holder { node: NodeId::new(node).unwrap(), generation: Generation(generation) }
    }

    #[test]
    fn every_change_of_owner_raises_the_epoch_by_one() {
        let first = ShardRecord::first(holder("n1", 1));
        assert_eq!(first.epoch, Epoch(1));
        for next in
            [first.resumed_by(holder("n1", 2)), first.taken_cold_by(holder("n2", 3)), first.handed_to(holder("n2", 3))]
        {
            assert_eq!((next.epoch, &next.follower, next.in_sync), (Epoch(2), &None, false));
        }
        assert_eq!(first.settled().epoch, Epoch(1), "the same ownership");
    }

    #[test]
    fn cold_is_kept_by_a_resume_and_ends_when_it_is_settled() {
        let cold = ShardRecord::first(holder("n1", 1)).taken_cold_by(holder("n2", 1));
        assert!(cold.cold && cold.resumed_by(holder("n2", 2)).cold);
        assert!(!cold.settled().cold);
    }

    #[test]
    fn only_a_follower_in_sync_is_waited_for_and_handed_to() {
        let learner = ShardRecord { follower: Some(holder("n2", 1)), ..ShardRecord::first(holder("n1", 1)) };
        assert_eq!((learner.fences().count(), learner.swapped()), (1, None));
        let in_sync = ShardRecord { in_sync: true, ..learner };
        assert_eq!(in_sync.fences().count(), 2);
        assert_eq!(in_sync.swapped().unwrap().owner, holder("n2", 1));
    }
}
