//! The answer for a client that no policy covers: what the operator chose, and nothing is counted.

use drl_core::{Nanos, ShardTime};
use drl_limits::{Decision, OnUnavailable, Reason, Retry};

use crate::options::UnknownClient;

pub(crate) const fn unknown(rule: UnknownClient, now: ShardTime) -> Decision {
    let (allowed, retry) = match rule {
        UnknownClient::Deny => (false, Retry::Never),
        UnknownClient::Allow => (true, Retry::Now),
    };
    Decision {
        allowed,
        limit: 0,
        window: Nanos::ZERO,
        remaining: 0,
        retry,
        reset_after: Nanos::ZERO,
        policy_revision: 0,
        on_unavailable: OnUnavailable::Deny,
        decided_at: now,
        reason: Reason::UnknownClient,
    }
}
