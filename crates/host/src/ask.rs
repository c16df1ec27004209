//! What a front door asks, and the ticket it gets for the answer.

use std::sync::Arc;

use drl_core::{CommitNo, Cost, LimitKey};
use drl_limits::Policy;

/// One check.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub key: LimitKey<'a>,
    /// Zero looks without charging, whatever the action.
    pub cost: Cost,
    pub action: Action,
    pub policy: PolicyOf<'a>,
}

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

/// What must be committed before the answers of a batch may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an admission may leave only when its frame is committed: await Host::committed"]
pub struct Ticket(pub(crate) Option<CommitNo>);

impl Ticket {
    /// A ticket that waits for nothing.
    pub const NONE: Self = Self(None);

    /// The one of both that waits longer.
    pub fn and(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }
}
