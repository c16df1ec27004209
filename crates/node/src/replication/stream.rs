//! A stream of letters to a peer. It is open once the peer has said that it is who it should be; until then all letters wait.
//!
//! Messages are taken from the queue when HTTP/2 has room for them, so what was taken and not read by the peer is bounded by its windows
//! (1 MiB, which a round trip of 1 ms turns into 1 GB/s) and by the buffers of the system.

use std::sync::Arc;

use drl_core::caps::GRPC_MESSAGE_BYTES_MAX;
use drl_proto::v1;
use drl_proto::v1::peer_client::PeerClient;
use futures_util::{Stream, StreamExt, stream};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Status, Streaming};

use super::VERSION;
use super::queue::Queue;
use crate::dial::{OPEN_TIMEOUT, Undialled, dial};

/// An open stream. Nothing is taken from the queue any more when it is dropped.
pub(super) struct PeerStream {
    responses: Streaming<v1::ReplicateResponse>,
    _over: DropGuard,
}

impl PeerStream {
    /// # Errors
    /// Why there is no stream.
    pub(super) async fn open(cluster: &str, address: &str, queue: &Arc<Queue>) -> Result<Self, Undialled> {
        match timeout(OPEN_TIMEOUT, Self::connect(cluster, address, queue)).await {
            Ok(opened) => opened,
            Err(_) => Err(Undialled { reason: format!("no answer within {OPEN_TIMEOUT:?}"), is_refused: false }),
        }
    }

    async fn connect(cluster: &str, address: &str, queue: &Arc<Queue>) -> Result<Self, Undialled> {
        let mut client = PeerClient::new(dial(address).await?).max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX);
        let to = v1::PeerName { cluster: cluster.to_owned(), node: queue.to().node.as_str().to_owned() };
        let hello = v1::ReplicateHello { to: Some(to), version: VERSION };
        let hello = v1::ReplicateRequest { hello: Some(hello), ..v1::ReplicateRequest::default() };
        let (welcome, over) = (CancellationToken::new(), CancellationToken::new());
        let ends = over.clone().drop_guard();
        let requests = requests(hello, Arc::clone(queue), welcome.clone(), over);
        let refused = |status: Status| Undialled { reason: reason(&status), is_refused: false };
        let mut responses = client.replicate(requests).await.map_err(refused)?.into_inner();
        match responses.message().await.map_err(refused)? {
            Some(v1::ReplicateResponse {}) => {
                queue.restart();
                welcome.cancel();
                Ok(Self { responses, _over: ends })
            }
            None => Err(Undialled { reason: "it closed the stream".to_owned(), is_refused: false }),
        }
    }

    /// Resolves, with the reason, when the stream is over.
    pub(super) async fn lost(&mut self) -> String {
        loop {
            match self.responses.message().await {
                // Nothing is answered; a later version may.
                Ok(Some(v1::ReplicateResponse {})) => {}
                Ok(None) => return "it closed the stream".to_owned(),
                Err(status) => return reason(&status),
            }
        }
    }
}

/// What is sent: after the welcome, whatever waits.
fn requests(
    hello: v1::ReplicateRequest,
    queue: Arc<Queue>,
    welcome: CancellationToken,
    over: CancellationToken,
) -> impl Stream<Item = v1::ReplicateRequest> + Send + 'static {
    let letters = stream::unfold((queue, welcome, over), |(queue, welcome, over)| async move {
        let next = async {
            welcome.cancelled().await;
            queue.next().await
        };
        let message = over.run_until_cancelled(next).await?;
        Some((message, (queue, welcome, over)))
    });
    stream::iter([hello]).chain(letters)
}

fn reason(status: &Status) -> String {
    match status.code() {
        Code::Unimplemented => {
            "another program, a node that runs alone or one of an older version listens there".to_owned()
        }
        _ => status.message().to_owned(),
    }
}
