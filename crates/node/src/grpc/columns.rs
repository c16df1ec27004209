//! The messages of a check stream as what the judge takes and gives.

use drl_core::caps::BATCH_CHECKS_MAX;
use drl_host::{Action, Ask, PolicyOf};
use drl_proto::v1;
use tonic::Status;

use super::refusals;
use super::status::{invalid, refused};
use crate::judge::answers::Answers;

/// The checks of a message, over its own bytes.
pub(super) fn asks(message: &v1::CheckStreamRequest) -> Result<Vec<Ask<'_>>, Status> {
    let mut asks = Vec::with_capacity(message.id_lengths.len().min(BATCH_CHECKS_MAX));
    let ask = |drl_wire::Check { key, cost, epoch }| {
        asks.push(Ask { key, cost, action: Action::Charge, policy: PolicyOf::Configured, epoch });
    };
    drl_wire::checks(message, ask).map_err(invalid)?;
    Ok(asks)
}

/// The answer to a message whose checks are settled.
pub(super) fn answer(number: u64, detail: v1::Detail, answers: &Answers) -> v1::CheckStreamResponse {
    let refusals = refusals::all(answers);
    if let ([(_, refusal), ..], None) = (answers.refused(), answers.iter().find(Result::is_ok)) {
        return v1::CheckStreamResponse { refusals, ..failure(number, &refused(refusal)) };
    }
    drl_wire::answers(number, detail, answers.iter().map(Result::ok), refusals)
}

/// The answer to a message that was not decided.
pub(super) fn failure(number: u64, status: &Status) -> v1::CheckStreamResponse {
    let error = v1::StreamError { code: status.code().into(), message: status.message().to_owned() };
    v1::CheckStreamResponse { number, error: Some(error), ..v1::CheckStreamResponse::default() }
}
