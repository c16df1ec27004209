//! How many copies a node has in the making, and how many it may have.
//!
//! Rule (protocol, section 5): a node has only so many moves in flight. A copy is in the making from the transaction that names its learner
//! on, whether its outcome is known or not, until it has its snapshot and replies begin to wait for it.

use drl_core::caps::COPIES_IN_THE_MAKING_MAX;

use super::agent::NodeAgent;
use super::bugs::Bugs;
use super::local::{Seat, Standing};
use super::pending::Pending;
use super::record::ShardRecord;
use super::transaction::Write;

impl<B: Bugs> NodeAgent<B> {
    /// How many more copies may be begun.
    pub(super) fn room_for_copies(&self) -> usize {
        COPIES_IN_THE_MAKING_MAX.saturating_sub(self.being_named() + self.in_the_making())
    }

    /// Learners in transactions whose outcome is not known.
    fn being_named(&self) -> usize {
        let transactions = self.pending.values().filter_map(|waiting| match &waiting.what {
            Pending::Records { transaction, .. } => Some(transaction),
            _ => None,
        });
        let names = |write: &&Write| matches!(write, Write::Record { record, .. } if self.has_learner(record));
        transactions.map(|transaction| transaction.writes.iter().filter(names).count()).sum()
    }

    fn in_the_making(&self) -> usize {
        let begun = |seat: &Seat| seat.standing < Standing::Required;
        let shards = self.shards.iter().filter(|shard| {
            let seats = &self.locals[shard.index()].seats;
            let is_named = || self.known.record(*shard).is_some_and(|versioned| self.has_learner(&versioned.record));
            seats.iter().any(begun) || (seats.is_empty() && is_named())
        });
        shards.count()
    }

    /// Whether a record of this node has a learner.
    fn has_learner(&self, record: &ShardRecord) -> bool {
        record.owner == self.myself() && record.follower.is_some() && !record.in_sync
    }
}
