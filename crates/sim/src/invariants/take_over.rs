//! I6: resume only from a directory that has everything; otherwise cold, and cold only when the owner cannot answer any more; a swap
//! only of a shard for which nothing was answered. Source: protocol, the record and who may change it.

use drl_core::{Epoch, ShardId};
use drl_engine::ownership::{Origin, ShardRecord};

use super::records::Change;
use super::{Era, Truth, Violation};

/// `damaged`: the epoch of which the new owner's directory has lost answers.
pub(crate) fn check(
    truth: &Truth,
    shard: ShardId,
    change: Change,
    old: Option<&ShardRecord>,
    damaged: Option<Epoch>,
    now: u64,
) -> Result<(), Violation> {
    let Some(old) = old.filter(|_| truth.era == Era::Usual) else { return Ok(()) };
    let wrong = match change {
        // What starts exhausted has nothing to lose.
        Change::Resume | Change::ResumeByFollower if damaged == Some(old.epoch) && !old.cold => {
            Some("resumed from a directory that lost answers")
        }
        Change::Swap if truth.admissions[shard.index()] > 0 => Some("handed over although it was written to"),
        Change::Cold => {
            let owner = (old.owner.node.clone(), old.owner.generation);
            let limit = truth.limits.get(&owner).copied().unwrap_or(0);
            (now < limit).then_some("taken over although its owner may still answer")
        }
        Change::Genesis
        | Change::Settled
        | Change::Resume
        | Change::ResumeByFollower
        | Change::ColdAgain
        | Change::Swap
        | Change::PlannedSwap
        | Change::Warm
        | Change::Named
        | Change::InSync
        | Change::Replaced
        | Change::Dropped => None,
    };
    match wrong {
        None => Ok(()),
        Some(wrong) => Err(Violation::new("I6", now, format!("shard {shard} at {old:?} is {wrong}"))),
    }
}

/// Where an owner's counters come from, as its record has it: what is taken over cold starts exhausted, what is not cold does not start exhausted, and only what was never
/// written to starts empty.
pub(super) fn activated(
    shard: ShardId,
    origin: Origin,
    record: &ShardRecord,
    (is_taken_cold, admissions): (bool, u64),
    now: u64,
) -> Result<(), Violation> {
    let wrong = match origin {
        Origin::Resume | Origin::Empty if is_taken_cold => "does not start exhausted although it was taken over cold",
        Origin::Cold if !record.cold => "starts exhausted although nothing of it was lost",
        Origin::Empty if record.cold => "starts empty although it was lost",
        Origin::Empty if admissions > 0 => "starts empty although it was written to",
        Origin::Cold | Origin::Empty | Origin::Resume => return Ok(()),
    };
    Err(Violation::new("I6", now, format!("shard {shard} at {record:?} {wrong}")))
}
