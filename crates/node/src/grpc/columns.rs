//! Checks and decisions in columns: what travels in a check stream.

use drl_core::caps::BATCH_CHECKS_MAX;
use drl_core::{ClientId, Cost, Epoch, LimitKey};
use drl_host::{Action, Ask, PolicyOf};
use drl_limits::Decision;
use drl_proto::v1;
use tonic::Status;

use super::convert;
use super::status::invalid;

/// Set in an outcome when the check is allowed; the other bits are its reason.
const ALLOWED: u8 = 0x80;

/// The checks of a message, over its own bytes.
pub(super) fn asks(message: &v1::CheckStreamRequest) -> Result<Vec<Ask<'_>>, Status> {
    let count = message.id_lengths.len();
    if count > BATCH_CHECKS_MAX {
        return Err(invalid(format!("{count} checks are too many; send at most {BATCH_CHECKS_MAX} in a message")));
    }
    if !message.costs.is_empty() && message.costs.len() != count {
        let costs = message.costs.len();
        return Err(invalid(format!("{costs} costs for {count} checks; send one each, or none for a cost of 1 each")));
    }
    let namespace = convert::namespace(&message.namespace)?;
    let mut rest: &[u8] = &message.client_ids;
    let mut asks = Vec::with_capacity(count);
    for (index, length) in message.id_lengths.iter().enumerate() {
        let split = usize::try_from(*length).ok().and_then(|length| rest.split_at_checked(length));
        let (id, behind) = split.ok_or_else(|| invalid("the id lengths are more than the bytes of the ids"))?;
        rest = behind;
        let key = LimitKey::new(namespace, ClientId::new(id).map_err(invalid)?);
        let cost = message.costs.get(index).map_or(Ok(Cost::ONE), |cost| Cost::new(*cost)).map_err(invalid)?;
        asks.push(Ask { key, cost, action: Action::Charge, policy: PolicyOf::Configured, epoch: Epoch(0) });
    }
    if !rest.is_empty() {
        return Err(invalid(format!("{} bytes of client ids are left over", rest.len())));
    }
    Ok(asks)
}

/// The answer to a message that was decided.
pub(super) fn answer(number: u64, detail: v1::Detail, decisions: &[Decision]) -> v1::CheckStreamResponse {
    let outcomes: Vec<u8> = decisions.iter().map(outcome).collect();
    let mut answer =
        v1::CheckStreamResponse { number, outcomes: outcomes.into(), ..v1::CheckStreamResponse::default() };
    if detail == v1::Detail::Full {
        answer.limits = decisions.iter().map(|decision| decision.limit).collect();
        answer.remaining = decisions.iter().map(|decision| decision.remaining).collect();
        answer.retry_after_nanos = decisions.iter().map(convert::retry_after_nanos).collect();
        answer.reset_after_nanos = decisions.iter().map(|decision| decision.reset_after.0).collect();
        answer.policy_revisions = decisions.iter().map(|decision| decision.policy_revision).collect();
    }
    answer
}

/// The answer to a message that was not.
pub(super) fn failure(number: u64, status: &Status) -> v1::CheckStreamResponse {
    let error = v1::StreamError { code: status.code().into(), message: status.message().to_owned() };
    v1::CheckStreamResponse { number, error: Some(error), ..v1::CheckStreamResponse::default() }
}

fn outcome(decision: &Decision) -> u8 {
    let reason = u8::try_from(i32::from(convert::reason(decision.reason))).unwrap_or(0);
    if decision.allowed { reason | ALLOWED } else { reason }
}
