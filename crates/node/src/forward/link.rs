//! The way to one peer as a door sees it: a bounded queue, and whether it is of any use to stand in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drl_core::caps::FORWARD_CHECKS_MAX;
use drl_core::{Nanos, NodeId};
use drl_host::clock;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::forward::courier::Courier;
use crate::forward::errand::Errand;
use crate::forward::outcome::Undelivered;
use crate::forward::parcel::{Parcel, Waiting, parcel};
use drl_membership::Placement;

/// One peer at one address. Dropping it ends its courier.
#[derive(Debug)]
pub(super) struct Link {
    node: NodeId,
    address: Arc<str>,
    queue: mpsc::Sender<Parcel>,
    /// A place for each check that is on its way.
    room: Arc<Semaphore>,
    condition: Arc<Condition>,
}

/// How the connection stands; the courier says so.
#[derive(Debug, Default)]
pub(super) struct Condition(Mutex<State>);

#[derive(Debug, Clone, Default)]
enum State {
    /// There is a connection, or there will be one in a moment.
    #[default]
    Usable,
    /// The last try to connect failed.
    Down(Trouble),
}

/// Why there is no connection.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) reason: Arc<str>,
    /// When the first try failed since there was one.
    pub(super) since: Nanos,
}

impl Trouble {
    /// What it means to an errand to `node` that was not sent.
    pub(super) fn unreachable(&self, node: &NodeId) -> Undelivered {
        Undelivered::Unreachable { node: node.clone(), reason: Arc::clone(&self.reason), since: self.since }
    }
}

impl Condition {
    pub(super) fn is_usable(&self) {
        *self.lock() = State::Usable;
    }

    /// A try failed; says since when all of them have.
    pub(super) fn is_down(&self, reason: Arc<str>) -> Trouble {
        let mut state = self.lock();
        let since = match &*state {
            State::Usable => clock::monotonic(),
            State::Down(trouble) => trouble.since,
        };
        let trouble = Trouble { reason, since };
        *state = State::Down(trouble.clone());
        trouble
    }

    fn trouble(&self) -> Option<Trouble> {
        match &*self.lock() {
            State::Usable => None,
            State::Down(trouble) => Some(trouble.clone()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    /// Opens the way to `node`, and starts its courier.
    pub(super) fn open(
        cluster: &Arc<str>,
        node: &NodeId,
        address: &str,
        placement: watch::Receiver<Arc<Placement>>,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(FORWARD_CHECKS_MAX);
        let (condition, address) = (Arc::new(Condition::default()), Arc::<str>::from(address));
        let courier = Courier::new(
            (Arc::clone(cluster), node.clone(), Arc::clone(&address)),
            placement,
            waiting,
            Arc::clone(&condition),
        );
        // It ends when this link is dropped, or when its node has gone from the cluster.
        tokio::spawn(courier.run());
        let room = Arc::new(Semaphore::new(FORWARD_CHECKS_MAX));
        Self { node: node.clone(), address, queue, room, condition }
    }

    /// Whether it leads to `address`; when that is not known, to wherever the node was last.
    pub(super) fn serves(&self, address: Option<&str>) -> bool {
        !self.is_over() && address.is_none_or(|address| *address == *self.address)
    }

    /// Whether its courier has given up.
    pub(super) fn is_over(&self) -> bool {
        self.queue.is_closed()
    }

    /// Puts errands in the queue.
    ///
    /// # Errors
    /// [`Undelivered`]: none of them was sent.
    pub(super) fn send(&self, errands: &[Errand]) -> Result<Waiting, Undelivered> {
        if let Some(trouble) = self.condition.trouble() {
            return Err(trouble.unreachable(&self.node));
        }
        let crowded = || Undelivered::Crowded { node: self.node.clone() };
        let checks = u32::try_from(errands.len()).map_err(|_| crowded())?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(checks).map_err(|_| crowded())?;
        let checks = errands.iter().map(|errand| errand.check.clone()).collect();
        let (parcel, waiting) = parcel(&self.node, checks, room);
        self.queue.try_send(parcel).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => crowded(),
            mpsc::error::TrySendError::Closed(_) => {
                let left = Trouble { reason: "it has left the cluster".into(), since: clock::monotonic() };
                left.unreachable(&self.node)
            }
        })?;
        Ok(waiting)
    }
}
