//! A decision as a message and back.

use drl_core::{Nanos, ShardTime};
use drl_limits::{Decision, OnUnavailable, Reason, Retry};
use drl_proto::v1;

/// A decision as a message.
#[must_use]
pub fn decision(decision: &Decision) -> v1::Decision {
    v1::Decision {
        allowed: decision.allowed,
        limit: decision.limit,
        remaining: decision.remaining,
        retry_after_nanos: retry_after_nanos(decision),
        reset_after_nanos: decision.reset_after.0,
        policy_revision: decision.policy_revision,
        reason: reason(decision.reason).into(),
        window_nanos: decision.window.0,
        on_unavailable: on_unavailable(decision.on_unavailable).into(),
        decided_at_nanos: decision.decided_at.0,
    }
}

/// The decision that a message is.
#[must_use]
pub fn read_decision(message: &v1::Decision) -> Decision {
    Decision {
        allowed: message.allowed,
        limit: message.limit,
        window: Nanos(message.window_nanos),
        remaining: message.remaining,
        retry: read_retry(message.allowed, message.retry_after_nanos),
        reset_after: Nanos(message.reset_after_nanos),
        policy_revision: message.policy_revision,
        on_unavailable: read_on_unavailable(message.on_unavailable()),
        decided_at: ShardTime(message.decided_at_nanos),
        reason: read_reason(message.allowed, message.reason()),
    }
}

/// 0 when allowed, -1 when it can never pass.
#[must_use]
pub fn retry_after_nanos(decision: &Decision) -> i64 {
    match decision.retry {
        _ if decision.allowed => 0,
        Retry::Now => 0,
        Retry::After(wait) => i64::try_from(wait.0).unwrap_or(i64::MAX),
        Retry::Never => -1,
    }
}

pub(crate) fn read_retry(allowed: bool, retry_after_nanos: i64) -> Retry {
    match retry_after_nanos {
        _ if allowed => Retry::Now,
        wait => u64::try_from(wait).map_or(Retry::Never, |wait| Retry::After(Nanos(wait))),
    }
}

pub(crate) const fn reason(reason: Reason) -> v1::Reason {
    match reason {
        Reason::WithinLimit => v1::Reason::WithinLimit,
        Reason::OverLimit => v1::Reason::OverLimit,
        Reason::CostAboveLimit => v1::Reason::CostAboveLimit,
        Reason::UnknownClient => v1::Reason::UnknownClient,
        Reason::Shadow => v1::Reason::Shadow,
        Reason::StateLost => v1::Reason::StateLost,
        // What a client decided by itself does not travel.
        Reason::Unavailable | Reason::LocalEstimate => v1::Reason::Unspecified,
    }
}

/// A reason that this version does not know is that of any decision of its kind.
pub(crate) const fn read_reason(allowed: bool, reason: v1::Reason) -> Reason {
    match reason {
        v1::Reason::WithinLimit => Reason::WithinLimit,
        v1::Reason::CostAboveLimit => Reason::CostAboveLimit,
        v1::Reason::UnknownClient => Reason::UnknownClient,
        v1::Reason::Shadow => Reason::Shadow,
        v1::Reason::StateLost => Reason::StateLost,
        v1::Reason::Unspecified if allowed => Reason::WithinLimit,
        v1::Reason::OverLimit | v1::Reason::Unspecified => Reason::OverLimit,
    }
}

pub(crate) const fn on_unavailable(class: OnUnavailable) -> v1::OnUnavailable {
    match class {
        OnUnavailable::Deny => v1::OnUnavailable::Deny,
        OnUnavailable::Allow => v1::OnUnavailable::Allow,
        OnUnavailable::Local => v1::OnUnavailable::Local,
    }
}

pub(crate) const fn read_on_unavailable(class: v1::OnUnavailable) -> OnUnavailable {
    match class {
        v1::OnUnavailable::Deny => OnUnavailable::Deny,
        v1::OnUnavailable::Allow => OnUnavailable::Allow,
        v1::OnUnavailable::Local => OnUnavailable::Local,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One decision of every reason a node can give, with different values everywhere.
    pub(crate) fn samples() -> Vec<Decision> {
        let reasons = [
            Reason::WithinLimit,
            Reason::OverLimit,
            Reason::CostAboveLimit,
            Reason::UnknownClient,
            Reason::Shadow,
            Reason::StateLost,
        ];
        let classes = [OnUnavailable::Deny, OnUnavailable::Allow, OnUnavailable::Local];
        let sample = |(index, reason): (u64, Reason)| Decision {
            allowed: matches!(reason, Reason::WithinLimit | Reason::Shadow),
            limit: 1_000 + index,
            window: Nanos(60 + index),
            remaining: index,
            retry: match reason {
                Reason::WithinLimit | Reason::Shadow => Retry::Now,
                Reason::CostAboveLimit | Reason::UnknownClient => Retry::Never,
                _ => Retry::After(Nanos(500 + index)),
            },
            reset_after: Nanos(900 + index),
            policy_revision: 70 + index,
            on_unavailable: classes[(index % 3) as usize],
            decided_at: ShardTime(1_700_000_000 + index),
            reason,
        };
        (0..).zip(reasons).map(sample).collect()
    }

    #[test]
    fn a_decision_comes_back_as_it_went() {
        for sample in samples() {
            assert_eq!(read_decision(&decision(&sample)), sample);
        }
    }

    #[test]
    fn a_reason_of_a_later_version_is_a_plain_decision() {
        let message = v1::Decision { reason: 77, allowed: true, ..v1::Decision::default() };
        assert_eq!(read_decision(&message).reason, Reason::WithinLimit);
    }
}
