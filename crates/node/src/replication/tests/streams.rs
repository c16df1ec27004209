//! A letterbox, asked by hand: what a peer of another version, another cluster, or with a fault may send.

use std::net::SocketAddr;

use drl_core::caps::{GRPC_MESSAGE_BYTES_MAX, REPLICATION_FRAME_BYTES_MAX};
use drl_engine::replication::Body;
use drl_proto::v1;
use drl_proto::v1::letter;
use drl_proto::v1::peer_client::PeerClient;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::peer::{TestPeer, Told};
use super::{DEADLINE, beat, holder, letter};
use crate::metrics::ReplicationEvent as Event;
use crate::replication::VERSION;
use crate::replication::waiting::Waiting;

fn hello(cluster: &str, node: &str, version: u32) -> v1::ReplicateRequest {
    let to = v1::PeerName { cluster: cluster.to_owned(), node: node.to_owned() };
    let hello = v1::ReplicateHello { to: Some(to), version };
    v1::ReplicateRequest { hello: Some(hello), ..v1::ReplicateRequest::default() }
}

/// A message with a beat and one more letter.
fn message(second: Option<letter::Body>) -> v1::ReplicateRequest {
    let mut waiting = Waiting::default();
    waiting.put(holder("me"), beat(1));
    let mut message = waiting.take(&holder("peer")).unwrap();
    message.letters.push(v1::Letter { body: second });
    message
}

fn part(length: u64, bytes: usize) -> letter::Body {
    letter::Body::Frame(letter::FramePart { stream: 1, number: 1, length, part: vec![7; bytes].into() })
}

async fn open(
    to: SocketAddr,
    first: v1::ReplicateRequest,
) -> Result<(mpsc::Sender<v1::ReplicateRequest>, Streaming<v1::ReplicateResponse>), Status> {
    let (messages, stream) = mpsc::channel(8);
    messages.send(first).await.unwrap();
    let mut client = PeerClient::connect(format!("http://{to}")).await.unwrap();
    let mut responses = client.replicate(ReceiverStream::new(stream)).await?.into_inner();
    assert_eq!(responses.message().await?, Some(v1::ReplicateResponse {}));
    Ok((messages, responses))
}

/// Why a stream ended.
async fn ended(responses: &mut Streaming<v1::ReplicateResponse>) -> Option<Status> {
    timeout(DEADLINE, responses.message()).await.unwrap().err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_for_somebody_else_or_in_another_version_is_refused_before_anything_is_taken() {
    let mut peer = TestPeer::start("peer");
    let not_first = v1::ReplicateRequest { hello: None, ..hello("", "", VERSION) };
    for (first, code, says) in [
        (
            hello("test", "other", VERSION),
            Code::FailedPrecondition,
            "node peer of cluster test is here, not node other",
        ),
        (hello("prod", "peer", VERSION), Code::FailedPrecondition, "not node peer of cluster prod"),
        (hello("test", "peer", 1), Code::FailedPrecondition, "version 2 of replication and not version 1"),
        (hello("test", "peer", 0), Code::FailedPrecondition, "not version 0"),
        (not_first, Code::InvalidArgument, "whom it is for"),
        (message(None), Code::InvalidArgument, "whom it is for"),
    ] {
        let with_letters = v1::ReplicateRequest { letters: message(None).letters, ..first };
        let refused = open(peer.address, with_letters).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.message().contains(says), "{refused}");
    }
    assert!(peer.told.try_recv().is_err());
    let counts = [Event::OtherName, Event::OtherVersion, Event::Malformed].map(|event| peer.counts.count(event));
    assert_eq!(counts, [2, 2, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_makes_no_sense_ends_its_stream_and_no_other() {
    let mut peer = TestPeer::start("peer");
    let (steady, _steady) = open(peer.address, hello("test", "peer", VERSION)).await.unwrap();
    let no_lifetime = v1::ReplicateRequest { from: None, ..message(None) };
    let too_long = REPLICATION_FRAME_BYTES_MAX as u64 + 1;
    for (bad, says) in [
        (no_lifetime, "which lifetime"),
        (message(None), "nothing that this version knows"),
        (message(Some(part(too_long, 1))), "a frame has 268435457 bytes"),
        (message(Some(part(2, 3))), "the parts of a frame have 3 bytes"),
        (message(Some(part(1_000_000, GRPC_MESSAGE_BYTES_MAX))), "too large"),
    ] {
        let (messages, mut responses) = open(peer.address, hello("test", "peer", VERSION)).await.unwrap();
        messages.send(bad).await.unwrap();
        let status = ended(&mut responses).await.unwrap();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains(says), "{status}");
    }
    assert_eq!(peer.counts.count(Event::Malformed), 5);
    assert!(peer.told.try_recv().is_err(), "nothing of such a message is taken");
    let mut good = message(None);
    good.letters.pop();
    steady.send(good).await.unwrap();
    assert_eq!(peer.letter().await, letter("peer", beat(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_breaks_off_is_no_fault_and_what_it_had_begun_is_forgotten() {
    let mut peer = TestPeer::start("peer");
    for _ in 0..3 {
        let (messages, responses) = open(peer.address, hello("test", "peer", VERSION)).await.unwrap();
        messages.send(message(Some(part(10, 4)))).await.unwrap();
        assert_eq!(peer.body().await, beat(1));
        drop((messages, responses));
    }
    let (messages, mut responses) = open(peer.address, hello("test", "peer", VERSION)).await.unwrap();
    for bytes in [4, 6] {
        messages.send(message(Some(part(10, bytes)))).await.unwrap();
        assert_eq!(peer.body().await, beat(1));
    }
    let Body::Frame(whole) = peer.body().await else { unreachable!("the frame is complete") };
    assert_eq!(&whole.payload[..], [7; 10]);
    assert_eq!(peer.counts.count(Event::Malformed), 0);
    drop(messages);
    assert!(ended(&mut responses).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_stopped_says_so() {
    let mut peer = TestPeer::start("peer");
    let (messages, mut responses) = open(peer.address, hello("test", "peer", VERSION)).await.unwrap();
    messages.send(message(Some(part(1, 1)))).await.unwrap();
    assert!(matches!(peer.told.recv().await, Some(Told::Letter(_))));
    peer.told.close();
    messages.send(message(Some(part(1, 1)))).await.unwrap();
    let status = ended(&mut responses).await.unwrap();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the disk is full"));
}
