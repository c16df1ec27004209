//! One check stream: messages are decided as they arrive, or sent to the owners, and answered as soon as their answers may leave: one that
//! waits for a copy or for another owner holds up no other.
//!
//! ```text
//!   client --> decide (one lock a message) --> at most 64 under way --> wait for journal and owners --> client
//! ```
//!
//! * `reader.rs` notices that nobody takes the answers
//!
//! Invariant: what is decided and not yet sent is bounded, in messages and in checks. A client that does not read its answers fills that
//! bound, then nothing more of it is read (HTTP/2 flow control), and nobody else notices. There is no task and no queue in between: who
//! takes the answers drives the stream.

mod reader;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use drl_core::caps::{BATCH_CHECKS_MAX, STREAM_CHECKS_IN_FLIGHT_MAX, STREAM_MESSAGES_IN_FLIGHT_MAX};
use drl_host::clock;
use drl_proto::v1;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::columns;
use super::numbered::{Attendance, Sessions};
use super::status::invalid;
use crate::judge::answers::Answers;
use crate::judge::{Judge, Routing};
use reader::Readers;
pub(super) use reader::Replies;

/// How often somebody looks for answers that nobody takes and for old sessions.
const LOOK_EVERY: Duration = Duration::from_millis(2_500);

/// The check streams of a door, and what outlives each of them.
pub(super) struct Streams {
    judge: Arc<Judge>,
    sessions: Arc<Sessions>,
    readers: Arc<Readers>,
    closing: CancellationToken,
}

struct CheckStream {
    judge: Arc<Judge>,
    sessions: Arc<Sessions>,
    messages: Streaming<v1::CheckStreamRequest>,
    caller: Caller,
    waiting: FuturesUnordered<Answering>,
    /// Checks of messages that are being decided or wait.
    checks: usize,
    /// Messages that are being decided or wait, for whoever watches from outside.
    held: Arc<AtomicUsize>,
    /// Cancelled when the door closes.
    closing: CancellationToken,
    is_over: bool,
}

/// Who sends, as the first message says.
enum Caller {
    Unknown,
    Unnumbered,
    Numbered(Attendance),
}

/// A message that was decided, or was found wanting: how many checks it has, and its answer.
type Answering = Pin<Box<dyn Future<Output = (usize, v1::CheckStreamResponse)> + Send>>;

impl Streams {
    pub(super) fn new(judge: Judge, closing: CancellationToken) -> Self {
        Self { judge: Arc::new(judge), sessions: Arc::new(Sessions::new()), readers: Arc::default(), closing }
    }

    /// Serves a stream until the client ends it, or the door closes: then what was read is answered, and the client asks elsewhere.
    pub(super) fn serve(&self, messages: Streaming<v1::CheckStreamRequest>) -> Replies {
        let held = Arc::<AtomicUsize>::default();
        let stream = CheckStream {
            judge: Arc::clone(&self.judge),
            sessions: Arc::clone(&self.sessions),
            messages,
            caller: Caller::Unknown,
            waiting: FuturesUnordered::new(),
            checks: 0,
            held: Arc::clone(&held),
            closing: self.closing.clone(),
            is_over: false,
        };
        let answers = stream::unfold(stream, |mut stream| async { stream.next().await.map(|answer| (answer, stream)) });
        Replies::new(&self.readers, Box::pin(answers), held)
    }

    /// Ends streams whose answers nobody takes, and forgets old sessions, until it is dropped.
    pub(super) async fn look_after(&self) -> std::convert::Infallible {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        // A process that was stopped for a while has not watched meanwhile.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let unread = self.readers.end_unread();
            if unread > 0 {
                self.judge.metrics().unread(unread);
                tracing::warn!(streams = unread, "ended check streams whose answers nobody took");
            }
            self.sessions.forget_old(clock::monotonic());
        }
    }
}

impl CheckStream {
    /// The next answer. Dropping the future loses none.
    async fn next(&mut self) -> Option<Result<v1::CheckStreamResponse, Status>> {
        loop {
            self.is_over |= self.closing.is_cancelled();
            let reads = !self.is_over && self.has_room();
            tokio::select! {
                // What has arrived is decided before anything is answered, so that the journal gets it as early as possible.
                biased;
                message = self.messages.message(), if reads => match message {
                    Ok(Some(message)) => if let Err(refused) = self.take(message).await {
                        self.is_over = true;
                        return Some(Err(refused));
                    },
                    Ok(None) | Err(_) => self.is_over = true,
                },
                Some((checks, answer)) = self.waiting.next(), if !self.waiting.is_empty() => {
                    self.checks -= checks;
                    self.held.store(self.waiting.len(), Ordering::Relaxed);
                    return Some(Ok(answer));
                }
                // A stream on which nothing comes would otherwise keep the door open.
                () = self.closing.cancelled(), if reads => {}
                else => return None,
            }
        }
    }

    /// Whether another message may be read, however large it is.
    fn has_room(&self) -> bool {
        self.waiting.len() < STREAM_MESSAGES_IN_FLIGHT_MAX
            && self.checks + BATCH_CHECKS_MAX <= STREAM_CHECKS_IN_FLIGHT_MAX
    }

    /// Decides a message.
    ///
    /// # Errors
    /// Why the stream cannot go on.
    async fn take(&mut self, message: v1::CheckStreamRequest) -> Result<(), Status> {
        self.held.store(self.waiting.len() + 1, Ordering::Relaxed);
        if matches!(self.caller, Caller::Unknown) {
            self.caller = if message.session.is_empty() {
                Caller::Unnumbered
            } else {
                Caller::Numbered(self.sessions.attend(&message)?)
            };
        }
        let (number, detail, checks) = (message.number, message.detail(), message.id_lengths.len());
        let decided = match &self.caller {
            Caller::Numbered(attendance) if attendance.includes(&message) => {
                let settled = attendance.decide(&self.judge, &message).await;
                settled.map(|settled| async move { (checks, columns::answer(number, detail, &*settled.await)) }.boxed())
            }
            Caller::Unnumbered if message.session.is_empty() => decide(&self.judge, &message).await,
            _ => {
                Err(invalid("the first message of a stream says to which session it belongs, and this is another one"))
            }
        };
        self.waiting.push(match decided {
            Ok(answering) => {
                self.checks += checks;
                answering
            }
            Err(status) => std::future::ready((0, columns::failure(number, &status))).boxed(),
        });
        Ok(())
    }
}

/// Decides a message of nobody in particular; what comes is its answer.
async fn decide(judge: &Arc<Judge>, message: &v1::CheckStreamRequest) -> Result<Answering, Status> {
    let (number, detail) = (message.number, message.detail());
    let asks = columns::asks(message)?;
    let mut answers = Answers::default();
    let pending = judge.decide(&asks, routing(message), &mut answers).await;
    let judge = Arc::clone(judge);
    let checks = asks.len();
    let answering = async move {
        judge.settle(pending, &mut answers).await;
        (checks, columns::answer(number, detail, &answers))
    };
    Ok(answering.boxed())
}

pub(super) fn routing(message: &v1::CheckStreamRequest) -> Routing {
    match message.routing() {
        v1::Routing::Any => Routing::Any,
        v1::Routing::Here => Routing::Here,
    }
}
