//! I10: records change only by their guarded transactions, each is one of the transitions of the table, and epochs rise. Source:
//! protocol, the record and who may change it.

use drl_core::{Epoch, NodeId, ShardId};
use drl_engine::ownership::{Guard, ShardRecord, Transaction};

use super::Violation;
use crate::marks::Mark;

/// A change of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Genesis,
    Resume,
    /// A resume of a shard whose loss may not be in the journal yet.
    ColdAgain,
    /// By the follower in sync, in that lifetime.
    Warm,
    /// By the follower in sync, in a later lifetime.
    ResumeByFollower,
    Cold,
    /// Of a shard without counters.
    Swap,
    /// To the follower in sync.
    PlannedSwap,
    Settled,
    Named,
    InSync,
    Replaced,
    Dropped,
}

impl Change {
    /// Whether the owner before did not help.
    pub(crate) const fn is_unplanned(self) -> bool {
        matches!(self, Self::Resume | Self::ColdAgain | Self::Warm | Self::ResumeByFollower | Self::Cold)
    }

    pub(crate) const fn mark(self) -> Option<Mark> {
        match self {
            Self::Resume => Some(Mark::Resumed),
            Self::ColdAgain => Some(Mark::ColdAgain),
            Self::Swap => Some(Mark::HandedOver),
            Self::Warm => Some(Mark::TakenWarm),
            Self::ResumeByFollower => Some(Mark::ResumedByFollower),
            Self::PlannedSwap => Some(Mark::Swapped),
            Self::Named => Some(Mark::Named),
            Self::InSync => Some(Mark::InSync),
            Self::Replaced => Some(Mark::Replaced),
            Self::Dropped => Some(Mark::Dropped),
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
    let is_sound = !new.in_sync || new.follower.is_some();
    let is_two = new.follower.as_ref().is_none_or(|follower| follower.node != new.owner.node);
    match classify(old, new).filter(|_| is_guarded && is_sound && is_two) {
        Some(change) => Ok(change),
        None => Err(Violation::new("I10", now, format!("the record of shard {shard} went from {old:?} to {new:?}"))),
    }
}

fn classify(old: Option<&ShardRecord>, new: &ShardRecord) -> Option<Change> {
    let Some(old) = old else {
        return (new.epoch == Epoch(1) && !new.cold && new.follower.is_none()).then_some(Change::Genesis);
    };
    if new.epoch == old.epoch {
        let is_same = new.owner == old.owner && new.follower == old.follower;
        return match (is_same, new.cold == old.cold, new.in_sync == old.in_sync) {
            (true, false, true) if old.cold => Some(Change::Settled),
            (true, true, false) if !old.in_sync => Some(Change::InSync),
            _ => None,
        };
    }
    if new.epoch != old.epoch.next() {
        return None;
    }
    if new.owner == old.owner {
        return match (&old.follower, &new.follower, old.in_sync, new.in_sync) {
            _ if old.cold != new.cold => None,
            (None, Some(_), false, false) => Some(Change::Named),
            (Some(_), None, _, false) => Some(Change::Dropped),
            (Some(one), Some(other), true, true) if one != other => Some(Change::Replaced),
            _ => None,
        };
    }
    let heir = old.in_sync_follower();
    if new.in_sync {
        let is_swap = heir == Some(&new.owner) && new.follower.as_ref() == Some(&old.owner) && old.cold == new.cold;
        return is_swap.then_some(Change::PlannedSwap);
    }
    if new.follower.is_some() {
        return None;
    }
    let is_same_node = new.owner.node == old.owner.node;
    let is_heir = heir.is_some_and(|heir| heir.node == new.owner.node);
    Some(match (is_same_node, old.cold, new.cold) {
        (true, true, true) => Change::ColdAgain,
        (_, _, true) => Change::Cold,
        (true, _, false) => Change::Resume,
        (false, _, false) if heir == Some(&new.owner) => Change::Warm,
        (false, _, false) if is_heir => Change::ResumeByFollower,
        (false, _, false) => Change::Swap,
    })
}

/// A cold take-over compares, in the transaction itself, that everybody who could still answer is gone.
pub(crate) fn is_compared(
    shard: ShardId,
    old: Option<&ShardRecord>,
    transaction: &Transaction,
    now: u64,
) -> Result<(), Violation> {
    let compares = |node: &NodeId| {
        transaction.guards.iter().any(|guard| match guard {
            Guard::NodeAbsent(of) | Guard::NodeSince { node: of, .. } => of == node,
            _ => false,
        })
    };
    match old.into_iter().flat_map(ShardRecord::fences).find(|holder| !compares(&holder.node)) {
        None => Ok(()),
        Some(holder) => {
            let what = format!("shard {shard} is taken over cold without comparing that {holder:?} is gone");
            Err(Violation::new("I10", now, what))
        }
    }
}
