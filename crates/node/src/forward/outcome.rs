//! What came of an errand: the owner's answer, or why there is none. The difference that matters is whether it may count as charged.

use std::sync::Arc;

use drl_core::{Epoch, Generation, Nanos, NodeId, ShardId};
use drl_engine::ownership::Holder;
use drl_host::NotHere;
use drl_limits::Decision;
use drl_proto::v1;
use drl_proto::v1::forwarded_answer::Answer;

/// What the owner did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Decided(Decision),
    /// A reset or a refund is in the owner's journal.
    Done,
}

/// An errand that was not sent, or whose answer did not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undelivered {
    /// Nothing was sent.
    #[error("node {node} cannot be reached: {reason}")]
    Unreachable {
        node: NodeId,
        reason: Arc<str>,
        /// When that began, by this node's clock. A node that has just started may be elsewhere than its key still says.
        since: Nanos,
    },
    /// Nothing was sent.
    #[error("too many checks are on their way to node {node}; try again")]
    Crowded { node: NodeId },
    #[error("node {node} did not answer: {reason}; what was asked may count as charged")]
    Unanswered { node: NodeId, reason: Arc<str> },
}

/// An owner that decided nothing, for a reason that is not about who owns the shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("node {node}: {message}")]
pub(crate) struct Declined {
    pub(crate) node: NodeId,
    pub(crate) kind: v1::RefusalKind,
    pub(crate) message: String,
}

/// A peer's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PeerRefusal {
    NotHere(NotHere),
    Declined(Declined),
}

/// Reads an answer of `node`.
///
/// # Errors
/// [`PeerRefusal`]: the errand was not carried out.
pub(crate) fn read(node: &NodeId, answer: v1::ForwardedAnswer) -> Result<Told, PeerRefusal> {
    match answer.answer {
        Some(Answer::Decision(decision)) => Ok(Told::Decided(drl_wire::read_decision(&decision))),
        Some(Answer::Done(_)) => Ok(Told::Done),
        Some(Answer::Refusal(refusal)) => Err(refused(node, refusal)),
        None => {
            let message = "it sent an answer that this version does not know".to_owned();
            Err(PeerRefusal::Declined(Declined { node: node.clone(), kind: v1::RefusalKind::Unspecified, message }))
        }
    }
}

fn refused(node: &NodeId, refusal: v1::Refusal) -> PeerRefusal {
    let kind = refusal.kind();
    let not_here = u16::try_from(refusal.shard).ok().map(ShardId::new).and_then(|shard| match kind {
        v1::RefusalKind::NotOwner => {
            let owner = NodeId::new(&refusal.owner).ok()?;
            let owner = Holder { node: owner, generation: Generation(refusal.owner_generation) };
            Some(NotHere::NotOwner { shard, epoch: Epoch(refusal.epoch), owner })
        }
        v1::RefusalKind::Moving => Some(NotHere::Moving { shard }),
        v1::RefusalKind::Unavailable => Some(NotHere::Unavailable { shard }),
        v1::RefusalKind::Behind => Some(NotHere::Behind { shard }),
        _ => None,
    });
    match not_here {
        Some(not_here) => PeerRefusal::NotHere(not_here),
        None => PeerRefusal::Declined(Declined { node: node.clone(), kind, message: refusal.message }),
    }
}
