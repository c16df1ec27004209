//! I2 and the rules around it: promises never decrease, across restarts with the same directory; whoever joins or decides under an epoch has
//! promised that very one before, on disk; whoever serves has promised, on disk, what it read when its session began. Source:
//! protocol, epoch rules 2, 4 and 5. The model of the disk compares every promise with the one that it replaces.

use drl_core::{Epoch, Generation, ShardId};
use drl_engine::ownership::Promise;
use drl_engine::replication::Join;

use super::Violation;
use crate::trace::Decided;

pub(super) fn violation(shard: ShardId, at: u64) -> Violation {
    Violation::new("I2", at, format!("the promise for shard {shard} went down, or to another generation of its epoch"))
}

pub(super) fn decided(decided: &Decided) -> Result<(), Violation> {
    let is_own = decided.promised.generation == decided.generation;
    // The next epoch of the same owner is promised before it is used.
    if is_own && [decided.epoch, decided.epoch.next()].contains(&decided.promised.epoch) {
        return Ok(());
    }
    Err(Violation::new("I2", decided.real, format!("{decided:?} is decided under an epoch that is not promised")))
}

/// A node follows: it has promised on disk what it will acknowledge. An invitation that is answered again may be of an epoch that is over.
pub(crate) fn joins(join: &Join, owner: Generation, promised: Promise, at: u64) -> Result<(), Violation> {
    let asked = Promise { epoch: join.epoch, generation: owner };
    if promised == asked || promised.epoch > join.epoch {
        return Ok(());
    }
    Err(Violation::new("I2", at, format!("{join:?} of {owner:?} is answered, but what is on disk is {promised:?}")))
}

/// A node serves, as a heartbeat shows: of every shard it has promised what its first reading said.
pub(super) fn serves(
    owed: &[Epoch],
    promised: impl Fn(ShardId) -> Promise,
    node: usize,
    at: u64,
) -> Result<(), Violation> {
    let shards = (0..).map(ShardId::new).zip(owed);
    match shards.into_iter().find(|(shard, owed)| promised(*shard).epoch < **owed) {
        None => Ok(()),
        Some((shard, owed)) => {
            let what = format!("node {node} serves without a promise for epoch {} of shard {shard}", owed.0);
            Err(Violation::new("I2", at, what))
        }
    }
}
