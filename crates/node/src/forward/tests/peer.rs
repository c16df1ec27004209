//! A peer that does what a test says: it shows the messages that it gets and answers when it is told to.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use drl_core::{Generation, NodeId};
use drl_proto::v1;
use drl_proto::v1::forwarded_answer::Answer;
use drl_proto::v1::peer_server::{Peer, PeerServer};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::DEADLINE;
use drl_membership::{Node, NodeAddresses, Placement};

type Reply = Result<v1::ForwardResponse, Status>;

pub(super) struct ScriptedPeer {
    pub(super) address: String,
    messages: mpsc::Receiver<v1::ForwardRequest>,
    /// The stream that came last.
    replies: Arc<Mutex<Option<mpsc::Sender<Reply>>>>,
    held: Vec<v1::ForwardRequest>,
}

struct Service {
    messages: mpsc::Sender<v1::ForwardRequest>,
    replies: Arc<Mutex<Option<mpsc::Sender<Reply>>>>,
    refusal: Option<&'static str>,
}

impl ScriptedPeer {
    pub(super) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// One that says that it is not who it should be.
    pub(super) async fn start_refusing(refusal: &'static str) -> Self {
        Self::start_with(Some(refusal)).await
    }

    async fn start_with(refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, messages) = mpsc::channel(1_000);
        let replies = Arc::new(Mutex::new(None));
        let service = Service { messages: sender, replies: Arc::clone(&replies), refusal };
        let server = Server::builder().add_service(PeerServer::new(service));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { address, messages, replies, held: Vec::new() }
    }

    /// The next message.
    pub(super) async fn message(&mut self) -> v1::ForwardRequest {
        timeout(DEADLINE, self.messages.recv()).await.unwrap().unwrap()
    }

    /// Takes a message and keeps its answer back.
    pub(super) async fn hold(&mut self) {
        let message = self.message().await;
        self.held.push(message);
    }

    pub(super) async fn answer_held(&mut self) {
        for message in std::mem::take(&mut self.held) {
            self.answer(&message).await;
        }
    }

    pub(super) async fn answer_held_first(&mut self) {
        let message = self.held.remove(0);
        self.answer(&message).await;
    }

    /// Answers each check with the number of its client.
    pub(super) async fn answer(&self, message: &v1::ForwardRequest) {
        self.say(message.number, message.checks.iter().map(answer).collect()).await;
    }

    pub(super) async fn say(&self, number: u64, answers: Vec<v1::ForwardedAnswer>) {
        let replies = self.replies.lock().unwrap().clone().unwrap();
        replies.send(Ok(v1::ForwardResponse { number, answers })).await.unwrap();
    }

    /// Ends the stream with an error.
    pub(super) async fn break_off(&self) {
        let replies = self.replies.lock().unwrap().take().unwrap();
        replies.send(Err(Status::aborted("broken off"))).await.unwrap();
    }
}

/// A way to a peer on which everything stands still at a word, connections included: what a frozen process looks like.
pub(super) struct Relay {
    pub(super) address: String,
    frozen: CancellationToken,
}

impl Relay {
    pub(super) async fn to(peer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (frozen, peer) = (CancellationToken::new(), peer.to_owned());
        let stand_still = frozen.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (peer, stand_still) = (peer.clone(), stand_still.clone());
                tokio::spawn(async move {
                    let pass_on = async {
                        let mut far = TcpStream::connect(&peer).await?;
                        copy_bidirectional(&mut near, &mut far).await
                    };
                    if stand_still.run_until_cancelled(pass_on).await.is_none() {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { address, frozen }
    }

    pub(super) fn freeze(&self) {
        self.frozen.cancel();
    }
}

/// A decision whose limit is the number of the client.
pub(super) fn answer(check: &v1::ForwardedCheck) -> v1::ForwardedAnswer {
    let limit = std::str::from_utf8(&check.client_id).unwrap().parse().unwrap();
    let decision = v1::Decision { allowed: true, limit, ..v1::Decision::default() };
    v1::ForwardedAnswer { answer: Some(Answer::Decision(decision)) }
}

#[tonic::async_trait]
impl Peer for Service {
    type ForwardStream = Pin<Box<dyn Stream<Item = Reply> + Send>>;

    async fn forward(
        &self,
        request: Request<Streaming<v1::ForwardRequest>>,
    ) -> Result<Response<Self::ForwardStream>, Status> {
        if let Some(refusal) = self.refusal {
            return Err(Status::failed_precondition(refusal));
        }
        let mut requests = request.into_inner();
        let hello = requests.message().await?.unwrap();
        let to = hello.to.unwrap();
        assert_eq!((&*to.cluster, &*to.node, hello.checks.len()), ("test", "peer", 0));
        let (replies, stream) = mpsc::channel(1_000);
        replies.send(Ok(v1::ForwardResponse { number: hello.number, answers: Vec::new() })).await.unwrap();
        *self.replies.lock().unwrap() = Some(replies);
        let messages = self.messages.clone();
        tokio::spawn(async move {
            while let Ok(Some(message)) = requests.message().await {
                if messages.send(message).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    type ReplicateStream = Pin<Box<dyn Stream<Item = Result<v1::ReplicateResponse, Status>> + Send>>;

    async fn replicate(
        &self,
        _: Request<Streaming<v1::ReplicateRequest>>,
    ) -> Result<Response<Self::ReplicateStream>, Status> {
        Err(Status::unimplemented("only checks come here"))
    }
}

/// A placement in which `node` is at `address`.
pub(super) fn placement(node: &NodeId, address: &str) -> Arc<Placement> {
    let addresses = NodeAddresses { grpc: address.to_owned(), http: None, resp: None };
    let node_here = Node { generation: Generation(1), addresses, version: String::new(), draining: false };
    Arc::new(Placement { revision: 1, seats: Vec::new(), nodes: BTreeMap::from([(node.clone(), node_here)]) })
}

/// The address of a program that speaks something else.
pub(super) async fn garbage() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n").await;
        }
    });
    address
}

/// The address of a gRPC server without the service `Peer`.
pub(super) async fn without_peers() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (_, health) = tonic_health::server::health_reporter();
    let server = Server::builder().add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}
