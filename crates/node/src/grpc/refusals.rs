//! Refusals of single checks as messages, for clients that keep the placement themselves and for peers.

use drl_host::{CheckError, NotHere, NotReleased, Refused};
use drl_proto::v1;
use drl_proto::v1::RefusalKind;

use crate::forward::outcome::{Declined, Undelivered};
use crate::judge::answers::Answers;
use crate::refusal::Refusal;

/// The refusals among answers.
pub(super) fn all(answers: &Answers) -> Vec<v1::Refusal> {
    answers.refused().iter().map(|(index, refusal)| message(*index, refusal)).collect()
}

/// Why the check at `index` was not decided.
pub(super) fn message(index: usize, refusal: &Refusal) -> v1::Refusal {
    let mut message = v1::Refusal {
        index: u32::try_from(index).unwrap_or(u32::MAX),
        kind: kind(refusal).into(),
        message: refusal.to_string(),
        ..v1::Refusal::default()
    };
    if let Refusal::NotHere(not_here) = refusal {
        let (NotHere::NotOwner { shard, .. }
        | NotHere::Moving { shard }
        | NotHere::Unavailable { shard }
        | NotHere::Behind { shard }) = not_here;
        message.shard = shard.get().into();
        if let NotHere::NotOwner { epoch, owner, .. } = not_here {
            message.epoch = epoch.0;
            owner.node.as_str().clone_into(&mut message.owner);
            message.owner_generation = owner.generation.0;
        }
    }
    message
}

/// A peer asks again after the first four kinds, so what may have been charged is none of them.
const fn kind(refusal: &Refusal) -> RefusalKind {
    match refusal {
        Refusal::NotHere(NotHere::NotOwner { .. }) | Refusal::Check(CheckError::NotHere(_)) => RefusalKind::NotOwner,
        Refusal::NotHere(NotHere::Moving { .. }) => RefusalKind::Moving,
        Refusal::NotHere(NotHere::Unavailable { .. }) | Refusal::Undelivered(Undelivered::Unreachable { .. }) => {
            RefusalKind::Unavailable
        }
        Refusal::NotHere(NotHere::Behind { .. }) => RefusalKind::Behind,
        Refusal::Check(CheckError::Refused(Refused::Busy)) | Refusal::Undelivered(Undelivered::Crowded { .. }) => {
            RefusalKind::Busy
        }
        Refusal::Check(CheckError::Refused(Refused::BatchTooLong { .. })) => RefusalKind::Invalid,
        Refusal::Check(CheckError::Refused(Refused::Stopped(_)) | CheckError::NotReleased(NotReleased::Stopped(_))) => {
            RefusalKind::Stopped
        }
        Refusal::Check(CheckError::NotReleased(NotReleased::NotHere(_)))
        | Refusal::Undelivered(Undelivered::Unanswered { .. })
        | Refusal::Slow
        | Refusal::Undecided => RefusalKind::Uncertain,
        Refusal::Declined(Declined { kind, .. }) => *kind,
    }
}
