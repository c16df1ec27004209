//! I2: promises never decrease, across restarts with the same directory. Source: protocol, epoch rule 2. The model of the disk
//! compares every promise with the one that it replaces.

use drl_core::ShardId;

use super::Violation;

pub(super) fn violation(shard: ShardId, at: u64) -> Violation {
    Violation::new("I2", at, format!("the promise for shard {shard} went down"))
}
