//! I5: within an epoch in the order of decisions, and over epochs for whatever reached a journal, shard time does not decrease. Source:
//! protocol, time and cold starts ("never backwards").

use drl_core::{Epoch, ShardTime};

use super::Violation;
use crate::trace::Decided;

/// The latest time of each shard, and the epoch that stamped it. Decisions of an epoch that is over change nothing.
#[derive(Debug)]
pub(super) struct Times {
    latest: Vec<(Epoch, ShardTime)>,
    /// The latest time of an admission that is in a journal: what nobody wrote down binds nobody.
    journaled: Vec<ShardTime>,
}

impl Times {
    pub(super) fn new(shards: usize) -> Self {
        Self { latest: vec![(Epoch(0), ShardTime::ZERO); shards], journaled: vec![ShardTime::ZERO; shards] }
    }

    pub(super) fn decided(&mut self, decided: &Decided) -> Result<(), Violation> {
        let (epoch, time) = &mut self.latest[decided.shard.index()];
        if decided.epoch < *epoch {
            return Ok(());
        }
        let floor = if decided.epoch == *epoch { *time } else { self.journaled[decided.shard.index()] };
        if decided.at < floor {
            let what = format!("{decided:?} is earlier than {floor:?} of epoch {}", epoch.0);
            return Err(Violation::new("I5", decided.real, what));
        }
        (*epoch, *time) = (decided.epoch, decided.at);
        Ok(())
    }

    pub(super) fn answered(&mut self, decided: &Decided) {
        let latest = &mut self.journaled[decided.shard.index()];
        *latest = (*latest).max(decided.at);
    }
}
