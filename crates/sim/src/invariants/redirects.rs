//! Rule 7 and L3: a check that names an epoch is not decided under a lower one, and not sent to the owner of a lower one; and when
//! all is well again, every check that reaches a process is decided there or by the owner that it is passed on to. Source: protocol,
//! epoch rules, invariants.

use drl_core::{Epoch, ShardId};

use super::Violation;
use crate::swarm::SECOND;
use crate::trace::Decided;

/// The last part of a run, in which no check may be turned away. What was restarted last has settled by then.
const LAST: u64 = 20 * SECOND;

pub(super) fn decided(decided: &Decided) -> Result<(), Violation> {
    if decided.asked_under <= decided.epoch {
        return Ok(());
    }
    Err(Violation::new("rule 7", decided.real, format!("{decided:?} although its asker knew of a higher epoch")))
}

pub(super) fn redirected(shard: ShardId, asked_under: Epoch, to: Epoch, now: u64) -> Result<(), Violation> {
    if asked_under <= to {
        return Ok(());
    }
    let what = format!("a check of shard {shard} that knows epoch {} is sent back to epoch {}", asked_under.0, to.0);
    Err(Violation::new("L3", now, what))
}

/// A check was turned away for good.
pub(super) fn turned_away(shard: ShardId, why: &str, now: u64, end: u64) -> Result<(), Violation> {
    if now + LAST < end {
        return Ok(());
    }
    Err(Violation::new("L3", now, format!("a check of shard {shard} is turned away although all is well: {why}")))
}
