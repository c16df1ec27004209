//! A node that does what a test says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drl_client::{CheckRequest, Connect, Decision, RateLimiter};
use drl_proto::v1;
use drl_proto::v1::placement_service_server::{PlacementService, PlacementServiceServer};
use drl_proto::v1::rate_limit_server::{RateLimit, RateLimitServer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream, WatchStream};
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::accepted::Accepted;

/// What a node does about a message.
#[expect(clippy::large_enum_variant, reason = "answers are what there is most of")]
pub(crate) enum Said {
    Answer(v1::CheckStreamResponse),
    /// Nothing, ever.
    Silence,
    /// The stream ends with an error.
    Cut,
}

type Script = Box<dyn FnMut(&v1::CheckStreamRequest) -> Said + Send>;
type Unary = Box<dyn FnMut(&'static str) -> Result<(), Status> + Send>;
type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    script: Mutex<Script>,
    unary: Mutex<Unary>,
    seen: Mutex<Vec<v1::CheckStreamRequest>>,
    asked: Mutex<Vec<&'static str>>,
    /// After so many updates a watch ends.
    updates_max: Mutex<usize>,
    placement: watch::Sender<v1::PlacementUpdate>,
    /// Streams of checks that are open.
    streams: watch::Sender<usize>,
    /// Watches of the placement that are open.
    watchers: watch::Sender<usize>,
    /// Connections that were ever accepted, and those that are open.
    connections: AtomicUsize,
    open_connections: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Node {
    /// A node that allows everything and owns the one shard there is.
    pub(crate) async fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let inner = Arc::new(Inner {
            script: Mutex::new(Box::new(|message| Said::Answer(allow(message)))),
            unary: Mutex::new(Box::new(|_| Ok(()))),
            seen: Mutex::default(),
            asked: Mutex::default(),
            updates_max: Mutex::new(usize::MAX),
            placement: watch::Sender::new(placed(1, &[("n1", address)], "n1", 1)),
            streams: watch::Sender::new(0),
            watchers: watch::Sender::new(0),
            connections: AtomicUsize::new(0),
            open_connections: Arc::default(),
            stop: stop.clone(),
        });
        let node = Self { address, inner };
        // The services know the node weakly, or it would never be dropped.
        let (service, accepting) = (Service { inner: Arc::downgrade(&node.inner) }, Arc::downgrade(&node.inner));
        let router = Server::builder()
            .add_service(RateLimitServer::new(service.clone()))
            .add_service(PlacementServiceServer::new(service));
        let listener = listener.into_std().unwrap();
        // A runtime of its own, so that a node that stops takes its connections along.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListenerStream::new(TcpListener::from_std(listener).unwrap());
                let listener = listener.filter_map(|stream| {
                    let inner = accepting.upgrade()?;
                    inner.connections.fetch_add(1, Ordering::Relaxed);
                    Some(stream.map(|stream| Accepted::new(stream, &inner.open_connections)))
                });
                stop.run_until_cancelled(router.serve_with_incoming(listener)).await
            });
            runtime.shutdown_background();
        });
        node
    }

    /// From now on it does this about messages.
    pub(crate) fn does(&self, script: impl FnMut(&v1::CheckStreamRequest) -> Said + Send + 'static) {
        *self.inner.script.lock().unwrap() = Box::new(script);
    }

    /// From now on it says this to peeks, refunds and resets.
    pub(crate) fn says(&self, unary: impl FnMut(&'static str) -> Result<(), Status> + Send + 'static) {
        *self.inner.unary.lock().unwrap() = Box::new(unary);
    }

    /// From now on it tells this.
    pub(crate) fn tells(&self, placement: v1::PlacementUpdate) {
        self.inner.placement.send_replace(placement);
    }

    /// From now on a watch ends behind its first update.
    pub(crate) fn ends_watches(&self) {
        *self.inner.updates_max.lock().unwrap() = 1;
    }

    /// The messages that came.
    pub(crate) fn seen(&self) -> Vec<v1::CheckStreamRequest> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// The peeks, refunds and resets that came.
    pub(crate) fn asked(&self) -> Vec<&'static str> {
        self.inner.asked.lock().unwrap().iter().copied().filter(|what| *what != "watch").collect()
    }

    /// How many watches were opened.
    pub(crate) fn watches(&self) -> usize {
        self.inner.asked.lock().unwrap().iter().filter(|what| **what == "watch").count()
    }

    /// Resolves when so many streams of checks are open.
    pub(crate) async fn has_streams(&self, count: usize) {
        becomes(&self.inner.streams, count).await;
    }

    /// Resolves when so many watches of the placement are open.
    pub(crate) async fn has_watchers(&self, count: usize) {
        becomes(&self.inner.watchers, count).await;
    }

    /// How many connections are open.
    pub(crate) fn open_connections(&self) -> usize {
        self.inner.open_connections.load(Ordering::Relaxed)
    }

    /// How many connections it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::Relaxed)
    }

    /// Stops as a process that was killed: connections are closed, the port is free.
    pub(crate) fn stop(&self) {
        self.inner.stop.cancel();
    }

    pub(crate) fn endpoint(&self) -> String {
        self.address.to_string()
    }
}

async fn becomes(counted: &watch::Sender<usize>, count: usize) {
    let mut counted = counted.subscribe();
    let wanted = counted.wait_for(|counted| *counted == count);
    tokio::time::timeout(Duration::from_secs(5), wanted).await.unwrap().unwrap();
}

#[derive(Clone)]
struct Service {
    inner: std::sync::Weak<Inner>,
}

/// Counts a stream for as long as it lives.
struct Counted(std::sync::Weak<Inner>, fn(&Inner) -> &watch::Sender<usize>);

impl Counted {
    fn new(inner: &Arc<Inner>, counter: fn(&Inner) -> &watch::Sender<usize>) -> Self {
        counter(inner).send_modify(|streams| *streams += 1);
        Self(Arc::downgrade(inner), counter)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            (self.1)(&inner).send_modify(|streams| *streams -= 1);
        }
    }
}

impl Service {
    fn inner(&self) -> Result<Arc<Inner>, Status> {
        self.inner.upgrade().ok_or_else(|| Status::unavailable("it has stopped"))
    }

    fn unary(&self, what: &'static str) -> Result<(), Status> {
        let inner = self.inner()?;
        inner.asked.lock().unwrap().push(what);
        let mut unary = inner.unary.lock().unwrap();
        unary(what)
    }
}

#[tonic::async_trait]
impl RateLimit for Service {
    type CheckStreamStream = Replies<v1::CheckStreamResponse>;

    async fn check_stream(
        &self,
        request: Request<Streaming<v1::CheckStreamRequest>>,
    ) -> Result<Response<Self::CheckStreamStream>, Status> {
        let (inner, weak) = (self.inner()?, self.inner.clone());
        let counted = Counted::new(&inner, |inner| &inner.streams);
        let (answers, stream) = mpsc::channel(64);
        let mut messages = request.into_inner();
        tokio::spawn(async move {
            let _counted = counted;
            while let Ok(Some(message)) = messages.message().await {
                let Some(inner) = weak.upgrade() else { return };
                let said = (inner.script.lock().unwrap())(&message);
                inner.seen.lock().unwrap().push(message);
                let answer = match said {
                    Said::Answer(answer) => Ok(answer),
                    Said::Silence => continue,
                    Said::Cut => Err(Status::unavailable("cut")),
                };
                let is_end = answer.is_err();
                if answers.send(answer).await.is_err() || is_end {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn check(&self, request: Request<v1::CheckRequest>) -> Result<Response<v1::Decision>, Status> {
        assert!(request.get_ref().peek, "only looks take this way");
        self.unary("peek")?;
        Ok(Response::new(v1::Decision { allowed: true, limit: 10, remaining: 7, ..v1::Decision::default() }))
    }

    async fn check_batch(&self, _: Request<v1::CheckBatchRequest>) -> Result<Response<v1::CheckBatchResponse>, Status> {
        Err(Status::unimplemented("no client of ours asks this"))
    }

    async fn reset(&self, _: Request<v1::ResetRequest>) -> Result<Response<v1::ResetResponse>, Status> {
        self.unary("reset")?;
        Ok(Response::new(v1::ResetResponse {}))
    }

    async fn refund(&self, _: Request<v1::RefundRequest>) -> Result<Response<v1::RefundResponse>, Status> {
        self.unary("refund")?;
        Ok(Response::new(v1::RefundResponse {}))
    }
}

#[tonic::async_trait]
impl PlacementService for Service {
    type WatchStream = Replies<v1::PlacementUpdate>;

    async fn watch(&self, _: Request<v1::WatchPlacementRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let inner = self.inner()?;
        inner.asked.lock().unwrap().push("watch");
        let updates = WatchStream::new(inner.placement.subscribe());
        let most = *inner.updates_max.lock().unwrap();
        let counted = Counted::new(&inner, |inner| &inner.watchers);
        let updates = updates.map(move |update| {
            let _held = &counted;
            Ok(update)
        });
        Ok(Response::new(Box::pin(updates.take(most))))
    }
}

/// A placement with one shard.
pub(crate) fn placed(revision: u64, nodes: &[(&str, SocketAddr)], owner: &str, epoch: u64) -> v1::PlacementUpdate {
    let node = |(id, address): &(&str, SocketAddr)| v1::PlacementNode {
        id: (*id).to_owned(),
        generation: 1,
        addresses: Some(v1::NodeAddresses { grpc: address.to_string(), ..v1::NodeAddresses::default() }),
        ..v1::PlacementNode::default()
    };
    v1::PlacementUpdate {
        revision,
        whole: true,
        shard_count: 1,
        nodes: nodes.iter().map(node).collect(),
        seats: vec![v1::Seat {
            shard: 0,
            epoch,
            node: owner.to_owned(),
            generation: 1,
            cold: false,
            ..v1::Seat::default()
        }],
        ..v1::PlacementUpdate::default()
    }
}

/// Two nodes, of which n1 owns the shard, and a limiter over both.
pub(crate) async fn two_nodes(connect: impl FnOnce(Connect) -> Connect) -> (Node, Node, RateLimiter) {
    let (one, two) = (Node::start().await, Node::start().await);
    let nodes = [("n1", one.address), ("n2", two.address)];
    one.tells(placed(5, &nodes, "n1", 3));
    two.tells(placed(5, &nodes, "n1", 3));
    let limiter = connect(Connect::new([one.endpoint(), two.endpoint()])).connect().await.unwrap();
    (one, two, limiter)
}

/// The checks of a message, each allowed.
pub(crate) fn allow(message: &v1::CheckStreamRequest) -> v1::CheckStreamResponse {
    let count = message.id_lengths.len() as u64;
    v1::CheckStreamResponse {
        number: message.number,
        outcomes: vec![0x81; message.id_lengths.len()].into(),
        limits: vec![10; message.id_lengths.len()],
        remaining: (0..count).collect(),
        window_nanos: vec![60_000_000_000; message.id_lengths.len()],
        ..v1::CheckStreamResponse::default()
    }
}

/// The checks of a message, each refused like this.
pub(crate) fn refuse(message: &v1::CheckStreamRequest, refusal: &v1::Refusal) -> v1::CheckStreamResponse {
    let refusals = (0..).zip(&message.id_lengths).map(|(index, _)| v1::Refusal { index, ..refusal.clone() });
    let refusals = refusals.collect();
    v1::CheckStreamResponse { number: message.number, refusals, ..v1::CheckStreamResponse::default() }
}

pub(crate) fn not_owner(owner: &str, epoch: u64) -> v1::Refusal {
    let kind = v1::RefusalKind::NotOwner.into();
    v1::Refusal { kind, epoch, owner: owner.to_owned(), message: "not the owner".to_owned(), ..Default::default() }
}

/// What a word on `policy` travels as.
pub(crate) fn with_class(mut answer: v1::CheckStreamResponse, class: v1::OnUnavailable) -> v1::CheckStreamResponse {
    let class = u8::try_from(i32::from(class)).unwrap();
    answer.on_unavailable = vec![class; answer.outcomes.len()].into();
    answer
}

pub(crate) fn request(client: &str) -> CheckRequest<'_> {
    CheckRequest::new(client.as_bytes()).unwrap()
}

pub(crate) async fn check(limiter: &RateLimiter, client: &str) -> Decision {
    limiter.check(request(client)).await.unwrap()
}

/// What came of it, and how long it took.
pub(crate) async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let since = Instant::now();
    let done = tokio::time::timeout(Duration::from_secs(20), work).await.unwrap();
    (done, since.elapsed())
}

/// How often each number came, by session.
pub(crate) fn numbers(node: &Node) -> BTreeMap<u64, usize> {
    let mut numbers = BTreeMap::new();
    for message in node.seen() {
        *numbers.entry(message.number).or_default() += 1;
    }
    numbers
}
