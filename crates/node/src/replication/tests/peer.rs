//! A peer over real connections: a letterbox behind a gRPC server, which can be torn down in the middle of everything, or one that says what
//! a test tells it to.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::sync::Arc;

use drl_core::{Nanos, NodeId};
use drl_engine::ownership::Holder;
use drl_engine::replication::{Body, Letter};
use drl_host::{Stopped, clock};
use drl_membership::{Node, NodeAddresses, Placement};
use drl_proto::v1;
use drl_proto::v1::peer_server::{Peer, PeerServer};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, empty};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::{DEADLINE, holder};
use crate::grpc::replication::{Letterbox, Responses};
use crate::metrics::Replicated;
use crate::replication::{Addressee, Outbox, Replication, Sending};

/// What an addressee was told.
#[derive(Debug)]
pub(super) enum Told {
    Letter(Letter),
    Refused(Holder),
}

pub(super) struct FakeHost(pub(super) mpsc::UnboundedSender<Told>);

impl Addressee for FakeHost {
    fn receive(&self, letter: Letter) -> Result<(), Stopped> {
        self.0.send(Told::Letter(letter)).map_err(|_| Stopped { reason: "the disk is full".into() })
    }

    fn is_refused(&self, by: &Holder) {
        let _ = self.0.send(Told::Refused(by.clone()));
    }
}

pub(super) struct TestPeer {
    pub(super) address: SocketAddr,
    pub(super) told: mpsc::UnboundedReceiver<Told>,
    pub(super) counts: Arc<Replicated>,
    runtime: Option<Runtime>,
}

/// How a peer takes letters.
enum Service {
    Letterbox(Arc<Letterbox>),
    /// It welcomes every stream and reads nothing.
    Unread(mpsc::UnboundedSender<Streaming<v1::ReplicateRequest>>),
}

impl TestPeer {
    /// Node `name` of cluster `test`.
    pub(super) fn start(name: &str) -> Self {
        Self::start_at(name, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    pub(super) fn start_at(name: &str, address: SocketAddr) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let counts = Arc::<Replicated>::default();
        let named = ("test".into(), NodeId::new(name).unwrap());
        let letterbox = Letterbox::new(named, Arc::new(FakeHost(tell)), Arc::clone(&counts));
        let (address, runtime) = serve(address, Service::Letterbox(Arc::new(letterbox)));
        Self { address, told, counts, runtime: Some(runtime) }
    }

    /// The next letter.
    pub(super) async fn letter(&mut self) -> Letter {
        match timeout(DEADLINE, self.told.recv()).await.unwrap().unwrap() {
            Told::Letter(letter) => letter,
            refused @ Told::Refused(_) => unreachable!("{refused:?}"),
        }
    }

    pub(super) async fn body(&mut self) -> Body {
        self.letter().await.body
    }

    /// Everything is closed, as when the process ends.
    pub(super) fn kill(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for TestPeer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A peer that welcomes streams and reads nothing of them.
pub(super) struct UnreadPeer {
    pub(super) address: SocketAddr,
    _streams: mpsc::UnboundedReceiver<Streaming<v1::ReplicateRequest>>,
    runtime: Option<Runtime>,
}

impl UnreadPeer {
    pub(super) fn start() -> Self {
        let (sender, streams) = mpsc::unbounded_channel();
        let (address, runtime) = serve(SocketAddr::from(([127, 0, 0, 1], 0)), Service::Unread(sender));
        Self { address, _streams: streams, runtime: Some(runtime) }
    }
}

impl Drop for UnreadPeer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Takes an address, as soon as a peer that was killed has left it.
fn bind(address: SocketAddr) -> StdListener {
    let until = clock::monotonic().0 + Nanos::from_secs(30).0;
    loop {
        match StdListener::bind(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && clock::monotonic().0 < until => {
                std::thread::yield_now();
            }
            bound => return bound.unwrap(),
        }
    }
}

fn serve(address: SocketAddr, service: Service) -> (SocketAddr, Runtime) {
    let listener = bind(address);
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _inside = runtime.enter();
    let incoming = TcpListenerStream::new(TcpListener::from_std(listener).unwrap());
    let server = PeerServer::new(service).max_decoding_message_size(drl_core::caps::GRPC_MESSAGE_BYTES_MAX);
    runtime.spawn(Server::builder().add_service(server).serve_with_incoming(incoming));
    (address, runtime)
}

#[tonic::async_trait]
impl Peer for Service {
    type ForwardStream = Pin<Box<dyn Stream<Item = Result<v1::ForwardResponse, Status>> + Send>>;
    type ReplicateStream = Responses;

    async fn forward(
        &self,
        _: Request<Streaming<v1::ForwardRequest>>,
    ) -> Result<Response<Self::ForwardStream>, Status> {
        Ok(Response::new(Box::pin(empty())))
    }

    async fn replicate(
        &self,
        request: Request<Streaming<v1::ReplicateRequest>>,
    ) -> Result<Response<Responses>, Status> {
        match self {
            Self::Letterbox(letterbox) => {
                Ok(Response::new(letterbox.open(request.into_inner(), CancellationToken::new()).await?))
            }
            Self::Unread(streams) => {
                let (told, responses) = mpsc::channel(1);
                told.send(Ok(v1::ReplicateResponse {})).await.unwrap();
                let streams = streams.clone();
                streams.send(request.into_inner()).unwrap();
                // The stream stays open for as long as its sender is there.
                tokio::spawn(async move { told.closed().await });
                Ok(Response::new(Box::pin(ReceiverStream::new(responses))))
            }
        }
    }
}

/// A sender of node `me`.
pub(super) struct TestSender {
    pub(super) letters: mpsc::Sender<Letter>,
    pub(super) placement: watch::Sender<Arc<Placement>>,
    pub(super) told: mpsc::UnboundedReceiver<Told>,
    pub(super) counts: Arc<Replicated>,
    pub(super) replication: Replication,
}

struct TestOutbox(mpsc::Receiver<Letter>);

impl Outbox for TestOutbox {
    async fn next(&mut self) -> Option<Letter> {
        self.0.recv().await
    }
}

impl TestSender {
    /// One that knows where these nodes are.
    pub(super) fn start(at: &[(&str, SocketAddr)]) -> Self {
        let (placement, placed) = watch::channel(placed(at));
        let (letters, outbox) = mpsc::channel(1);
        let (tell, told) = mpsc::unbounded_channel();
        let counts = Arc::<Replicated>::default();
        let replication = Replication::start(Sending {
            cluster: "test".into(),
            placement: placed,
            outbox: TestOutbox(outbox),
            addressee: Arc::new(FakeHost(tell)),
            counts: Arc::clone(&counts),
        });
        Self { letters, placement, told, counts, replication: replication.unwrap() }
    }

    pub(super) async fn send(&self, to: &str, body: Body) {
        timeout(DEADLINE, self.letters.send(super::letter(to, body))).await.unwrap().unwrap();
    }

    /// Whose connection was refused.
    pub(super) async fn refused(&mut self) -> Holder {
        match timeout(DEADLINE, self.told.recv()).await.unwrap().unwrap() {
            Told::Refused(by) => by,
            letter @ Told::Letter(_) => unreachable!("{letter:?}"),
        }
    }
}

/// A placement in which these nodes are there.
pub(super) fn placed(at: &[(&str, SocketAddr)]) -> Arc<Placement> {
    let node = |(name, address): &(&str, SocketAddr)| {
        let addresses = NodeAddresses { grpc: address.to_string(), ..NodeAddresses::default() };
        let Holder { generation, node } = holder(name);
        (node, Node { generation, addresses, version: String::new(), draining: false })
    };
    Arc::new(Placement { nodes: at.iter().map(node).collect(), ..Placement::default() })
}
