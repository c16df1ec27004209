//! The way to one process lifetime: what waits for it, and the task that keeps a connection to it.
//!
//! ```text
//!   where is it? --> connect --> open ----------------------------------------> lost
//!        ^              |         `- at once, when it was open for a while -------'
//!        |              | cannot (refused: the process is gone, and that is told)
//!        `--- a pause <-'
//! ```
//!
//! A link to which nothing was given for a while ends: beats go to every lifetime that matters.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use drl_core::Nanos;
use drl_engine::replication::Letter;
use drl_host::clock;
use drl_membership::Placement;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Addressee;
use super::addresses::address;
use super::queue::Queue;
use super::stream::PeerStream;
use super::waiting::Put;
use crate::forward::pause::{Pause, wait};
use crate::metrics::{Replicated, ReplicationEvent as Event};

/// Pauses between tries to connect: a beat or two are lost while a peer cannot be reached for a moment, and a process that is gone is
/// asked for four times a second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// A connection that held this long was good: the next try follows at once.
const GOOD: Nanos = Nanos::from_secs(1);

/// A hundred beats.
const IDLE: Duration = Duration::from_secs(10);

/// Dropping it ends its task, and its connection.
pub(super) struct Link {
    queue: Arc<Queue>,
    keeping: JoinHandle<()>,
}

/// Keeps the connection.
pub(super) struct Keeper {
    pub(super) cluster: Arc<str>,
    pub(super) queue: Arc<Queue>,
    pub(super) placement: watch::Receiver<Arc<Placement>>,
    /// Where the lifetime was last.
    pub(super) address: Option<Arc<str>>,
    pub(super) addressee: Arc<dyn Addressee>,
    pub(super) counts: Arc<Replicated>,
}

impl Link {
    pub(super) fn open(keeper: Keeper) -> Self {
        let queue = Arc::clone(&keeper.queue);
        // It ends when this link is dropped, or when nothing was given to it for a while.
        Self { queue, keeping: tokio::spawn(keeper.run()) }
    }

    /// Whether its task has ended.
    pub(super) fn is_over(&self) -> bool {
        self.keeping.is_finished()
    }

    pub(super) fn put(&self, letter: Letter) -> Put {
        self.queue.put(letter)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

impl Keeper {
    async fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        tokio::select! {
            never = self.keep() => match never {},
            () = queue.unused(IDLE) => tracing::debug!(to = %queue.to().node, "nothing is said to a peer any more"),
        }
    }

    async fn keep(&mut self) -> Infallible {
        let to = self.queue.to().clone();
        let mut pause = Pause::new(PAUSES.0, PAUSES.1);
        let mut was_down = false;
        loop {
            let address = self.address().await;
            let reason = match PeerStream::open(&self.cluster, &address, &self.queue).await {
                Ok(mut stream) => {
                    tracing::info!(node = %to.node, %address, "replication: connected to a peer");
                    self.counts.note(Event::Opened);
                    was_down = false;
                    let opened = clock::monotonic();
                    let reason = stream.lost().await;
                    tracing::warn!(node = %to.node, %address, %reason, "replication: lost a peer");
                    self.counts.note(Event::Lost);
                    if clock::monotonic().0.saturating_sub(opened.0) >= GOOD.0 {
                        pause.reset();
                        continue;
                    }
                    reason
                }
                Err(undialled) => {
                    if undialled.is_refused {
                        self.addressee.is_refused(&to);
                    }
                    self.counts.note(if undialled.is_refused { Event::Refused } else { Event::Failed });
                    undialled.reason
                }
            };
            if !was_down {
                tracing::warn!(node = %to.node, %address, %reason, "replication: a peer cannot be reached");
            }
            was_down = true;
            wait(pause.next()).await;
        }
    }

    /// Where the lifetime is, as soon as that is known.
    async fn address(&mut self) -> Arc<str> {
        loop {
            let known = address(&self.placement.borrow_and_update(), self.queue.to()).map(Arc::from);
            if let Some(address) = known.or_else(|| self.address.clone()) {
                self.address = Some(Arc::clone(&address));
                return address;
            }
            if self.placement.changed().await.is_err() {
                // Nobody tells of placements any more.
                std::future::pending::<()>().await;
            }
        }
    }
}
