//! The checks of one call for one node, and where their answers go.

use drl_core::caps::BATCH_CHECKS_MAX;
use drl_core::{Cost, Epoch, LimitKey, ShardId};
use drl_proto::v1;
use drl_wire::Answered;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use crate::line::Failure;

/// What a node said to the checks of one parcel: an answer for each, in order.
pub(crate) type Reply = Result<Vec<Answered>, Failure>;

/// Checks of one namespace in columns, as they travel.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checks {
    namespace: String,
    ids: Vec<u8>,
    lengths: Vec<u32>,
    costs: Vec<u64>,
    shards: Vec<ShardId>,
    epochs: Vec<u64>,
    /// Whether the node that is asked may pass the checks on.
    routing: v1::Routing,
}

/// Checks that wait to be sent.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) checks: Checks,
    pub(crate) deadline: Instant,
    pub(crate) receipt: Receipt,
}

/// Where the answers of a parcel go. While it lives it takes up room on the way to the node.
#[derive(Debug)]
pub(crate) struct Receipt {
    to: oneshot::Sender<Reply>,
    _room: OwnedSemaphorePermit,
}

/// Waits for the answers to one parcel.
pub(crate) type Waiting = oneshot::Receiver<Reply>;

impl Checks {
    pub(crate) fn new(namespace: &str, routing: v1::Routing) -> Self {
        Self { namespace: namespace.to_owned(), routing, ..Self::default() }
    }

    /// Whoever is asked may ask the owner.
    pub(crate) const fn let_pass_on(&mut self) {
        self.routing = v1::Routing::Any;
    }

    /// `epoch`: as of which the asked node owns the shard.
    pub(crate) fn push(&mut self, key: LimitKey<'_>, cost: Cost, shard: ShardId, epoch: Epoch) {
        let id = key.client.as_bytes();
        self.ids.extend_from_slice(id);
        self.lengths.push(u32::try_from(id.len()).unwrap_or(u32::MAX));
        self.costs.push(cost.units());
        self.shards.push(shard);
        self.epochs.push(epoch.0);
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) const fn len(&self) -> usize {
        self.lengths.len()
    }

    /// The shard and the epoch of each check.
    pub(crate) fn seats(&self) -> impl Iterator<Item = (ShardId, Epoch)> {
        self.shards.iter().copied().zip(self.epochs.iter().copied().map(Epoch))
    }

    /// Whether `other` may travel in the same message.
    pub(crate) fn takes(&self, other: &Self) -> bool {
        self.namespace == other.namespace
            && self.routing == other.routing
            && self.len() + other.len() <= BATCH_CHECKS_MAX
    }

    pub(crate) fn append(&mut self, other: &Self) {
        self.ids.extend_from_slice(&other.ids);
        self.lengths.extend_from_slice(&other.lengths);
        self.costs.extend_from_slice(&other.costs);
        self.shards.extend_from_slice(&other.shards);
        self.epochs.extend_from_slice(&other.epochs);
    }

    /// The message with this number.
    pub(crate) fn message(&self, number: u64, settled_below: u64) -> v1::CheckStreamRequest {
        let is_plain = self.costs.iter().all(|cost| *cost == 1);
        v1::CheckStreamRequest {
            number,
            namespace: self.namespace.clone(),
            client_ids: self.ids.clone().into(),
            id_lengths: self.lengths.clone(),
            costs: if is_plain { Vec::new() } else { self.costs.clone() },
            detail: v1::Detail::Full.into(),
            epochs: self.epochs.clone(),
            routing: self.routing.into(),
            session: Vec::new().into(),
            settled_below,
        }
    }
}

impl Parcel {
    pub(crate) fn new(checks: Checks, deadline: Instant, room: OwnedSemaphorePermit) -> (Self, Waiting) {
        let (to, waiting) = oneshot::channel();
        (Self { checks, deadline, receipt: Receipt { to, _room: room } }, waiting)
    }
}

impl Receipt {
    /// Whether nobody waits any more. What was not sent by then is not sent: it would charge for nothing.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.to.is_closed()
    }

    /// Hands the answers over; those that come too late are dropped.
    pub(crate) fn answer(self, answers: Vec<Answered>) {
        let _ = self.to.send(Ok(answers));
    }

    pub(crate) fn fail(self, failure: Failure) {
        let _ = self.to.send(Err(failure));
    }
}
