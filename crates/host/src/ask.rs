//! What a front door asks, and the ticket it gets for the answer.

use std::sync::Arc;

use drl_core::{CommitNo, Cost, Epoch, LimitKey, ShardId};
use drl_limits::{Decision, Policy};

use crate::error::NotHere;

/// One check.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub key: LimitKey<'a>,
    /// Zero looks without charging, whatever the action.
    pub cost: Cost,
    pub action: Action,
    pub policy: PolicyOf<'a>,
    /// The newest epoch of the key's shard that the asker knows of; zero: none.
    pub epoch: Epoch,
}

/// What became of one check. [`NotHere`]: another node must be asked, or nobody can answer now; nothing was charged.
pub type Answer = Result<Decision, NotHere>;

/// Whether a check that passes is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Charge,
    Peek,
}

/// Where the policy of a check comes from.
#[derive(Debug, Clone, Copy)]
pub enum PolicyOf<'a> {
    /// The configuration service.
    Configured,
    /// The caller: the limit in the command is the limit.
    Given(&'a Arc<Policy>),
}

/// What must hold before the answers of a batch may leave: the journal has their frame, and this process still owns their shards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "an admission may leave only when its frame is committed: await Host::committed"]
pub struct Ticket {
    pub(crate) commit: Option<CommitNo>,
    /// Every shard with an admission, once for each batch, and under which epoch it was decided. A node that stands alone owns
    /// everything and notes nothing.
    pub(crate) decided: Vec<(ShardId, Epoch)>,
}

impl Ticket {
    /// A ticket that waits for nothing.
    pub const NONE: Self = Self { commit: None, decided: Vec::new() };

    /// One ticket for both.
    pub fn and(mut self, other: Self) -> Self {
        self.commit = self.commit.max(other.commit);
        self.decided.extend(other.decided);
        self
    }
}
