//! Rule 7 and L3: a check that names an epoch is not decided under a lower one, and not sent to the owner of a lower one; and when
//! all is well again, every check that reaches a process is decided there or by the owner that it is passed on to. Source: protocol,
//! epoch rules, invariants.

use drl_core::{Epoch, ShardId};

use super::liveness::AT_REST_AFTER;
use super::{Era, Truth, Violation};
use crate::trace::Decided;

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
pub(super) fn turned_away(shard: ShardId, why: &str, healed: Option<u64>, now: u64) -> Result<(), Violation> {
    if healed.is_none_or(|healed| now < healed + AT_REST_AFTER) {
        return Ok(());
    }
    Err(Violation::new("L3", now, format!("a check of shard {shard} is turned away although all is well: {why}")))
}

impl Truth {
    /// A check is sent to the owner of an epoch.
    ///
    /// # Errors
    /// A [`Violation`] when its asker knew of a later one.
    pub(crate) fn redirected(&self, shard: ShardId, asked_under: Epoch, to: Epoch, now: u64) -> Result<(), Violation> {
        if self.era == Era::Restored { Ok(()) } else { redirected(shard, asked_under, to, now) }
    }

    /// A check is turned away.
    ///
    /// # Errors
    /// A [`Violation`] when all has been well for a while.
    pub(crate) fn turned_away(&self, shard: ShardId, why: &str, now: u64) -> Result<(), Violation> {
        if self.era == Era::Restored { Ok(()) } else { turned_away(shard, why, self.healed, now) }
    }
}
