//! I1: one answering generation per (shard, epoch). And its sharper form for epochs without a follower in sync: once a later
//! epoch of another lifetime has decided, no admission of an earlier one leaves. Source: protocol, invariants; promise P1 (an older epoch cannot admit).

use std::collections::BTreeMap;

use drl_core::{Epoch, Generation, ShardId};

use super::Violation;
use crate::trace::Decided;

/// Who decided under which epoch.
#[derive(Debug)]
pub(super) struct Owners {
    by_epoch: BTreeMap<(ShardId, Epoch), (usize, Generation)>,
    latest: Vec<Epoch>,
}

impl Owners {
    pub(super) fn new(shards: usize) -> Self {
        Self { by_epoch: BTreeMap::new(), latest: vec![Epoch(0); shards] }
    }

    pub(super) fn decided(&mut self, decided: &Decided) -> Result<(), Violation> {
        let latest = &mut self.latest[decided.shard.index()];
        let me = (decided.node, decided.generation);
        if decided.epoch > *latest {
            *latest = decided.epoch;
        }
        let owner = self.by_epoch.entry((decided.shard, decided.epoch)).or_insert(me);
        if *owner == me {
            return Ok(());
        }
        let what = format!("{decided:?}, but epoch {} was answered for by {owner:?}", decided.epoch.0);
        Err(Violation::new("I1", decided.real, what))
    }

    pub(super) fn admitted(&self, decided: &Decided, now: u64) -> Result<(), Violation> {
        let latest = self.latest[decided.shard.index()];
        let mut between = self.by_epoch.range((decided.shard, decided.epoch)..=(decided.shard, latest));
        if between.all(|(_, owner)| *owner == (decided.node, decided.generation)) {
            return Ok(());
        }
        let what = format!("{decided:?} is answered although epoch {} has decided already", latest.0);
        Err(Violation::new("I1", now, what))
    }
}
