//! What really happened, as nobody in the simulated world can see it: every decision with its real time, and which of them were
//! answered. The checker works on this; the world never reads it to decide anything.

use std::sync::Arc;

use drl_core::{Epoch, Generation, KeyHash, Seq, ShardId, ShardTime};
use drl_engine::ownership::Promise;
use drl_limits::{Durability, Policy};

use crate::history::Admitted;

/// A client: its counter, its policy, and all that was admitted for it.
#[derive(Debug)]
pub(crate) struct Client {
    pub shard: ShardId,
    pub key: KeyHash,
    /// The policy, and a smaller one that some clients have for a while.
    pub policy: Arc<Policy>,
    pub smaller: Option<Arc<Policy>>,
    /// The highest epoch of its shard that it was told of.
    pub told: Epoch,
    /// In order of real time.
    pub admitted: Vec<Admitted>,
}

impl Client {
    /// Whether its admissions may be answered ahead of journal and follower.
    pub(crate) fn is_async(&self) -> bool {
        self.policy.durability() == Durability::Async
    }

    /// The policy of a revision: every odd one is a smaller one, for those whose limit changes.
    pub(crate) fn policy_of(&self, revision: u64) -> &Arc<Policy> {
        self.smaller.as_ref().filter(|_| revision % 2 == 1).unwrap_or(&self.policy)
    }
}

/// Who decided, where, and under what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decided {
    pub real: u64,
    pub node: usize,
    pub generation: Generation,
    pub shard: ShardId,
    pub epoch: Epoch,
    /// What the directory promises for the shard, as of now.
    pub promised: Promise,
    /// The epoch that the asker knew of; zero: none.
    pub asked_under: Epoch,
    pub at: ShardTime,
    pub client: usize,
    pub cost: u64,
    pub allowed: bool,
    /// The revision of the policies that decided.
    pub policies: u64,
    /// The section that the decision went into, when it was sealed.
    pub position: Option<(Epoch, Seq)>,
    /// Of the client's admissions.
    pub index: usize,
}
