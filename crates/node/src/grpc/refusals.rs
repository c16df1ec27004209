//! Refusals of single checks as messages, for clients that keep the placement themselves and for peers.

use drl_host::{CheckError, NotHere, NotReleased, Refused};
use drl_proto::v1;
use drl_proto::v1::RefusalKind;

use crate::forward::outcome::{Declined, Undelivered};
use crate::judge::answers::Answers;
use crate::refusal::Refusal;

/// Longest text of a refusal for a peer: a thousand of them fit a message.
const PEER_TEXT_CHARS_MAX: usize = 100;

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

/// The same for a peer, in a message that may hold a thousand of them: what its fields say is not said again, and the rest is short.
pub(super) fn for_peer(refusal: &Refusal) -> v1::Refusal {
    let mut brief = message(0, refusal);
    if matches!(refusal, Refusal::NotHere(_)) {
        brief.message = String::new();
    }
    if let Some((cut, _)) = brief.message.char_indices().nth(PEER_TEXT_CHARS_MAX) {
        brief.message.truncate(cut);
    }
    brief
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

#[cfg(test)]
mod tests {
    use drl_core::caps::{BATCH_CHECKS_MAX, GRPC_MESSAGE_BYTES_MAX, NODE_ID_BYTES_MAX};
    use drl_core::{Epoch, Generation, NodeId, ShardId};
    use drl_engine::ownership::Holder;
    use drl_host::Stopped;

    use super::*;

    #[test]
    fn a_message_full_of_refusals_fits_whatever_they_say() {
        let owner =
            Holder { node: NodeId::new(&"n".repeat(NODE_ID_BYTES_MAX)).unwrap(), generation: Generation(u64::MAX) };
        let not_owner = NotHere::NotOwner { shard: ShardId::new(u16::MAX), epoch: Epoch(u64::MAX), owner };
        let stopped = Stopped { reason: "é".repeat(10_000).into() };
        for refusal in [Refusal::NotHere(not_owner), Refusal::Check(CheckError::NotReleased(stopped.into()))] {
            let brief = for_peer(&refusal);
            let bytes = brief.owner.len() + brief.message.len() + 64;
            assert!(bytes * BATCH_CHECKS_MAX < GRPC_MESSAGE_BYTES_MAX, "{bytes} bytes: {brief:?}");
        }
    }
}
