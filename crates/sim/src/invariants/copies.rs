//! I3: when a record says in sync, every admission that is answered is in the follower's journal. L2: when all has been well for a while
//! and two nodes are up, every shard has a follower in sync. And an owner and its follower in sync, nothing being on its way, have the
//! same counters. Source: protocol, invariants.

use drl_core::{Epoch, Seq, ShardId};
use drl_engine::ownership::ShardRecord;

use super::Violation;
use crate::trace::Decided;

/// `journaled`: where the shard stands in the follower's journal.
pub(crate) fn has(decided: &Decided, journaled: (Epoch, Seq), now: u64) -> Result<(), Violation> {
    match decided.position {
        Some(position) if journaled >= position => Ok(()),
        position => {
            let what =
                format!("{decided:?} went into {position:?} and is answered, but the follower has {journaled:?}");
            Err(Violation::new("I3", now, what))
        }
    }
}

pub(crate) fn is_in_sync(shard: ShardId, record: &ShardRecord, now: u64) -> Result<(), Violation> {
    if record.in_sync {
        return Ok(());
    }
    Err(Violation::new("L2", now, format!("shard {shard} has no follower in sync at the end: {record:?}")))
}

pub(crate) fn are_the_same(shard: ShardId, owner: u64, follower: u64, now: u64) -> Result<(), Violation> {
    if owner == follower {
        return Ok(());
    }
    let what =
        format!("the counters of shard {shard} are {owner:016x} at its owner and {follower:016x} at its follower");
    Err(Violation::new("copies differ", now, what))
}
