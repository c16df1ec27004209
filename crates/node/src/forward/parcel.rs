//! The errands of one batch for one peer: they leave in one message and their answers come back together.

use std::sync::Arc;
use std::time::Duration;

use drl_core::NodeId;
use drl_proto::v1;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;

use crate::forward::outcome::{self, PeerRefusal, Told, Undelivered};

type Answers = Result<Vec<v1::ForwardedAnswer>, Undelivered>;

/// Errands that wait to be sent.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) checks: Vec<v1::ForwardedCheck>,
    pub(super) receipt: Receipt,
}

/// Where the answers to a parcel go. While it lives it takes up room on the way to the peer.
#[derive(Debug)]
pub(super) struct Receipt {
    checks: usize,
    to: oneshot::Sender<Answers>,
    _room: OwnedSemaphorePermit,
}

/// Waits for the answers to one parcel.
#[derive(Debug)]
pub(crate) struct Waiting {
    node: NodeId,
    checks: usize,
    from: oneshot::Receiver<Answers>,
}

/// A parcel to `node`, and who waits for its answers.
pub(super) fn parcel(node: &NodeId, checks: Vec<v1::ForwardedCheck>, room: OwnedSemaphorePermit) -> (Parcel, Waiting) {
    let (to, from) = oneshot::channel();
    let count = checks.len();
    let waiting = Waiting { node: node.clone(), checks: count, from };
    (Parcel { checks, receipt: Receipt { checks: count, to, _room: room } }, waiting)
}

impl Receipt {
    /// How many answers are owed.
    pub(super) const fn checks(&self) -> usize {
        self.checks
    }

    /// Whether nobody waits any more. What was not sent by then is not sent: it would charge for nothing.
    pub(super) fn is_abandoned(&self) -> bool {
        self.to.is_closed()
    }

    /// Hands the answers over; those that come too late are dropped.
    pub(super) fn answer(self, answers: Vec<v1::ForwardedAnswer>) {
        let _ = self.to.send(Ok(answers));
    }

    pub(super) fn fail(self, failure: Undelivered) {
        let _ = self.to.send(Err(failure));
    }
}

impl Waiting {
    /// The answers, one for each errand and in order.
    ///
    /// # Errors
    /// [`Undelivered`]: there are none for the whole parcel.
    pub(crate) async fn answers(self, within: Duration) -> Result<Vec<Result<Told, PeerRefusal>>, Undelivered> {
        let Self { node, checks, from } = self;
        let unanswered = |reason: String| Undelivered::Unanswered { node: node.clone(), reason: Arc::from(reason) };
        let answers = match timeout(within, from).await {
            Ok(Ok(answers)) => answers?,
            Ok(Err(_)) => return Err(unanswered("the connection was given up".to_owned())),
            Err(_) => return Err(unanswered(format!("no answer came within {within:?}"))),
        };
        if answers.len() != checks {
            return Err(unanswered(format!("it gave {} answers to {checks} checks", answers.len())));
        }
        Ok(answers.into_iter().map(|answer| outcome::read(&node, answer)).collect())
    }
}
