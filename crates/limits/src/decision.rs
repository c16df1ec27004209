//! The answer to a check. It says of one limit, the tightest, how it stands; it knows nothing of the client.

use std::time::Duration;

use drl_core::{Nanos, ShardTime};

use crate::OnUnavailable;

/// What was decided, and how the tightest limit stands after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    /// Units that the shown limit allows at once (a token bucket's burst).
    pub limit: u64,
    /// The window of the shown limit; zero when no limit was asked.
    pub window: Nanos,
    /// Units of the shown limit that are free after this decision.
    pub remaining: u64,
    /// When the same check would pass, if nothing else is charged until then.
    pub retry: Retry,
    /// How long until nothing of the shown limit is used, if nothing else is charged until then. Zero: nothing is.
    pub reset_after: Nanos,
    /// The revision of the policy that decided. Zero here: whoever knows the revision fills it in.
    pub policy_revision: u64,
    /// What the policy says a caller does when nobody can decide. Deny here: whoever knows the policy's word fills it in.
    pub on_unavailable: OnUnavailable,
    /// The shard time at which it was decided: what a refund names.
    pub decided_at: ShardTime,
    pub reason: Reason,
}

impl Decision {
    /// How long to wait until the same check would pass, if nothing else is charged: zero when it passed now, `None` when it never will.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.retry {
            Retry::Now => Some(Duration::ZERO),
            Retry::After(wait) => Some(wait.into()),
            Retry::Never => None,
        }
    }
}

/// When to ask again. Later is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Retry {
    /// It was allowed.
    Now,
    /// Denied until exactly this much later.
    After(Nanos),
    /// The cost is above the limit: it can never pass.
    Never,
}

/// Why the decision is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    WithinLimit,
    OverLimit,
    CostAboveLimit,
    /// No policy matches the client.
    UnknownClient,
    /// It would have been denied; the policy only watches.
    Shadow,
    /// Denied because both copies of the counter were lost and count as exhausted.
    StateLost,
    /// Nobody could decide in time; the policy's `on_unavailable` did. Nothing is known of the counter.
    Unavailable,
    /// Nobody could decide in time; the caller estimated from what it had seen itself (`on_unavailable` is local).
    LocalEstimate,
}

impl Reason {
    /// The name as it stands in answers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WithinLimit => "within-limit",
            Self::OverLimit => "over-limit",
            Self::CostAboveLimit => "cost-above-limit",
            Self::UnknownClient => "unknown-client",
            Self::Shadow => "shadow",
            Self::StateLost => "state-lost",
            Self::Unavailable => "unavailable",
            Self::LocalEstimate => "local-estimate",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_retry_is_greater_and_never_is_the_greatest() {
        let ordered = [Retry::Now, Retry::After(Nanos(1)), Retry::After(Nanos::MAX), Retry::Never];
        assert!(ordered.is_sorted());
    }
}
