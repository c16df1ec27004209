//! A connection to a peer, and the one stream on it. It is open once the peer has said that it is who it should be.

use std::sync::Arc;

use drl_core::NodeId;
use drl_core::caps::{FORWARD_MESSAGES_IN_FLIGHT_MAX, GRPC_MESSAGE_BYTES_MAX};
use drl_proto::v1;
use drl_proto::v1::peer_client::PeerClient;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::dial::{OPEN_TIMEOUT, dial};

/// An open stream.
pub(super) struct PeerStream {
    requests: mpsc::Sender<v1::ForwardRequest>,
    answers: Streaming<v1::ForwardResponse>,
}

impl PeerStream {
    /// # Errors
    /// Why there is no stream, for people.
    pub(super) async fn open(cluster: &str, node: &NodeId, address: &str) -> Result<Self, Arc<str>> {
        match timeout(OPEN_TIMEOUT, Self::connect(cluster, node, address)).await {
            Ok(opened) => opened.map_err(|reason| format!("{address}: {reason}").into()),
            Err(_) => Err(format!("{address}: no answer within {OPEN_TIMEOUT:?}").into()),
        }
    }

    async fn connect(cluster: &str, node: &NodeId, address: &str) -> Result<Self, String> {
        let channel = dial(address).await.map_err(|undialled| undialled.reason)?;
        let (requests, waiting) = mpsc::channel(FORWARD_MESSAGES_IN_FLIGHT_MAX + 1);
        let to = v1::PeerName { cluster: cluster.to_owned(), node: node.as_str().to_owned() };
        let hello = v1::ForwardRequest { number: 0, checks: Vec::new(), to: Some(to) };
        requests.try_send(hello).map_err(|error| error.to_string())?;
        let mut client = PeerClient::new(channel)
            .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX);
        let refused = |status: &tonic::Status| match status.code() {
            tonic::Code::Unimplemented => "another program or a node that runs alone listens there".to_owned(),
            _ => status.message().to_owned(),
        };
        let answers = client.forward(ReceiverStream::new(waiting)).await.map_err(|status| refused(&status))?;
        let mut stream = Self { requests, answers: answers.into_inner() };
        match stream.answers.message().await {
            Ok(Some(_)) => Ok(stream),
            Ok(None) => Err("it closed the stream".to_owned()),
            Err(status) => Err(refused(&status)),
        }
    }

    /// Sends a message. There is room as long as no more than the allowed number of messages is unanswered.
    pub(super) fn send(&self, request: v1::ForwardRequest) -> Result<(), Box<v1::ForwardRequest>> {
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(request) | mpsc::error::TrySendError::Closed(request) => Box::new(request),
        })
    }

    /// The next answer. Dropping the future loses none.
    ///
    /// # Errors
    /// Why the stream is over, for people.
    pub(super) async fn answer(&mut self) -> Result<v1::ForwardResponse, Arc<str>> {
        match self.answers.message().await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err("it closed the stream".into()),
            Err(status) => Err(format!("the connection was lost ({})", status.message()).into()),
        }
    }
}
