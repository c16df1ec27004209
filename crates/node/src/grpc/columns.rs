//! Checks and decisions in columns: what travels in a check stream.

use drl_core::caps::BATCH_CHECKS_MAX;
use drl_core::{ClientId, Cost, Epoch, LimitKey};
use drl_host::{Action, Ask, PolicyOf};
use drl_limits::Decision;
use drl_proto::v1;
use tonic::Status;

use super::status::{invalid, refused};
use super::{convert, refusals};
use crate::judge::answers::Answers;

/// Set in an outcome when the check is allowed; the other bits are its reason.
const ALLOWED: u8 = 0x80;

/// The outcome of a check that was refused.
const REFUSED: u8 = 0;

/// The checks of a message, over its own bytes.
pub(super) fn asks(message: &v1::CheckStreamRequest) -> Result<Vec<Ask<'_>>, Status> {
    let count = message.id_lengths.len();
    if count > BATCH_CHECKS_MAX {
        return Err(invalid(format!("{count} checks are too many; send at most {BATCH_CHECKS_MAX} in a message")));
    }
    for (column, length) in [("costs", message.costs.len()), ("epochs", message.epochs.len())] {
        if length != 0 && length != count {
            return Err(invalid(format!("{length} {column} for {count} checks; send one each, or none")));
        }
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
        let epoch = Epoch(message.epochs.get(index).copied().unwrap_or(0));
        asks.push(Ask { key, cost, action: Action::Charge, policy: PolicyOf::Configured, epoch });
    }
    if !rest.is_empty() {
        return Err(invalid(format!("{} bytes of client ids are left over", rest.len())));
    }
    Ok(asks)
}

/// The answer to a message whose checks are settled.
pub(super) fn answer(number: u64, detail: v1::Detail, answers: &Answers) -> v1::CheckStreamResponse {
    let refusals = refusals::all(answers);
    if let ([(_, refusal), ..], None) = (answers.refused(), answers.iter().find(Result::is_ok)) {
        return v1::CheckStreamResponse { refusals, ..failure(number, &refused(refusal)) };
    }
    let outcomes: Vec<u8> = column(answers, REFUSED, outcome);
    let mut answer =
        v1::CheckStreamResponse { number, outcomes: outcomes.into(), refusals, ..v1::CheckStreamResponse::default() };
    if detail == v1::Detail::Full {
        answer.limits = column(answers, 0, |decision| decision.limit);
        answer.remaining = column(answers, 0, |decision| decision.remaining);
        answer.retry_after_nanos = column(answers, 0, convert::retry_after_nanos);
        answer.reset_after_nanos = column(answers, 0, |decision| decision.reset_after.0);
        answer.policy_revisions = column(answers, 0, |decision| decision.policy_revision);
    }
    answer
}

/// One value for each check; those that were refused have `without`.
fn column<T: Copy>(answers: &Answers, without: T, value: impl Fn(&Decision) -> T) -> Vec<T> {
    answers.iter().map(|answer| answer.map_or(without, &value)).collect()
}

/// The answer to a message that was not decided.
pub(super) fn failure(number: u64, status: &Status) -> v1::CheckStreamResponse {
    let error = v1::StreamError { code: status.code().into(), message: status.message().to_owned() };
    v1::CheckStreamResponse { number, error: Some(error), ..v1::CheckStreamResponse::default() }
}

fn outcome(decision: &Decision) -> u8 {
    let reason = u8::try_from(i32::from(convert::reason(decision.reason))).unwrap_or(0);
    if decision.allowed { reason | ALLOWED } else { reason }
}
