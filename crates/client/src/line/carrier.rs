//! The task that carries checks to one node: it connects when something is to be sent, sends what waits as few messages, and hands
//! answers to who waits for them.
//!
//! ```text
//!            a check                open                    lost, or no answer for a second
//!   resting ---------> connecting --------> carrying ----------------------------------------+
//!      ^                 |  ^                                                                 |
//!      |          failed |  | after a pause; at once when a connection that was good is lost <-+
//!      |                 v  |
//!      +----------- in trouble: what is not sent is refused at once, what is unanswered waits to be sent again
//!   nobody asked for a while                              (from carrying, too)
//! ```
//!
//! Invariant: what was sent and not answered is sent again under its number, to this node only. It goes elsewhere when another node
//! has come to own its shards meanwhile.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use drl_core::caps::STREAM_MESSAGES_IN_FLIGHT_MAX;
use drl_proto::v1;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::chance::{self, Pause};
use crate::clock;
use crate::endpoint::{self, OPEN_TIMEOUT};
use crate::line::Condition;
use crate::line::outbox::{Outbox, STALL};
use crate::line::parcel::Parcel;
use crate::placement::{Owner, Placement};

/// Pauses between tries to connect: soon enough after a restart of the node, seldom enough while it is away.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How long a node that is away is tried again after the last check for it.
const DEMAND: Duration = Duration::from_secs(5);

pub(super) struct Carrier {
    owner: Owner,
    /// After so long without a check the stream is closed, and the connection with it when nobody else uses it.
    idle: Duration,
    placement: watch::Receiver<Placement>,
    queue: mpsc::Receiver<Box<Parcel>>,
    condition: Arc<Condition>,
    outbox: Outbox,
    /// Whether this connection has brought an answer: one that never did is not made anew at once.
    was_answered: bool,
    /// When somebody last wanted something.
    demanded: Instant,
}

/// An open stream.
struct Open {
    requests: mpsc::Sender<Box<v1::CheckStreamRequest>>,
    answers: Streaming<v1::CheckStreamResponse>,
}

/// Why there is no stream, or none any more.
enum End {
    /// Nobody will ask any more.
    Unused,
    /// Nobody has asked for a while.
    Idle,
    Lost(Arc<str>),
    /// It is there and gives no answers.
    Stalled,
}

impl Carrier {
    pub(super) fn new(
        owner: Owner,
        idle: Duration,
        placement: watch::Receiver<Placement>,
        queue: mpsc::Receiver<Box<Parcel>>,
        condition: Arc<Condition>,
    ) -> Self {
        let outbox = Outbox::new(chance::session());
        Self { owner, idle, placement, queue, condition, outbox, was_answered: false, demanded: clock::now() }
    }

    /// Runs until its line is dropped.
    pub(super) async fn run(mut self) {
        let mut pause = Pause::new(PAUSES.0, PAUSES.1);
        loop {
            if self.is_at_rest() {
                let Some(parcel) = self.rest().await else { return };
                self.take(*parcel);
            }
            let condition = Arc::clone(&self.condition);
            let end = match self.meanwhile(open(&condition)).await {
                None => End::Unused,
                Some(Err(reason)) => End::Lost(reason),
                Some(Ok(stream)) => {
                    if self.condition.is_well() {
                        tracing::info!(node = %self.owner.node, address = %self.owner.address, "a node answers again");
                    }
                    self.was_answered = false;
                    let end = self.carry(stream).await;
                    if self.was_answered {
                        pause = Pause::new(PAUSES.0, PAUSES.1);
                    }
                    match end {
                        // A connection that was good is made anew at once; what waits may wait for that.
                        End::Lost(reason) if self.was_answered => {
                            tracing::debug!(node = %self.owner.node, %reason, "lost a connection");
                            self.condition.give_up();
                            continue;
                        }
                        end => end,
                    }
                }
            };
            let reason = match end {
                End::Unused => return,
                End::Idle => continue,
                End::Lost(reason) => reason,
                End::Stalled => format!("it gave no answer for {STALL:?}").into(),
            };
            self.is_in_trouble(&reason);
            if self.meanwhile(clock::pass(pause.next())).await.is_none() {
                return;
            }
        }
    }

    fn take(&mut self, parcel: Parcel) {
        self.demanded = clock::now();
        self.outbox.push(parcel);
        while let Ok(parcel) = self.queue.try_recv() {
            self.outbox.push(*parcel);
        }
    }

    /// Waits for a check, without a stream. `None`: nobody will ask any more.
    async fn rest(&mut self) -> Option<Box<Parcel>> {
        loop {
            self.condition.rest(self.idle);
            if let Ok(parcel) = timeout(self.idle, self.queue.recv()).await {
                return parcel;
            }
        }
    }

    /// Whether nobody needs a connection.
    fn is_at_rest(&self) -> bool {
        self.outbox.is_empty() && (self.condition.trouble().is_none() || self.demanded.elapsed() > DEMAND)
    }

    fn is_in_trouble(&mut self, reason: &Arc<str>) {
        let said: Arc<str> = format!("node {} ({}): {reason}", self.owner.node, self.owner.address).into();
        if self.condition.is_in_trouble(said) {
            tracing::warn!(
                node = %self.owner.node, address = %self.owner.address, %reason,
                "a node does not answer; policies decide what its clients may do meanwhile"
            );
        }
    }

    /// Does `work`; meanwhile nothing waits longer than its deadline, or at all when there is trouble, and what has another owner by now
    /// is handed back. `None`: nobody will ask any more.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            if let Some(trouble) = self.condition.trouble() {
                self.outbox.refuse_waiting(&trouble.reason);
            }
            self.hand_back();
            let wake = self.outbox.deadline();
            tokio::select! {
                done = &mut work => return Some(done),
                parcel = self.queue.recv() => self.take(*parcel?),
                () = at(wake) => self.expire(),
                changed = self.placement.changed() => changed.ok()?,
            }
        }
    }

    fn hand_back(&mut self) {
        let placement = self.placement.borrow_and_update();
        let reason = format!("node {} does not own the shard any more", self.owner.node);
        self.outbox.hand_back(|shard, epoch| placement.epoch(shard) > epoch, &reason);
    }

    fn expire(&mut self) {
        let trouble = self.condition.trouble().map(|trouble| trouble.reason);
        let silent = || format!("no answer from node {} ({})", self.owner.node, self.owner.address).into();
        self.outbox.expire(clock::now(), &trouble.unwrap_or_else(silent));
    }

    /// Carries until the connection is lost or nobody needs it.
    async fn carry(&mut self, Open { requests, mut answers }: Open) -> End {
        for message in self.outbox.again(clock::now()) {
            if requests.try_send(Box::new(message)).is_err() {
                return End::Lost("the stream ended".into());
            }
        }
        loop {
            while let Some(message) = self.outbox.compose(clock::now()) {
                if requests.try_send(Box::new(message)).is_err() {
                    return End::Lost("the stream ended".into());
                }
            }
            let wake = self.outbox.wake_at().or_else(|| self.demanded.checked_add(self.idle));
            tokio::select! {
                biased;
                answer = answers.message() => match answer {
                    Ok(Some(answer)) => {
                        self.was_answered = true;
                        self.outbox.settle(answer, clock::now());
                    }
                    Ok(None) => return End::Lost("it ended the stream".into()),
                    Err(status) => return End::Lost(endpoint::sentence(&status)),
                },
                parcel = self.queue.recv() => match parcel {
                    Some(parcel) => self.take(*parcel),
                    None => return End::Unused,
                },
                () = at(wake) => {
                    self.expire();
                    match self.outbox.stalled_at() {
                        Some(at) if at <= clock::now() => return End::Stalled,
                        None if self.demanded.elapsed() >= self.idle => return End::Idle,
                        _ => {}
                    }
                }
            }
        }
    }
}

/// # Errors
/// Why there is no stream, for people.
async fn open(condition: &Condition) -> Result<Open, Arc<str>> {
    let connection = condition.connection().await?;
    let (requests, waiting) = mpsc::channel(STREAM_MESSAGES_IN_FLIGHT_MAX);
    let mut client = endpoint::checks(connection);
    let opening =
        client.check_stream(ReceiverStream::new(waiting).map(|message: Box<v1::CheckStreamRequest>| *message));
    match timeout(OPEN_TIMEOUT, opening).await {
        Ok(Ok(answers)) => Ok(Open { requests, answers: answers.into_inner() }),
        Ok(Err(status)) => Err(endpoint::sentence(&status)),
        Err(_) => Err(format!("it opened no stream within {OPEN_TIMEOUT:?}").into()),
    }
}

/// Resolves at `moment`; never without one.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
