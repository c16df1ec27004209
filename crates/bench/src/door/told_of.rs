//! What nodes and clients say, as verdicts.

use drl_client::{CheckError, Decision, Reason};
use drl_proto::v1;
use tonic::{Code, Status};

use crate::told::{Told, Verdict};

/// One decision, whoever made it.
pub(crate) fn decision(told: &mut Told, decision: &Decision) {
    let verdict = match decision.reason {
        Reason::Unavailable | Reason::LocalEstimate => Verdict::Unavailable,
        _ if decision.allowed => Verdict::Allowed,
        _ => Verdict::Denied,
    };
    told.add(verdict, decision.reason.as_str(), 1);
}

/// One check that has no decision.
pub(crate) fn error(told: &mut Told, error: &CheckError) {
    let (verdict, reason) = match error {
        CheckError::Invalid(_) => (Verdict::Rejected, "invalid"),
        CheckError::Rejected { .. } => (Verdict::Rejected, "rejected"),
        CheckError::Busy { .. } => (Verdict::Rejected, "busy"),
        CheckError::Unavailable { .. } => (Verdict::Failed, "unavailable"),
        CheckError::TimedOut { .. } => (Verdict::Failed, TIMED_OUT),
        CheckError::Closed => (Verdict::Failed, "closed"),
    };
    told.fail(verdict, reason, 1, || error.to_string());
}

/// All checks of a call that a node answered with a status.
pub(super) fn status(told: &mut Told, status: &Status, checks: usize) {
    let (verdict, reason) = match status.code() {
        Code::InvalidArgument => (Verdict::Rejected, "invalid"),
        Code::ResourceExhausted => (Verdict::Rejected, "busy"),
        Code::Unimplemented => (Verdict::Rejected, "unimplemented"),
        Code::Unavailable => (Verdict::Failed, "unavailable"),
        Code::DeadlineExceeded | Code::Cancelled => (Verdict::Failed, TIMED_OUT),
        _ => (Verdict::Failed, BROKEN),
    };
    told.fail(verdict, reason, checks, || format!("{:?}: {}", status.code(), status.message()));
}

/// One check that an owner refused.
pub(super) fn refusal(told: &mut Told, refusal: &v1::Refusal) {
    let (verdict, reason) = match refusal.kind() {
        v1::RefusalKind::NotOwner => (Verdict::Rejected, "not-owner"),
        v1::RefusalKind::Moving => (Verdict::Rejected, "moving"),
        v1::RefusalKind::Unavailable => (Verdict::Rejected, "unavailable"),
        v1::RefusalKind::Behind => (Verdict::Rejected, "behind"),
        v1::RefusalKind::Busy => (Verdict::Rejected, "busy"),
        v1::RefusalKind::Stopped => (Verdict::Rejected, "stopped"),
        v1::RefusalKind::Invalid => (Verdict::Rejected, "invalid"),
        v1::RefusalKind::Uncertain => (Verdict::Failed, "uncertain"),
        v1::RefusalKind::Unspecified => (Verdict::Failed, BROKEN),
    };
    told.fail(verdict, reason, 1, || refusal.message.clone());
}

/// Nobody answered in time.
pub(super) const TIMED_OUT: &str = "timed-out";

/// The connection was lost, or what came over it makes no sense.
pub(super) const BROKEN: &str = "broken";

/// All checks of a call whose connection was lost.
pub(super) fn broken(told: &mut Told, checks: usize, sentence: &impl ToString) {
    told.fail(Verdict::Failed, BROKEN, checks, || sentence.to_string());
}

/// All checks of a call that nobody answered in time.
pub(super) fn timed_out(told: &mut Told, checks: usize, within: std::time::Duration) {
    told.fail(Verdict::Failed, TIMED_OUT, checks, || format!("no answer within {within:?}"));
}
