//! Messages as nouns, and decisions as messages.

use drl_core::{ClientId, Cost, Epoch, LimitKey, Namespace};
use drl_host::{Action, Ask, PolicyOf};
use drl_limits::{Decision, Reason, Retry};
use drl_proto::v1;
use tonic::Status;

use super::status::invalid;

/// The empty name is the default namespace.
pub(super) fn namespace(name: &str) -> Result<Namespace<'_>, Status> {
    if name.is_empty() { Ok(Namespace::DEFAULT) } else { Namespace::new(name).map_err(invalid) }
}

pub(super) fn key<'a>(name: &'a str, client: &'a [u8]) -> Result<LimitKey<'a>, Status> {
    Ok(LimitKey::new(namespace(name)?, ClientId::new(client).map_err(invalid)?))
}

pub(super) fn ask(check: &v1::CheckRequest) -> Result<Ask<'_>, Status> {
    let key = key(&check.namespace, &check.client_id)?;
    let cost = check.cost.map_or(Ok(Cost::ONE), Cost::new).map_err(invalid)?;
    let action = if check.peek { Action::Peek } else { Action::Charge };
    Ok(Ask { key, cost, action, policy: PolicyOf::Configured, epoch: Epoch(0) })
}

pub(super) fn decision(decision: &Decision) -> v1::Decision {
    v1::Decision {
        allowed: decision.allowed,
        limit: decision.limit,
        remaining: decision.remaining,
        retry_after_nanos: retry_after_nanos(decision),
        reset_after_nanos: decision.reset_after.0,
        policy_revision: decision.policy_revision,
        reason: reason(decision.reason).into(),
        window_nanos: decision.window.0,
    }
}

/// 0 when allowed, -1 when it can never pass.
pub(super) fn retry_after_nanos(decision: &Decision) -> i64 {
    match decision.retry {
        _ if decision.allowed => 0,
        Retry::Now => 0,
        Retry::After(wait) => i64::try_from(wait.0).unwrap_or(i64::MAX),
        Retry::Never => -1,
    }
}

pub(super) const fn reason(reason: Reason) -> v1::Reason {
    match reason {
        Reason::WithinLimit => v1::Reason::WithinLimit,
        Reason::OverLimit => v1::Reason::OverLimit,
        Reason::CostAboveLimit => v1::Reason::CostAboveLimit,
        Reason::UnknownClient => v1::Reason::UnknownClient,
        Reason::Shadow => v1::Reason::Shadow,
        Reason::StateLost => v1::Reason::StateLost,
    }
}
