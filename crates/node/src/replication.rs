//! How letters get from one process lifetime to another. What they say, and what becomes of one that is lost, repeated or late, is the
//! engine's business: it says everything again until it is answered.
//!
//! ```text
//!   host --> Outbox --> Sender --> Link (one a lifetime: what waits) ==> stream ==> the peer's Peer.Replicate --> Addressee
//!            `---------------- thread drl-replication ---------------'              `--- its gRPC door ---'
//! ```
//!
//! * `sender.rs` hands every letter to the link of its addressee, `addresses.rs` knows where lifetimes are
//! * `link.rs` keeps a connection, `stream.rs` is one; `queue.rs` is what waits for it (`waiting.rs`, and of it `frames.rs`)
//! * `reading.rs` turns messages back into letters, `assembly.rs` the parts of a frame into a frame; `grpc/replication.rs` takes them in
//!
//! Invariants: what waits for a lifetime is bounded, whatever becomes of it; a beat waits for one message and never for a frame; what one
//! lifetime does not read keeps nothing from another; nothing is said before the other side has said that it is who is meant.

mod addresses;
mod assembly;
mod frames;
mod link;
mod queue;
mod reading;
mod sender;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod waiting;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use drl_engine::ownership::Holder;
use drl_engine::replication::Letter;
use drl_host::{Host, Letters, Stopped};
use drl_membership::Placement;
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::metrics::Replicated;
use crate::replication::sender::Sender;

pub(crate) use assembly::Misfit;
pub(crate) use reading::{Reading, Unreadable};

/// Of `Peer.Replicate`. Another one means letters that this version would misread.
pub(crate) const VERSION: u32 = 2;

/// Where letters come from.
pub(crate) trait Outbox: Send + 'static {
    /// The next letter; `None` when there will be none. Dropping the future loses none.
    fn next(&mut self) -> impl Future<Output = Option<Letter>> + Send;
}

/// Who gets letters. Both calls take microseconds.
pub(crate) trait Addressee: Send + Sync + 'static {
    /// # Errors
    /// [`Stopped`]: it takes no more.
    fn receive(&self, letter: Letter) -> Result<(), Stopped>;

    /// Nobody listens any more where that lifetime did.
    fn is_refused(&self, by: &Holder);
}

impl Outbox for Letters {
    async fn next(&mut self) -> Option<Letter> {
        Self::next(self).await
    }
}

impl Addressee for Host {
    fn receive(&self, letter: Letter) -> Result<(), Stopped> {
        Self::receive(self, letter)
    }

    fn is_refused(&self, by: &Holder) {
        Self::is_refused(self, by);
    }
}

/// What a sender is made from.
pub(crate) struct Sending<O> {
    /// The name of the cluster.
    pub(crate) cluster: Arc<str>,
    pub(crate) placement: watch::Receiver<Arc<Placement>>,
    pub(crate) outbox: O,
    pub(crate) addressee: Arc<dyn Addressee>,
    pub(crate) counts: Arc<Replicated>,
}

/// Letters leave. Dropping it ends that, and so does the end of the outbox.
pub(crate) struct Replication {
    stop: DropGuard,
    ended: oneshot::Receiver<Infallible>,
}

impl Replication {
    /// Starts the thread that sends: beats leave in time however busy the runtime of the node is.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(crate) fn start<O: Outbox>(sending: Sending<O>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let stop = CancellationToken::new();
        let (until, (end, ended)) = (stop.clone(), oneshot::channel::<Infallible>());
        let sender = Sender::new(sending);
        thread::Builder::new().name("drl-replication".to_owned()).spawn(move || {
            runtime.block_on(until.run_until_cancelled(sender.run()));
            // A name that is being looked up is not waited for.
            runtime.shutdown_background();
            drop(end);
        })?;
        Ok(Self { stop: stop.drop_guard(), ended })
    }

    /// Ends the thread, and waits until it has ended.
    pub(crate) async fn end(self, within: Duration) {
        drop(self.stop);
        let _ = timeout(within, self.ended).await;
    }
}
