//! What really happened, as nobody in the simulated world can see it: every decision with its real time, and which of them were
//! answered. The checker works on this; the world never reads it to decide anything.

use std::sync::Arc;

use drl_core::{Epoch, Generation, KeyHash, ShardId, ShardTime};
use drl_engine::ownership::Promise;
use drl_limits::Policy;

/// A client: its counter, its policy, and all that was admitted for it.
#[derive(Debug)]
pub(crate) struct Client {
    pub shard: ShardId,
    pub key: KeyHash,
    pub policy: Arc<Policy>,
    /// The highest epoch of its shard that it was told of.
    pub told: Epoch,
    /// In order of real time.
    pub admitted: Vec<Admitted>,
}

/// An admission that was decided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admitted {
    pub real: u64,
    pub at: ShardTime,
    pub cost: u64,
    pub answered: bool,
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
    /// Of the client's admissions.
    pub index: usize,
}
