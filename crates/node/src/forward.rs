//! Checks that another node must decide: each goes to the owner of its shard, over one stream for each pair of nodes.
//!
//! ```text
//!   doors --> Judge --> Forwarder --> Link (a queue) --> Courier (one task a peer) ==> the peer's Peer.Forward
//!                          |                                                              |
//!                          +-- Waiting <-------------------- answers, by number <---------+
//! ```
//!
//! * `errand.rs` is a check that is on its way, `parcel.rs` the errands of one batch for one peer and who waits for them
//! * `link.rs` is the way to one peer as a door sees it, `courier.rs` the task behind it, `stream.rs` its connection
//! * `outcome.rs` is what came of an errand; `given.rs` a policy that travels with a command; `pause.rs` waits between tries
//!
//! Invariants: a check is sent at most once unless its answer says that it was not decided; what is under way to a peer is
//! bounded; nobody waits longer than its deadline; a peer that refuses connections fails what is sent to it at once.

mod courier;
pub(crate) mod errand;
pub(crate) mod given;
mod link;
pub(crate) mod outcome;
pub(crate) mod parcel;
pub(crate) mod pause;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use drl_core::{Nanos, NodeId};
use drl_host::clock;
use tokio::sync::watch;

use crate::forward::errand::Errand;
use crate::forward::link::Link;
use crate::forward::outcome::Undelivered;
use crate::forward::parcel::Waiting;
use drl_membership::Placement;

/// Sends checks to peers. Cheap to clone; when the last one is dropped its tasks end.
#[derive(Clone)]
pub(crate) struct Forwarder {
    inner: Arc<Inner>,
}

struct Inner {
    cluster: Arc<str>,
    me: NodeId,
    placement: watch::Receiver<Arc<Placement>>,
    links: RwLock<BTreeMap<NodeId, Arc<Link>>>,
    /// Owners without a session and without a link, and since when they were asked for in vain.
    absent: Mutex<BTreeMap<NodeId, Nanos>>,
}

impl Forwarder {
    pub(crate) fn new(cluster: Arc<str>, me: NodeId, placement: watch::Receiver<Arc<Placement>>) -> Self {
        Self { inner: Arc::new(Inner { cluster, me, placement, links: RwLock::default(), absent: Mutex::default() }) }
    }

    /// The name of the cluster.
    pub(crate) fn cluster(&self) -> &Arc<str> {
        &self.inner.cluster
    }

    /// This node.
    pub(crate) fn me(&self) -> &NodeId {
        &self.inner.me
    }

    pub(crate) fn placement(&self) -> &watch::Receiver<Arc<Placement>> {
        &self.inner.placement
    }

    /// Sends errands to `node`; their answers come together and in order. At most as many as fit a message.
    ///
    /// # Errors
    /// [`Undelivered`]: none of them was sent.
    pub(crate) fn send(&self, node: &NodeId, errands: &[Errand]) -> Result<Waiting, Undelivered> {
        self.link(node)?.send(errands)
    }

    /// The way to `node`; it is made when it is first needed, and anew when the node has another address.
    fn link(&self, node: &NodeId) -> Result<Arc<Link>, Undelivered> {
        let placement = Arc::clone(&self.inner.placement.borrow());
        let address = placement.nodes.get(node).map(|node| node.addresses.grpc.as_str());
        let links = self.inner.links.read().unwrap_or_else(PoisonError::into_inner);
        // A node whose key is missing for a moment (its session was renewed late) still answers where it was.
        if let Some(link) = links.get(node).filter(|link| link.serves(address)) {
            return Ok(Arc::clone(link));
        }
        drop(links);
        let Some(address) = address else {
            return Err(self.absent(node, &placement));
        };
        let mut links = self.inner.links.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.get(node).filter(|link| link.serves(Some(address))) {
            return Ok(Arc::clone(link));
        }
        links.retain(|_, link| !link.is_over());
        let link = Arc::new(Link::open(&self.inner.cluster, node, address, self.inner.placement.clone()));
        links.insert(node.clone(), Arc::clone(&link));
        drop(links);
        self.inner.absent.lock().unwrap_or_else(PoisonError::into_inner).remove(node);
        Ok(link)
    }

    fn absent(&self, node: &NodeId, placement: &Placement) -> Undelivered {
        let mut absent = self.inner.absent.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match absent.get(node) {
            Some(since) => *since,
            None => {
                // Only owners are missed, so there are no more of them than shards.
                absent.retain(|node, _| placement.owned_by(node) > 0);
                *absent.entry(node.clone()).or_insert_with(clock::monotonic)
            }
        };
        Undelivered::Unreachable { node: node.clone(), reason: "it has no session".into(), since }
    }
}
