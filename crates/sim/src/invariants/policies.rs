//! Rule 5: a new owner does not decide by older policies than the one before it answered by, unless the shard's state was lost in between.
//! Source: protocol, epoch rules and policy changes.

use drl_core::{Epoch, ShardId};

use super::Violation;
use crate::trace::Decided;

/// Per shard: the highest revision that an answered admission was decided by, and its epoch.
#[derive(Debug)]
pub(super) struct Policies(Vec<(Epoch, u64)>);

impl Policies {
    pub(super) fn new(shards: usize) -> Self {
        Self(vec![(Epoch(0), 0); shards])
    }

    pub(super) fn answered(&mut self, decided: &Decided) {
        let (epoch, revision) = &mut self.0[decided.shard.index()];
        if decided.policies > *revision {
            (*epoch, *revision) = (decided.epoch, decided.policies);
        }
    }

    pub(super) fn begin_anew(&mut self, shard: ShardId) {
        self.0[shard.index()] = (Epoch(0), 0);
    }

    pub(super) fn decided(&self, decided: &Decided) -> Result<(), Violation> {
        let (epoch, revision) = self.0[decided.shard.index()];
        if decided.epoch <= epoch || decided.policies >= revision {
            return Ok(());
        }
        let what = format!("{decided:?} although epoch {} answered by revision {revision} already", epoch.0);
        Err(Violation::new("rule 5", decided.real, what))
    }
}
