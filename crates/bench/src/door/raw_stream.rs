//! `CheckStream` by hand: a stream for each line, one message under way on it. What the client of `stream.rs` adds to a check is measured
//! against this, so its messages are those of the client: numbered, of a session, with every column of the answer.

use std::time::Duration;

use drl_core::caps::GRPC_MESSAGE_BYTES_MAX;
use drl_proto::v1;
use drl_proto::v1::rate_limit_client::RateLimitClient;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::{Door, Line, OpenError, channel, told_of};
use crate::asks::Asks;
use crate::told::Told;

#[derive(Debug, Clone)]
pub(crate) struct RawStreamDoor {
    pub(crate) address: String,
    pub(crate) namespace: String,
    pub(crate) timeout: Duration,
}

/// One stream, opened when it is needed.
#[derive(Debug)]
pub(crate) struct RawStreamLine {
    node: RateLimitClient<Channel>,
    namespace: String,
    timeout: Duration,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    messages: mpsc::Sender<v1::CheckStreamRequest>,
    answers: Streaming<v1::CheckStreamResponse>,
    session: [u8; 16],
    /// Of the last message.
    number: u64,
}

impl Door for RawStreamDoor {
    type Line = RawStreamLine;

    async fn open(&self, lines: usize) -> Result<Vec<RawStreamLine>, OpenError> {
        let channel = channel::connect(&self.address, self.timeout).await?;
        let node = RateLimitClient::new(channel)
            .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX);
        let line = || {
            let (node, namespace) = (node.clone(), self.namespace.clone());
            RawStreamLine { node, namespace, timeout: self.timeout, open: None }
        };
        Ok((0..lines).map(|_| line()).collect())
    }
}

impl Line for RawStreamLine {
    async fn ask(&mut self, asks: &Asks, told: &mut Told) {
        let checks = asks.len();
        match timeout(self.timeout, self.round_trip(asks)).await {
            Ok(Ok(answer)) => tell(told, answer, checks),
            Ok(Err(status)) => told_of::status(told, &status, checks),
            Err(_) => told_of::timed_out(told, checks, self.timeout),
        }
    }
}

impl RawStreamLine {
    /// Whatever breaks off leaves no open stream, whose next answer would be that of an earlier message.
    async fn round_trip(&mut self, asks: &Asks) -> Result<v1::CheckStreamResponse, Status> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::new(&mut self.node).await?,
        };
        open.number += 1;
        let message = open.message(&self.namespace, asks);
        if open.messages.send(message).await.is_err() {
            return Err(Status::unavailable("the node ended the stream"));
        }
        let ended = || Status::unavailable("the node ended the stream");
        let answer = open.answers.message().await?.ok_or_else(ended)?;
        if answer.number != open.number {
            return Err(Status::data_loss(format!("answer {} to message {}", answer.number, open.number)));
        }
        self.open = Some(open);
        Ok(answer)
    }
}

impl Open {
    async fn new(node: &mut RateLimitClient<Channel>) -> Result<Self, Status> {
        let (messages, waiting) = mpsc::channel(1);
        let answers = node.check_stream(ReceiverStream::new(waiting)).await?.into_inner();
        let mut session = [0; 16];
        OsRng.try_fill_bytes(&mut session).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Self { messages, answers, session, number: 0 })
    }

    fn message(&self, namespace: &str, asks: &Asks) -> v1::CheckStreamRequest {
        let length = |id: &[u8]| u32::try_from(id.len()).unwrap_or(u32::MAX);
        let session = if self.number == 1 { self.session.to_vec() } else { Vec::new() };
        v1::CheckStreamRequest {
            number: self.number,
            namespace: namespace.to_owned(),
            client_ids: asks.bytes().to_vec().into(),
            id_lengths: asks.iter().map(length).collect(),
            costs: Vec::new(),
            detail: v1::Detail::Full.into(),
            // The client knows one; what matters here is that there is a column of them.
            epochs: vec![0; asks.len()],
            routing: v1::Routing::Any.into(),
            session: session.into(),
            settled_below: self.number,
        }
    }
}

fn tell(told: &mut Told, answer: v1::CheckStreamResponse, checks: usize) {
    if let Some(error) = &answer.error {
        return told_of::status(told, &Status::new(error.code.into(), error.message.clone()), checks);
    }
    match drl_wire::read_answers(answer, checks) {
        Ok(answers) => {
            for answer in answers {
                match answer {
                    Ok(decision) => told_of::decision(told, &decision),
                    Err(refusal) => told_of::refusal(told, &refusal),
                }
            }
        }
        Err(invalid) => told_of::broken(told, checks, &invalid),
    }
}
