//! I5: in the order of epochs, and within an epoch in the order of decisions, shard time does not decrease. Source: protocol, time
//! and cold starts ("never backwards").

use drl_core::{Epoch, ShardTime};

use super::Violation;
use crate::trace::Decided;

/// The latest time of each shard, and the epoch that stamped it. Decisions of an epoch that is over change nothing.
#[derive(Debug)]
pub(super) struct Times {
    latest: Vec<(Epoch, ShardTime)>,
    /// The latest time at which something was admitted: what nobody wrote down binds nobody.
    admitted: Vec<ShardTime>,
}

impl Times {
    pub(super) fn new(shards: usize) -> Self {
        Self { latest: vec![(Epoch(0), ShardTime::ZERO); shards], admitted: vec![ShardTime::ZERO; shards] }
    }

    pub(super) fn decided(&mut self, decided: &Decided) -> Result<(), Violation> {
        let (epoch, time) = &mut self.latest[decided.shard.index()];
        if decided.epoch < *epoch {
            return Ok(());
        }
        let admitted = &mut self.admitted[decided.shard.index()];
        let floor = if decided.epoch == *epoch { *time } else { *admitted };
        if decided.at < floor {
            let what = format!("{decided:?} is earlier than {floor:?} of epoch {}", epoch.0);
            return Err(Violation::new("I5", decided.real, what));
        }
        (*epoch, *time) = (decided.epoch, decided.at);
        if decided.allowed {
            *admitted = (*admitted).max(decided.at);
        }
        Ok(())
    }
}
