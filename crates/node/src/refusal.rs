//! Why a check got no decision, and the waits that end in one: every wait for the journal has a deadline, whichever door waits.

use std::time::Duration;

use drl_core::{Epoch, LimitKey};
use drl_host::{Answer, Ask, CheckError, Host, NotHere, NotReleased, Refused, Ticket};
use drl_proto::v1;
use tokio::time::timeout;

use crate::forward::errand::Change;
use crate::forward::outcome::{Declined, PeerRefusal, Undelivered};

/// How long a reply waits for the journal. A commit takes milliseconds; a disk that takes seconds is broken, and saying so is better
/// than a client that hangs.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// No decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// This node could not decide.
    #[error(transparent)]
    Check(CheckError),
    /// Nobody answers for the shard now, as far as was to be found out in time.
    #[error(transparent)]
    NotHere(NotHere),
    /// The owner could not be asked, or did not answer.
    #[error(transparent)]
    Undelivered(#[from] Undelivered),
    /// The owner did not decide.
    #[error(transparent)]
    Declined(#[from] Declined),
    #[error("the journal did not answer within {COMMIT_TIMEOUT:?}; what was asked may count as charged")]
    Slow,
    /// One answer for each ask is the host's contract; an answer is owed even if it is broken.
    #[error("this check was not decided")]
    Undecided,
}

/// What whoever asked can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// Ask again in a moment.
    Passing,
    /// Something is away; nobody knows for how long.
    Down,
    /// The node must be looked at.
    Broken,
}

impl Refusal {
    pub(crate) const fn outlook(&self) -> Outlook {
        match self {
            Self::Check(CheckError::Refused(Refused::Busy) | CheckError::NotHere(_))
            | Self::NotHere(NotHere::NotOwner { .. } | NotHere::Moving { .. } | NotHere::Behind { .. })
            | Self::Undelivered(Undelivered::Crowded { .. })
            | Self::Declined(Declined { kind: v1::RefusalKind::Busy, .. })
            | Self::Slow => Outlook::Passing,
            Self::NotHere(NotHere::Unavailable { .. })
            | Self::Check(CheckError::NotReleased(NotReleased::NotHere(_)))
            | Self::Undelivered(Undelivered::Unreachable { .. } | Undelivered::Unanswered { .. })
            | Self::Declined(_) => Outlook::Down,
            Self::Check(CheckError::Refused(_) | CheckError::NotReleased(NotReleased::Stopped(_)))
            | Self::Undecided => Outlook::Broken,
        }
    }
}

impl From<CheckError> for Refusal {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::NotHere(not_here) => Self::NotHere(not_here),
            error => Self::Check(error),
        }
    }
}

impl From<PeerRefusal> for Refusal {
    fn from(refusal: PeerRefusal) -> Self {
        match refusal {
            PeerRefusal::NotHere(not_here) => Self::NotHere(not_here),
            PeerRefusal::Declined(declined) => Self::Declined(declined),
        }
    }
}

/// Decides a batch. While the open frame is full it waits for the next one, and is refused as busy only when that takes as long as a
/// broken disk does.
///
/// # Errors
/// [`Refusal`]: nothing of the batch was decided.
pub(crate) async fn decide(host: &Host, asks: &[Ask<'_>], answers: &mut Vec<Answer>) -> Result<Ticket, Refusal> {
    let decided = match timeout(COMMIT_TIMEOUT, host.decide_when_room(asks, answers)).await {
        Ok(decided) => decided,
        // The last try is the one that counts, whichever way it ends.
        Err(_) => host.decide(asks, answers),
    };
    Ok(decided.map_err(CheckError::from)?)
}

/// Waits until the answers that `ticket` stands for may leave.
///
/// # Errors
/// [`Refusal`]: none of them may.
pub(crate) async fn committed(host: &Host, ticket: Ticket) -> Result<(), Refusal> {
    let committed = timeout(COMMIT_TIMEOUT, host.committed(ticket)).await.map_err(|_| Refusal::Slow)?;
    Ok(committed.map_err(CheckError::from)?)
}

/// Resets or refunds on this node, for somebody who knows of `epoch`.
///
/// # Errors
/// [`Refusal`] when it was not done.
pub(crate) async fn change(host: &Host, key: LimitKey<'_>, change: Change, epoch: Epoch) -> Result<(), Refusal> {
    let changed = async {
        match change {
            Change::Reset => host.reset(key, epoch).await,
            Change::Refund { cost, decided_at } => host.refund(key, cost, decided_at, epoch).await,
        }
    };
    Ok(timeout(COMMIT_TIMEOUT, changed).await.map_err(|_| Refusal::Slow)??)
}
