//! One check stream: messages are decided as they arrive and answered in order once the journal has them.
//!
//! ```text
//!   client --> decide (one lock a message) --> at most 64 under way --> wait for the journal --> client
//! ```
//!
//! Invariant: what is decided and not yet sent is bounded. A client that does not read its answers fills that bound, then nothing
//! more of it is read (HTTP/2 flow control), and nobody else notices.

use std::pin::Pin;

use drl_core::Nanos;
use drl_core::caps::STREAM_MESSAGES_IN_FLIGHT_MAX;
use drl_host::{Ticket, clock};
use drl_proto::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Status, Streaming};

use super::columns;
use super::status::refused;
use crate::judge::Judge;
use crate::refusal;

/// What the client reads.
pub(super) type Answers = Pin<Box<dyn Stream<Item = Result<v1::CheckStreamResponse, Status>> + Send>>;

/// A message that was decided, or was found wanting: it is answered once its ticket is committed.
struct Decided {
    answer: v1::CheckStreamResponse,
    ticket: Ticket,
    arrived: Nanos,
    checks: usize,
}

/// Serves a stream until the client ends it.
pub(super) fn serve(judge: Judge, messages: Streaming<v1::CheckStreamRequest>) -> Answers {
    let (decided, waiting) = mpsc::channel(STREAM_MESSAGES_IN_FLIGHT_MAX);
    // It ends with the stream: when the client has sent all, when it breaks off, or when its answers have no reader.
    tokio::spawn(decide_all(judge.clone(), messages, decided));
    let answers = ReceiverStream::new(waiting).then(move |decided| {
        let judge = judge.clone();
        async move { Ok(released(&judge, decided).await) }
    });
    Box::pin(answers)
}

async fn decide_all(judge: Judge, mut messages: Streaming<v1::CheckStreamRequest>, decided: mpsc::Sender<Decided>) {
    while let Ok(Some(message)) = messages.message().await {
        if decided.send(decide(&judge, &message).await).await.is_err() {
            return;
        }
    }
}

async fn decide(judge: &Judge, message: &v1::CheckStreamRequest) -> Decided {
    let arrived = clock::monotonic();
    let mut decisions = Vec::with_capacity(message.id_lengths.len());
    let outcome = match columns::asks(message) {
        Ok(asks) => refusal::decide(judge.host(), &asks, &mut decisions).await.map_err(|refusal| refused(&refusal)),
        Err(status) => Err(status),
    };
    let (answer, ticket) = match outcome {
        Ok(ticket) => (columns::answer(message.number, message.detail(), &decisions), ticket),
        Err(status) => (columns::failure(message.number, &status), Ticket::NONE),
    };
    Decided { answer, ticket, arrived, checks: decisions.len() }
}

/// The answer, once it may leave.
async fn released(judge: &Judge, decided: Decided) -> v1::CheckStreamResponse {
    let Decided { answer, ticket, arrived, checks } = decided;
    match refusal::committed(judge.host(), ticket).await {
        Ok(()) => {
            judge.metrics().decided(arrived, checks);
            answer
        }
        Err(refusal) => columns::failure(answer.number, &refused(&refusal)),
    }
}
