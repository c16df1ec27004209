//! I10: records change only by their guarded transactions, each is one of the transitions of the table, and epochs rise. Source:
//! protocol, the record and who may change it.

use drl_core::{Epoch, ShardId};
use drl_engine::ownership::ShardRecord;

use super::Violation;
use crate::marks::Mark;

/// A change of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Genesis,
    Resume,
    /// A resume of a shard whose loss may not be in the journal yet.
    ColdAgain,
    Cold,
    Swap,
    Settled,
}

impl Change {
    pub(crate) const fn mark(self) -> Option<Mark> {
        match self {
            Self::Resume => Some(Mark::Resumed),
            Self::ColdAgain => Some(Mark::ColdAgain),
            Self::Swap => Some(Mark::HandedOver),
            Self::Genesis | Self::Cold | Self::Settled => None,
        }
    }
}

pub(crate) fn check(
    shard: ShardId,
    old: Option<&ShardRecord>,
    new: &ShardRecord,
    is_guarded: bool,
    now: u64,
) -> Result<Change, Violation> {
    let change = classify(old, new);
    match change.filter(|_| is_guarded && new.follower.is_none() && !new.in_sync) {
        Some(change) => Ok(change),
        None => Err(Violation::new("I10", now, format!("the record of shard {shard} went from {old:?} to {new:?}"))),
    }
}

fn classify(old: Option<&ShardRecord>, new: &ShardRecord) -> Option<Change> {
    let Some(old) = old else { return (new.epoch == Epoch(1) && !new.cold).then_some(Change::Genesis) };
    if new.epoch == old.epoch {
        return (new.owner == old.owner && old.cold && !new.cold).then_some(Change::Settled);
    }
    if new.epoch != old.epoch.next() {
        return None;
    }
    let is_same_node = new.owner.node == old.owner.node && new.owner != old.owner;
    Some(match (is_same_node, old.cold, new.cold) {
        (true, true, true) => Change::ColdAgain,
        (_, _, true) => Change::Cold,
        (true, _, false) => Change::Resume,
        (false, _, false) => Change::Swap,
    })
}
