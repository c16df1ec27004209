//! Letters of other nodes, taken in: `Peer.Replicate`. A stream is looked at before anything of it is taken, every message is read as a whole
//! before any letter of it is, and nothing is answered.

use std::pin::Pin;
use std::sync::Arc;

use drl_core::NodeId;
use drl_core::caps::{REPLICATION_LINKS_MAX, REPLICATION_PARTS_BYTES_MAX};
use drl_proto::v1;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::status::invalid;
use crate::metrics::{Replicated, ReplicationEvent as Event};
use crate::replication::{Addressee, Misfit, Reading, Unreadable, VERSION};

pub(crate) type Responses = Pin<Box<dyn Stream<Item = Result<v1::ReplicateResponse, Status>> + Send>>;

/// Takes letters in.
pub(crate) struct Letterbox {
    cluster: Arc<str>,
    me: NodeId,
    addressee: Arc<dyn Addressee>,
    counts: Arc<Replicated>,
    /// A place for each stream.
    streams: Arc<Semaphore>,
    /// A place for each byte of frames that are not complete.
    parts: Arc<Semaphore>,
}

/// A stream whose letters are not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Unwelcome {
    #[error("the first message does not say whom it is for")]
    Unsaid,
    #[error("node {me} of cluster {cluster} is here, not node {} of cluster {}", .sent.node, .sent.cluster)]
    OtherName { cluster: Arc<str>, me: NodeId, sent: v1::PeerName },
    #[error(
        "this node speaks version {VERSION} of replication and not version {sent}; run the same version of drl on both"
    )]
    OtherVersion { sent: u32 },
    #[error("{REPLICATION_LINKS_MAX} streams of letters are open, and no node needs more")]
    Crowded,
}

impl Letterbox {
    /// The letterbox of node `me` in `cluster`.
    pub(crate) fn new(
        (cluster, me): (Arc<str>, NodeId),
        addressee: Arc<dyn Addressee>,
        counts: Arc<Replicated>,
    ) -> Self {
        let streams = Arc::new(Semaphore::new(REPLICATION_LINKS_MAX));
        let parts = Arc::new(Semaphore::new(REPLICATION_PARTS_BYTES_MAX));
        Self { cluster, me, addressee, counts, streams, parts }
    }

    /// Takes the letters of a stream in until it ends, makes no sense, or until `stop`.
    ///
    /// # Errors
    /// The stream is not wanted.
    pub(crate) async fn open(
        self: &Arc<Self>,
        mut messages: Streaming<v1::ReplicateRequest>,
        stop: CancellationToken,
    ) -> Result<Responses, Status> {
        let first = messages.message().await?.ok_or_else(|| invalid("no message came"))?;
        let place = self.accept(first.hello).map_err(|unwelcome| self.refuse(&unwelcome))?;
        let (told, responses) = mpsc::channel(1);
        let welcome = told.send(Ok(v1::ReplicateResponse {})).await;
        welcome.map_err(|_| Status::cancelled("nobody waits for the answer"))?;
        let letterbox = Arc::clone(self);
        // It ends with the stream: when the peer breaks off, when its letters make no sense, or when the door closes.
        tokio::spawn(async move {
            if let Some(Err(status)) = stop.run_until_cancelled(letterbox.take_all(messages)).await {
                let _ = told.send(Err(status)).await;
            }
            drop(place);
        });
        Ok(Box::pin(ReceiverStream::new(responses)))
    }

    /// Whether a stream is meant for this node, and spoken in a way that it understands.
    fn accept(&self, hello: Option<v1::ReplicateHello>) -> Result<OwnedSemaphorePermit, Unwelcome> {
        let Some(v1::ReplicateHello { to: Some(sent), version }) = hello else { return Err(Unwelcome::Unsaid) };
        if version != VERSION {
            return Err(Unwelcome::OtherVersion { sent: version });
        }
        if (&*sent.cluster, &*sent.node) != (&*self.cluster, self.me.as_str()) {
            return Err(Unwelcome::OtherName { cluster: Arc::clone(&self.cluster), me: self.me.clone(), sent });
        }
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| Unwelcome::Crowded)
    }

    fn refuse(&self, unwelcome: &Unwelcome) -> Status {
        let reason = unwelcome.to_string();
        // The peer says so in its log, once; here it would be said with each of its tries.
        tracing::debug!(reason, "a stream of letters was refused");
        let (event, status) = match unwelcome {
            Unwelcome::Unsaid => (Event::Malformed, Status::invalid_argument(reason)),
            Unwelcome::OtherName { .. } => (Event::OtherName, Status::failed_precondition(reason)),
            Unwelcome::OtherVersion { .. } => (Event::OtherVersion, Status::failed_precondition(reason)),
            Unwelcome::Crowded => (Event::Crowded, Status::resource_exhausted(reason)),
        };
        self.counts.note(event);
        status
    }

    /// A peer that sends faster than its letters are taken is not read from meanwhile.
    async fn take_all(&self, mut messages: Streaming<v1::ReplicateRequest>) -> Result<(), Status> {
        let mut reading = Reading::new(Arc::clone(&self.parts));
        loop {
            let message = match messages.message().await {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(()),
                Err(status) => return Err(self.broken(status)),
            };
            for letter in reading.read(message).map_err(|unreadable| self.unreadable(&unreadable))? {
                self.addressee.receive(letter).map_err(|stopped| Status::unavailable(stopped.reason.to_string()))?;
                self.counts.note(Event::Taken);
            }
        }
    }

    /// What tonic could not read, or a connection that is gone: to whom nothing can be said any more.
    fn broken(&self, status: Status) -> Status {
        match status.code() {
            tonic::Code::OutOfRange | tonic::Code::Internal => {
                self.counts.note(Event::Malformed);
                tracing::warn!(reason = status.message(), "a stream of letters was ended");
                invalid(status.message())
            }
            _ => status,
        }
    }

    fn unreadable(&self, unreadable: &Unreadable) -> Status {
        let reason = unreadable.to_string();
        tracing::warn!(reason, "a stream of letters was ended");
        let is_crowded = *unreadable == Unreadable::Part(Misfit::Crowded);
        self.counts.note(if is_crowded { Event::Crowded } else { Event::Malformed });
        if is_crowded { Status::resource_exhausted(reason) } else { Status::invalid_argument(reason) }
    }
}
