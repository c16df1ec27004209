//! The task that carries checks to one peer: it connects, sends what waits as few messages, and hands answers to who waits for them.
//!
//! ```text
//!             open ok                       lost
//!   trying ------------> carrying ---------------------> trying (at once, or after a pause when it was short)
//!     |  ^
//!     |  | after a pause
//!     v  |
//!     down: who wants to send is told so at once
//! ```
//!
//! Invariant: what was sent and not answered when a connection is lost is failed, never sent again: it may have been charged.
//!
//! The client has a carrier of its own (`client/src/line/carrier.rs`), which sends again under the numbers of a session, keeps deadlines and
//! rests; made one with it, both would be switches around a loop of twenty lines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use drl_core::caps::{BATCH_CHECKS_MAX, FORWARD_MESSAGES_IN_FLIGHT_MAX};
use drl_core::{Nanos, NodeId};
use drl_host::clock;
use drl_proto::v1;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::forward::link::{Condition, Trouble};
use crate::forward::outcome::Undelivered;
use crate::forward::parcel::{Parcel, Receipt};
use crate::forward::pause::Pause;
use crate::forward::stream::PeerStream;
use drl_membership::Placement;

/// Pauses between tries to connect: soon enough after a restart of the peer, seldom enough while it is away.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// A connection that held this long was good: the next try follows at once.
const GOOD: Nanos = Nanos::from_secs(1);

pub(super) struct Courier {
    cluster: Arc<str>,
    node: NodeId,
    address: Arc<str>,
    placement: watch::Receiver<Arc<Placement>>,
    queue: mpsc::Receiver<Parcel>,
    /// A parcel that did not fit the last message.
    held: Option<Parcel>,
    condition: Arc<Condition>,
}

/// Why carrying ended.
enum End {
    /// Nobody will send any more.
    Unused,
    Lost(Arc<str>),
}

/// Messages that are sent and not answered, by number.
type Unanswered = BTreeMap<u64, Vec<Receipt>>;

impl Courier {
    /// A courier of `cluster` to a node at an address, which carries what comes out of `queue`.
    pub(super) fn new(
        (cluster, node, address): (Arc<str>, NodeId, Arc<str>),
        placement: watch::Receiver<Arc<Placement>>,
        queue: mpsc::Receiver<Parcel>,
        condition: Arc<Condition>,
    ) -> Self {
        Self { cluster, node, address, placement, queue, held: None, condition }
    }

    /// Runs until its link is dropped or its node is gone for good.
    pub(super) async fn run(mut self) {
        let mut pause = Pause::new(PAUSES.0, PAUSES.1);
        let mut was_down = false;
        loop {
            let reason = match PeerStream::open(&self.cluster, &self.node, &self.address).await {
                Ok(stream) => {
                    tracing::info!(node = %self.node, address = %self.address, "connected to a peer");
                    was_down = false;
                    self.condition.is_usable();
                    let opened = clock::monotonic();
                    let End::Lost(reason) = self.carry(stream).await else { return };
                    tracing::warn!(node = %self.node, address = %self.address, %reason, "lost a peer");
                    if clock::monotonic().0.saturating_sub(opened.0) >= GOOD.0 {
                        pause.reset();
                        continue;
                    }
                    reason
                }
                Err(reason) => reason,
            };
            if !was_down {
                tracing::warn!(node = %self.node, %reason, "a peer cannot be reached; its checks are refused meanwhile");
            }
            was_down = true;
            let trouble = self.condition.is_down(reason);
            if self.is_gone() || !self.refuse_for(pause.next(), &trouble).await {
                return self.refuse_waiting(&trouble);
            }
        }
    }

    /// Whether the cluster does without this node, at this address.
    fn is_gone(&self) -> bool {
        let placement = self.placement.borrow();
        match placement.nodes.get(&self.node) {
            Some(node) => *node.addresses.grpc != *self.address,
            None => placement.owned_by(&self.node) == 0,
        }
    }

    /// Carries until the connection is lost or nobody needs it.
    async fn carry(&mut self, mut stream: PeerStream) -> End {
        let mut unanswered = Unanswered::new();
        let mut last_number = 0;
        loop {
            tokio::select! {
                answer = stream.answer() => match answer {
                    // A number that nobody knows is an answer to nothing.
                    Ok(answer) => if let Some(receipts) = unanswered.remove(&answer.number) {
                        self.hand_over(receipts, answer.answers);
                    },
                    Err(reason) => return self.lost(unanswered, reason),
                },
                parcel = next(&mut self.held, &mut self.queue), if unanswered.len() < FORWARD_MESSAGES_IN_FLIGHT_MAX => {
                    let Some(parcel) = parcel else { return End::Unused };
                    last_number += 1;
                    let (checks, receipts) = self.load(parcel);
                    unanswered.insert(last_number, receipts);
                    if stream.send(v1::ForwardRequest { number: last_number, checks, to: None }).is_err() {
                        return self.lost(unanswered, "the connection was lost".into());
                    }
                }
            }
        }
    }

    /// Makes one message of `first` and whatever else waits.
    fn load(&mut self, first: Parcel) -> (Vec<v1::ForwardedCheck>, Vec<Receipt>) {
        let (mut checks, mut receipts) = (first.checks, vec![first.receipt]);
        while let Ok(parcel) = self.queue.try_recv() {
            if parcel.receipt.is_abandoned() {
                continue;
            }
            if checks.len() + parcel.checks.len() > BATCH_CHECKS_MAX {
                self.held = Some(parcel);
                break;
            }
            checks.extend(parcel.checks);
            receipts.push(parcel.receipt);
        }
        (checks, receipts)
    }

    /// Gives every parcel of a message its own answers.
    fn hand_over(&self, receipts: Vec<Receipt>, answers: Vec<v1::ForwardedAnswer>) {
        let owed: usize = receipts.iter().map(Receipt::checks).sum();
        if owed != answers.len() {
            let reason: Arc<str> = format!("it gave {} answers to {owed} checks", answers.len()).into();
            for receipt in receipts {
                self.fail(receipt, &reason);
            }
            return;
        }
        let mut answers = answers.into_iter();
        for receipt in receipts {
            let own = answers.by_ref().take(receipt.checks()).collect();
            receipt.answer(own);
        }
    }

    fn lost(&self, unanswered: Unanswered, reason: Arc<str>) -> End {
        unanswered.into_values().flatten().for_each(|receipt| self.fail(receipt, &reason));
        End::Lost(reason)
    }

    fn fail(&self, receipt: Receipt, reason: &Arc<str>) {
        receipt.fail(Undelivered::Unanswered { node: self.node.clone(), reason: Arc::clone(reason) });
    }

    /// Refuses what waits and what comes during `pause`, or until the node is there in another lifetime; says whether anybody may
    /// still send.
    async fn refuse_for(&mut self, pause: Duration, trouble: &Trouble) -> bool {
        let Self { held, queue, node, placement, .. } = self;
        let refuse = async {
            while let Some(parcel) = next(held, queue).await {
                parcel.receipt.fail(trouble.unreachable(node));
            }
        };
        let until = async {
            tokio::select! {
                () = refuse => false,
                () = reborn(placement, node) => true,
            }
        };
        timeout(pause, until).await.unwrap_or(true)
    }

    fn refuse_waiting(&mut self, trouble: &Trouble) {
        self.queue.close();
        let queued = std::iter::from_fn(|| self.queue.try_recv().ok());
        for parcel in self.held.take().into_iter().chain(queued) {
            parcel.receipt.fail(trouble.unreachable(&self.node));
        }
    }
}

/// Resolves when a node has a session of another lifetime than now.
async fn reborn(placement: &mut watch::Receiver<Arc<Placement>>, node: &NodeId) {
    let lifetime = |placement: &Placement| placement.nodes.get(node).map(|node| node.generation);
    let before = lifetime(&placement.borrow());
    let is_another = |placement: &Arc<Placement>| lifetime(placement).is_some_and(|now| Some(now) != before);
    if placement.wait_for(is_another).await.is_err() {
        // Nobody tells of placements any more.
        std::future::pending::<()>().await;
    }
}

/// The next parcel that somebody waits for; `None` when there will be none. Dropping the future loses none.
async fn next(held: &mut Option<Parcel>, queue: &mut mpsc::Receiver<Parcel>) -> Option<Parcel> {
    loop {
        let parcel = match held.take() {
            Some(parcel) => parcel,
            None => queue.recv().await?,
        };
        if !parcel.receipt.is_abandoned() {
            return Some(parcel);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use drl_core::Generation;
    use drl_membership::{Node, NodeAddresses};

    use super::*;

    #[tokio::test]
    async fn only_another_lifetime_of_the_node_ends_a_pause() {
        let node = NodeId::new("peer").unwrap();
        let placed = |generation| {
            let addresses = NodeAddresses::default();
            let of = Node { generation: Generation(generation), addresses, version: String::new(), draining: false };
            Arc::new(Placement { nodes: [(node.clone(), of)].into(), ..Placement::default() })
        };
        let (sender, mut receiver) = watch::channel(placed(1));
        let mut waiting = pin!(reborn(&mut receiver, &node));
        for same in [placed(1), Arc::default(), placed(1)] {
            sender.send_replace(same);
            assert!(timeout(Duration::ZERO, &mut waiting).await.is_err(), "nothing has changed, or the node is gone");
        }
        sender.send_replace(placed(2));
        waiting.await;
    }
}
