//! Errors as gRPC statuses. A denial is a decision and never one of these.

use drl_host::{CheckError, Refused};
use drl_proto::v1::RefusalKind;
use tonic::Status;

use crate::forward::outcome::{Declined, Undelivered};
use crate::refusal::Refusal;

/// `RESOURCE_EXHAUSTED`: nothing was decided, try again. `UNAVAILABLE`: nobody can decide now.
pub(super) fn refused(refusal: &Refusal) -> Status {
    match refusal {
        Refusal::Check(CheckError::Refused(Refused::Busy))
        | Refusal::Undelivered(Undelivered::Crowded { .. })
        | Refusal::Declined(Declined { kind: RefusalKind::Busy, .. }) => {
            Status::resource_exhausted(refusal.to_string())
        }
        Refusal::Check(CheckError::Refused(Refused::BatchTooLong { .. })) => {
            Status::invalid_argument(refusal.to_string())
        }
        Refusal::Undecided => Status::internal(refusal.to_string()),
        Refusal::Check(_) | Refusal::NotHere(_) | Refusal::Undelivered(_) | Refusal::Declined(_) | Refusal::Slow => {
            Status::unavailable(refusal.to_string())
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err passes")]
pub(super) fn invalid(error: impl ToString) -> Status {
    Status::invalid_argument(error.to_string())
}
