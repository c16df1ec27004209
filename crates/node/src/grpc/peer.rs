//! The service `Peer`: checks that another node passes on. They are decided here or refused, never passed on again. Letters about copies go to
//! `replication.rs`.
//!
//! ```text
//!   peer --> decide (one lock a message) --> at most 64 under way --> wait for the journal --> peer
//! ```
//!
//! Invariant: messages are decided in the order in which they come, and each is answered as soon as its answers may leave. What is decided and not yet sent is bounded, in
//! messages and in checks: a peer that does not read its answers is not read from.

use std::pin::Pin;
use std::sync::Arc;

use drl_core::caps::{BATCH_CHECKS_MAX, STREAM_CHECKS_IN_FLIGHT_MAX, STREAM_MESSAGES_IN_FLIGHT_MAX};
use drl_core::{Cost, Epoch, Namespace};
use drl_host::{Ask, PolicyOf};
use drl_limits::Policy;
use drl_proto::v1;
use drl_proto::v1::forwarded_answer::{Answer, Done};
use drl_proto::v1::peer_server::Peer;
use futures_util::{StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::refusals;
use super::replication::{Letterbox, Responses};
use super::status::invalid;
use crate::forward::errand::{self, Nonsense};
use crate::forward::given::GivenPolicies;
use crate::judge::answers::Answers;
use crate::judge::{Judge, Pending, Routing};
use crate::refusal::{self, Refusal};

pub(super) struct PeerService {
    judge: Judge,
    /// `None`: this node has no copies and gives none.
    letterbox: Option<Arc<Letterbox>>,
    /// Peers keep their stream open for as long as they live; it ends when the door closes.
    stop: CancellationToken,
}

/// A message that was decided: it is answered once its answers may leave.
struct Decided {
    number: u64,
    checks: Vec<Check>,
    answers: Answers,
    pending: Pending,
    /// A place for each check, until it is answered.
    _room: OwnedSemaphorePermit,
}

/// One check of a message.
enum Check {
    /// It was decided, by this policy or the configured one.
    Asked(Option<Arc<Policy>>),
    /// A reset or refund that is under way.
    Changing(JoinHandle<Result<(), Refusal>>),
    Wrong(Nonsense),
}

impl PeerService {
    pub(super) const fn new(judge: Judge, letterbox: Option<Arc<Letterbox>>, stop: CancellationToken) -> Self {
        Self { judge, letterbox, stop }
    }

    /// Whether a stream was meant for this node.
    fn accept(&self, first: &v1::ForwardRequest) -> Result<(), Status> {
        let Some(to) = &first.to else {
            return Err(invalid("the first message does not say whom it is for"));
        };
        let me = self.judge.forwarder().map(|forwarder| (&**forwarder.cluster(), forwarder.me().as_str()));
        if me == Some((&*to.cluster, &*to.node)) {
            return Ok(());
        }
        let (cluster, node) = me.unwrap_or_default();
        Err(Status::failed_precondition(format!("node {node:?} of cluster {cluster:?} is here, not {to:?}")))
    }
}

#[tonic::async_trait]
impl Peer for PeerService {
    type ForwardStream = Pin<Box<dyn Stream<Item = Result<v1::ForwardResponse, Status>> + Send>>;

    async fn forward(
        &self,
        request: Request<Streaming<v1::ForwardRequest>>,
    ) -> Result<Response<Self::ForwardStream>, Status> {
        let mut messages = request.into_inner();
        let first = messages.message().await?.ok_or_else(|| invalid("no message came"))?;
        self.accept(&first)?;
        let (decided, waiting) = mpsc::channel(1);
        // It ends with the stream: when the peer breaks off, when its answers have no reader, or when the door closes.
        let (fault, faulty) = oneshot::channel();
        let decide = decide_all(self.judge.clone(), first, messages, decided, fault);
        let stop = self.stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(decide).await });
        let judge = self.judge.clone();
        let answers = ReceiverStream::new(waiting).map(move |decided: Decided| {
            let judge = judge.clone();
            async move { Ok(released(&judge, decided).await) }
        });
        // What came before a message that ends the stream is answered.
        let fault = stream::once(faulty).filter_map(|fault| std::future::ready(fault.ok().map(Err)));
        Ok(Response::new(Box::pin(answers.buffer_unordered(STREAM_MESSAGES_IN_FLIGHT_MAX).chain(fault))))
    }

    type ReplicateStream = Responses;

    async fn replicate(
        &self,
        request: Request<Streaming<v1::ReplicateRequest>>,
    ) -> Result<Response<Responses>, Status> {
        let letterbox = self.letterbox.as_ref().ok_or_else(|| Status::unimplemented("no copies are kept here"))?;
        Ok(Response::new(letterbox.open(request.into_inner(), self.stop.clone()).await?))
    }
}

async fn decide_all(
    judge: Judge,
    first: v1::ForwardRequest,
    mut messages: Streaming<v1::ForwardRequest>,
    answers: mpsc::Sender<Decided>,
    fault: oneshot::Sender<Status>,
) {
    let (mut given, mut next) = (GivenPolicies::default(), Some(first));
    let room = Arc::new(Semaphore::new(STREAM_CHECKS_IN_FLIGHT_MAX));
    while let Some(message) = next {
        let count = message.checks.len();
        if count > BATCH_CHECKS_MAX {
            let refused = invalid(format!("{count} checks are too many; send at most {BATCH_CHECKS_MAX}"));
            let _ = fault.send(refused);
            return;
        }
        let places = u32::try_from(count).unwrap_or(u32::MAX);
        // Nobody closes it; and the peer may break off meanwhile.
        let Ok(room) = Arc::clone(&room).acquire_many_owned(places).await else { return };
        if answers.send(decide(&judge, &mut given, message, room).await).await.is_err() {
            return;
        }
        next = messages.message().await.ok().flatten();
    }
}

async fn decide(
    judge: &Judge,
    given: &mut GivenPolicies,
    message: v1::ForwardRequest,
    room: OwnedSemaphorePermit,
) -> Decided {
    let checks: Vec<Check> = message.checks.iter().map(|check| read(judge, given, check)).collect();
    let asks: Vec<Ask<'_>> =
        message.checks.iter().zip(&checks).filter_map(|(message, check)| check.ask(message)).collect();
    let mut answers = Answers::default();
    let pending = judge.decide(&asks, Routing::Here, &mut answers).await;
    drop(asks);
    Decided { number: message.number, checks, answers, pending, _room: room }
}

/// Finds out what a message asks; a change begins at once.
fn read(judge: &Judge, given: &mut GivenPolicies, check: &v1::ForwardedCheck) -> Check {
    let wrong = |problem: &str| Check::Wrong(Nonsense { problem: problem.to_owned() });
    let key = match errand::key(check) {
        Ok(key) => key,
        Err(nonsense) => return Check::Wrong(nonsense),
    };
    if Cost::new(check.cost).is_err() {
        return wrong("the cost is too high");
    }
    if errand::change(check).is_some() {
        return Check::Changing(tokio::spawn(change(judge.clone(), check.clone())));
    }
    match (errand::action(check), &check.policy) {
        (None, _) => wrong("this version does not know what is asked"),
        (Some(_), Some(_)) if key.namespace != Namespace::THROTTLE => wrong("a policy came with a client that has one"),
        (Some(_), None) if key.namespace == Namespace::THROTTLE => wrong("no policy came with the key"),
        (Some(_), None) => Check::Asked(None),
        (Some(_), Some(policy)) => match given.policy(policy) {
            Ok(policy) => Check::Asked(Some(policy)),
            Err(nonsense) => Check::Wrong(nonsense),
        },
    }
}

async fn change(judge: Judge, check: v1::ForwardedCheck) -> Result<(), Refusal> {
    match (errand::key(&check), errand::change(&check)) {
        (Ok(key), Some(change)) => refusal::change(judge.host(), key, change, Epoch(check.epoch)).await,
        _ => Err(Refusal::Undecided),
    }
}

impl Check {
    fn ask<'a>(&'a self, message: &'a v1::ForwardedCheck) -> Option<Ask<'a>> {
        let Self::Asked(policy) = self else { return None };
        let policy = policy.as_ref().map_or(PolicyOf::Configured, PolicyOf::Given);
        let (key, cost) = (errand::key(message).ok()?, Cost::new(message.cost).ok()?);
        Some(Ask { key, cost, action: errand::action(message)?, policy, epoch: Epoch(message.epoch) })
    }
}

/// The answer to a message, once it may leave.
async fn released(judge: &Judge, decided: Decided) -> v1::ForwardResponse {
    let Decided { number, checks, mut answers, pending, _room } = decided;
    judge.settle(pending, &mut answers).await;
    let mut decisions = answers.iter();
    let mut told = Vec::with_capacity(checks.len());
    for check in checks {
        let answer = match check {
            Check::Asked(_) => match decisions.next().unwrap_or(Err(&Refusal::Undecided)) {
                Ok(decision) => Answer::Decision(drl_wire::decision(decision)),
                Err(refusal) => Answer::Refusal(refusals::for_peer(refusal)),
            },
            Check::Changing(change) => match change.await.unwrap_or(Err(Refusal::Undecided)) {
                Ok(()) => Answer::Done(Done {}),
                Err(refusal) => Answer::Refusal(refusals::for_peer(&refusal)),
            },
            Check::Wrong(nonsense) => Answer::Refusal(v1::Refusal {
                kind: v1::RefusalKind::Invalid.into(),
                message: nonsense.problem,
                ..v1::Refusal::default()
            }),
        };
        told.push(v1::ForwardedAnswer { answer: Some(answer) });
    }
    v1::ForwardResponse { number, answers: told }
}
