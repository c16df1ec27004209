//! The way to one node: one stream, many calls.
//!
//! ```text
//!   calls --> Line (a queue with room for so many checks) --> Carrier (one task a node) ==> the node's CheckStream
//!     ^                                                          |
//!     +--------------------- answers, by number -----------------+
//! ```
//!
//! * `parcel.rs` is the checks of one call, `outbox.rs` what waits and what is unanswered, `carrier.rs` the task behind it
//!
//! Invariants: what waits is sent as one message as soon as the node takes one more, without a delay when it is idle; every parcel is
//! answered or failed by its deadline; what is on its way is bounded.

mod carrier;
mod outbox;
pub(crate) mod parcel;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drl_core::caps::CLIENT_CHECKS_MAX;
use drl_proto::v1;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use crate::clock;
use crate::connection::{Connection, Connections};
use crate::line::carrier::Carrier;
use crate::line::parcel::{Checks, Parcel, Waiting};
use crate::placement::{Owner, Placement};
use crate::task::Task;

/// How long no other node is asked to pass checks on after one that could not: what one cannot reach another one hardly can.
const VAIN_DETOUR: Duration = Duration::from_secs(1);

/// Why a parcel has no answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Failure {
    /// Nothing was sent.
    Unsent { reason: Arc<str> },
    /// Too much is on its way; nothing was sent.
    Busy,
    /// It was sent, and what became of it is not known.
    Lost { reason: Arc<str> },
    /// Its deadline came. Whether it was sent is not known.
    TimedOut { reason: Arc<str> },
    /// The node does not take the message.
    Refused(v1::StreamError),
}

/// One node at one address. Dropping it ends its carrier.
#[derive(Debug)]
pub(crate) struct Line {
    owner: Owner,
    /// Boxed: a queue has room for 32 from the start, and an idle client should be small.
    queue: mpsc::Sender<Box<Parcel>>,
    /// A place for each check that is on its way.
    room: Arc<Semaphore>,
    condition: Arc<Condition>,
    _carrier: Task,
}

/// How the connection stands; the carrier says so.
#[derive(Debug)]
pub(crate) struct Condition {
    connections: Arc<Connections>,
    address: Arc<str>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Held while it is used, so that others to the same node join it.
    connection: Option<Connection>,
    /// When it was last asked for.
    used: Option<Instant>,
    trouble: Option<Trouble>,
    /// When another node last could not reach it.
    vain_detour: Option<Instant>,
}

/// No answers come.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) since: Instant,
    pub(crate) reason: Arc<str>,
}

impl Condition {
    fn new(connections: Arc<Connections>, address: Arc<str>) -> Self {
        Self { connections, address, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers come. Returns whether they did not before.
    fn is_well(&self) -> bool {
        self.lock().trouble.take().is_some()
    }

    /// No answers come. Returns whether they did before.
    fn is_in_trouble(&self, reason: Arc<str>) -> bool {
        self.give_up();
        let mut state = self.lock();
        let since = state.trouble.as_ref().map_or_else(clock::now, |trouble| trouble.since);
        state.trouble.replace(Trouble { since, reason }).is_none()
    }

    /// # Errors
    /// Why there is no connection, for people.
    async fn connection(&self) -> Result<Connection, Arc<str>> {
        let connection = self.connections.to(&self.address).await?;
        let mut state = self.lock();
        (state.connection, state.used) = (Some(connection.clone()), Some(clock::now()));
        Ok(connection)
    }

    /// The connection was lost: the next one is another one.
    fn give_up(&self) {
        if let Some(connection) = self.lock().connection.take() {
            self.connections.give_up(&connection);
        }
    }

    /// Lets the connection go, unless it was asked for lately.
    fn rest(&self, idle: Duration) {
        let mut state = self.lock();
        if state.used.is_some_and(|used| used.elapsed() >= idle) {
            state.connection = None;
        }
    }

    fn trouble(&self) -> Option<Trouble> {
        self.lock().trouble.clone()
    }
}

impl Line {
    /// Opens the way to `owner`, and starts its carrier on `runtime`. What is not used for `idle` has no connection meanwhile.
    pub(crate) fn open(
        owner: Owner,
        idle: Duration,
        (connections, placement): (Arc<Connections>, watch::Receiver<Placement>),
        runtime: &Handle,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(CLIENT_CHECKS_MAX);
        let condition = Arc::new(Condition::new(connections, Arc::clone(&owner.address)));
        let carrier = Carrier::new(owner.clone(), idle, placement, waiting, Arc::clone(&condition));
        let carrier = Task::spawn(runtime, carrier.run());
        let room = Arc::new(Semaphore::new(CLIENT_CHECKS_MAX));
        Self { owner, queue, room, condition, _carrier: carrier }
    }

    /// Whether it leads there, and somebody carries.
    pub(crate) fn serves(&self, owner: &Owner) -> bool {
        self.owner.address == owner.address && !self.queue.is_closed()
    }

    /// For calls beside the stream; in the limiter's runtime.
    ///
    /// # Errors
    /// Why there is no connection, for people.
    pub(crate) async fn connection(&self) -> Result<Connection, Arc<str>> {
        self.condition.connection().await
    }

    /// Why no answers come; `None` when they do.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.condition.trouble()
    }

    /// For how long no answers have come; `None` when they do.
    pub(crate) fn silent_for(&self) -> Option<Duration> {
        self.trouble().map(|trouble| trouble.since.elapsed())
    }

    /// Whether another node should be asked to pass checks on: no answers come from this one, and it has not been in vain just now.
    pub(crate) fn wants_detour(&self) -> bool {
        let state = self.condition.lock();
        state.trouble.is_some() && state.vain_detour.is_none_or(|at| at.elapsed() >= VAIN_DETOUR)
    }

    /// Another node could not reach it either.
    pub(crate) fn detour_failed(&self) {
        self.condition.lock().vain_detour = Some(clock::now());
    }

    /// Puts checks in the queue.
    ///
    /// # Errors
    /// [`Failure`]: none of them is sent.
    pub(crate) fn send(&self, checks: Checks, deadline: Instant) -> Result<Waiting, Failure> {
        let count = u32::try_from(checks.len()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(count).map_err(|_| Failure::Busy)?;
        let (parcel, waiting) = Parcel::new(checks, deadline, room);
        self.queue.try_send(Box::new(parcel)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Failure::Busy,
            mpsc::error::TrySendError::Closed(_) => Failure::Unsent { reason: "the connection was given up".into() },
        })?;
        Ok(waiting)
    }
}
