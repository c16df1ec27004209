//! One check stream: messages are decided as they arrive, or sent to the owners, and answered in order once their answers may leave.
//!
//! ```text
//!   client --> decide (one lock a message) --> at most 64 under way --> wait for journal and owners --> client
//! ```
//!
//! Invariant: what is decided and not yet sent is bounded. A client that does not read its answers fills that bound, then nothing
//! more of it is read (HTTP/2 flow control), and nobody else notices.

use std::pin::Pin;

use drl_core::caps::STREAM_MESSAGES_IN_FLIGHT_MAX;
use drl_proto::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Status, Streaming};

use super::columns;
use crate::judge::answers::Answers;
use crate::judge::{Judge, Pending, Routing};

/// What the client reads.
pub(super) type Replies = Pin<Box<dyn Stream<Item = Result<v1::CheckStreamResponse, Status>> + Send>>;

/// A message that was decided, or was found wanting: it is answered once its answers may leave.
enum Decided {
    Checks { number: u64, detail: v1::Detail, answers: Answers, pending: Pending },
    Wrong(v1::CheckStreamResponse),
}

/// Serves a stream until the client ends it.
pub(super) fn serve(judge: Judge, messages: Streaming<v1::CheckStreamRequest>) -> Replies {
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
    let (number, detail) = (message.number, message.detail());
    let routing = match message.routing() {
        v1::Routing::Any => Routing::Any,
        v1::Routing::Here => Routing::Here,
    };
    match columns::asks(message) {
        Ok(asks) => {
            let mut answers = Answers::default();
            let pending = judge.decide(&asks, routing, &mut answers).await;
            Decided::Checks { number, detail, answers, pending }
        }
        Err(status) => Decided::Wrong(columns::failure(number, &status)),
    }
}

/// The answer, once it may leave.
async fn released(judge: &Judge, decided: Decided) -> v1::CheckStreamResponse {
    match decided {
        Decided::Checks { number, detail, mut answers, pending } => {
            judge.settle(pending, &mut answers).await;
            columns::answer(number, detail, &answers)
        }
        Decided::Wrong(answer) => answer,
    }
}
