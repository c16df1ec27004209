//! Why a check got no decision, and the waits that end in one: every wait for the journal has a deadline, whichever door waits.

use std::time::Duration;

use drl_core::{Cost, Epoch, LimitKey, Namespace};
use drl_host::{Ask, CheckError, Host, Ticket};
use drl_limits::Decision;
use tokio::time::timeout;

/// How long a reply waits for the journal. A commit takes milliseconds; a disk that takes seconds is broken, and saying so is better
/// than a client that hangs.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// No decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error("the journal did not answer within {COMMIT_TIMEOUT:?}; what was asked may count as charged")]
    Slow,
    /// One decision for each ask is the host's contract; an answer is owed even if it is broken.
    #[error("this check was not decided")]
    Undecided,
}

impl Refusal {
    /// Whether the same request may succeed in a moment.
    pub(crate) const fn is_retryable(&self) -> bool {
        match self {
            Self::Check(error) => error.is_retryable(),
            Self::Slow => true,
            Self::Undecided => false,
        }
    }
}

/// Decides a batch. While the open frame is full it waits for the next one, and is refused as busy only when that takes as long as a
/// broken disk does.
pub(crate) async fn decide(host: &Host, asks: &[Ask<'_>], decisions: &mut Vec<Decision>) -> Result<Ticket, Refusal> {
    let mut answers = Vec::with_capacity(asks.len());
    let decided = match timeout(COMMIT_TIMEOUT, host.decide_when_room(asks, &mut answers)).await {
        Ok(decided) => decided,
        // The last try is the one that counts, whichever way it ends.
        Err(_) => host.decide(asks, &mut answers),
    };
    let ticket = decided.map_err(CheckError::from)?;
    for answer in answers {
        decisions.push(answer.map_err(CheckError::from)?);
    }
    Ok(ticket)
}

/// Waits until the answers that `ticket` stands for may leave.
pub(crate) async fn committed(host: &Host, ticket: Ticket) -> Result<(), Refusal> {
    let committed = timeout(COMMIT_TIMEOUT, host.committed(ticket)).await.map_err(|_| Refusal::Slow)?;
    committed.map_err(|error| Refusal::Check(error.into()))
}

/// Forgets what a client has used, whichever command charged it: beside a key of the default namespace lies that of `CL.THROTTLE`.
pub(crate) async fn reset(host: &Host, key: LimitKey<'_>) -> Result<(), Refusal> {
    let reset =
        async |key| Ok(timeout(COMMIT_TIMEOUT, host.reset(key, Epoch(0))).await.map_err(|_| Refusal::Slow)??);
    if key.namespace != Namespace::DEFAULT {
        return reset(key).await;
    }
    let (configured, throttled) = tokio::join!(reset(key), reset(LimitKey::new(Namespace::THROTTLE, key.client)));
    configured.and(throttled)
}

/// Gives cost back that was charged just now.
pub(crate) async fn refund(host: &Host, key: LimitKey<'_>, cost: Cost) -> Result<(), Refusal> {
    Ok(timeout(COMMIT_TIMEOUT, host.refund(key, cost, None, Epoch(0))).await.map_err(|_| Refusal::Slow)??)
}
