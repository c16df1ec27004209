//! The service between nodes, asked by hand: what a peer of another version, another cluster, or with a fault may send.

use std::time::Duration;

use drl_proto::v1;
use drl_proto::v1::forwarded_answer::Answer;
use drl_proto::v1::peer_client::PeerClient;
use drl_proto::v1::{ForwardedAction as Action, RefusalKind as Kind};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tonic::{Code, Status, Streaming};

use super::support::{Trio, clients_of, shard};
use crate::support::{Running, start};

/// Sends messages to a node; the first one says whom they are for.
async fn send(
    node: &Running,
    (cluster, id): (&str, &str),
    mut messages: Vec<v1::ForwardRequest>,
) -> Result<Streaming<v1::ForwardResponse>, Status> {
    messages[0].to = Some(v1::PeerName { cluster: cluster.to_owned(), node: id.to_owned() });
    let mut client = PeerClient::connect(format!("http://{}", node.addresses.grpc)).await.unwrap();
    Ok(client.forward(tokio_stream::iter(messages)).await?.into_inner())
}

fn message(number: u64, checks: Vec<v1::ForwardedCheck>) -> v1::ForwardRequest {
    v1::ForwardRequest { number, checks, to: None }
}

fn check(client: &str, action: Action) -> v1::ForwardedCheck {
    v1::ForwardedCheck {
        namespace: "default".to_owned(),
        client_id: client.as_bytes().to_vec().into(),
        cost: 1,
        action: action.into(),
        ..v1::ForwardedCheck::default()
    }
}

fn refusal(answer: &v1::ForwardedAnswer) -> &v1::Refusal {
    let Some(Answer::Refusal(refusal)) = &answer.answer else { unreachable!("{answer:?}") };
    refusal
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_for_somebody_else_is_refused() {
    let trio = Trio::start().await;
    for to in [("trio", "n1"), ("other", "n0"), ("", "")] {
        let refused = send(trio.node(0), to, vec![message(0, Vec::new())]).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    }
    let mut client = PeerClient::connect(format!("http://{}", trio.node(0).addresses.grpc)).await.unwrap();
    let unsaid = client.forward(tokio_stream::iter([message(0, Vec::new())])).await.unwrap_err();
    assert_eq!(unsaid.code(), Code::InvalidArgument);
    let dir = TempDir::new().unwrap();
    let alone = start(&dir).await;
    let unknown = send(&alone, ("", "test"), vec![message(0, Vec::new())]).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unimplemented, "a node that stands alone has no peers");
    alone.stop().await;
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_check_is_decided_here_or_refused_and_never_passed_on() {
    let trio = Trio::start().await;
    trio.set_default(r#"{"limits":[{"requests":5,"window":"1h"}]}"#).await;
    let [mine, other] = [0, 1].map(|node| clients_of(node).next().unwrap());
    let later = v1::ForwardedCheck { epoch: 9, ..check(&mine, Action::Charge) };
    let checks = vec![check(&mine, Action::Charge), check(&other, Action::Charge), later, check(&mine, Action::Peek)];
    let changes = vec![check(&mine, Action::Refund), check(&other, Action::Reset)];
    let messages = vec![message(7, checks), message(8, changes)];
    let mut answers = send(trio.node(0), ("trio", "n0"), messages).await.unwrap();
    let decided = answers.message().await.unwrap().unwrap();
    assert_eq!((decided.number, decided.answers.len()), (7, 4));
    let Some(Answer::Decision(decision)) = &decided.answers[0].answer else { unreachable!("{decided:?}") };
    assert_eq!((decision.allowed, decision.remaining, decision.window_nanos), (true, 4, 3_600_000_000_000));
    let not_owner = refusal(&decided.answers[1]);
    assert_eq!((not_owner.kind(), &*not_owner.owner, not_owner.epoch), (Kind::NotOwner, "n1", 1));
    assert_eq!(not_owner.shard, u32::from(shard(&other).get()));
    assert_eq!(refusal(&decided.answers[2]).kind(), Kind::Behind);
    let done = answers.message().await.unwrap().unwrap();
    assert!(matches!(done.answers[0].answer, Some(Answer::Done(_))), "{done:?}");
    assert_eq!(refusal(&done.answers[1]).kind(), Kind::NotOwner);
    assert!(answers.message().await.unwrap().is_none(), "the stream ends with its requests");
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_read_its_answers_is_not_read_from() {
    const CHECKS: usize = 1_024;
    const LIMIT: u64 = 9_000_000;
    let trio = Trio::start().await;
    trio.set_default(r#"{"limits":[{"requests":9000000,"window":"1h"}]}"#).await;
    let mine = clients_of(0).next().unwrap();
    // A small window, so that it is full after an answer or two.
    let endpoint = Endpoint::from_shared(format!("http://{}", trio.node(0).addresses.grpc)).unwrap();
    let endpoint = endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
    let (messages, waiting) = mpsc::channel(1);
    let to = v1::PeerName { cluster: "trio".to_owned(), node: "n0".to_owned() };
    messages.send(v1::ForwardRequest { to: Some(to), ..message(0, Vec::new()) }).await.unwrap();
    let mut silent = PeerClient::new(endpoint.connect().await.unwrap());
    let mut answers = silent.forward(ReceiverStream::new(waiting)).await.unwrap().into_inner();
    let mut sent = 0;
    let large = |number| message(number, vec![check(&mine, Action::Charge); CHECKS]);
    while timeout(Duration::from_secs(2), messages.send(large(sent))).await.is_ok_and(|sent| sent.is_ok()) {
        sent += 1;
        assert!(sent < 5_000, "nothing stops it");
    }
    let mut other =
        send(trio.node(0), ("trio", "n0"), vec![message(1, vec![check(&mine, Action::Peek)])]).await.unwrap();
    let looked = other.message().await.unwrap().unwrap();
    let Some(Answer::Decision(decision)) = &looked.answers[0].answer else { unreachable!("{looked:?}") };
    // What a stream may hold, what its window took, and a message that waits for room.
    let charged = LIMIT - decision.remaining;
    assert!(charged <= 8_192 + 4 * CHECKS as u64, "{charged} were decided of {sent} messages");
    // It reads at last.
    drop(messages);
    let mut answered = 0;
    while let Some(answer) = timeout(Duration::from_secs(20), answers.message()).await.unwrap().unwrap() {
        answered += answer.answers.len();
    }
    assert_eq!(answered, usize::try_from(sent).unwrap() * CHECKS);
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_check_by_check_and_its_neighbours_do_not_notice() {
    let trio = Trio::start().await;
    trio.set_default(r#"{"limits":[{"requests":5,"window":"1h"}]}"#).await;
    let mine = clients_of(0).next().unwrap();
    let good = check(&mine, Action::Charge);
    let policy = v1::GivenPolicy { requests: 1, window_nanos: 1_000_000_000, burst: 1, durability: 0 };
    let throttled = v1::ForwardedCheck { namespace: "@throttle".to_owned(), policy: Some(policy), ..good.clone() };
    let impossible = v1::GivenPolicy { requests: 0, ..policy };
    let checks = vec![
        v1::ForwardedCheck { client_id: Vec::new().into(), ..good.clone() },
        v1::ForwardedCheck { namespace: String::new(), ..good.clone() },
        v1::ForwardedCheck { namespace: "a/b".to_owned(), ..good.clone() },
        v1::ForwardedCheck { cost: u64::MAX, ..good.clone() },
        v1::ForwardedCheck { action: 99, ..good.clone() },
        v1::ForwardedCheck { policy: Some(policy), ..good.clone() },
        v1::ForwardedCheck { policy: None, ..throttled.clone() },
        v1::ForwardedCheck { policy: Some(impossible), ..throttled },
        good.clone(),
    ];
    let wrong = checks.len() - 1;
    let too_many = message(2, vec![good; 1_025]);
    let mut answers = send(trio.node(0), ("trio", "n0"), vec![message(1, checks), too_many]).await.unwrap();
    let first = answers.message().await.unwrap().unwrap().answers;
    for answer in &first[..wrong] {
        assert_eq!(refusal(answer).kind(), Kind::Invalid, "{answer:?}");
    }
    assert!(matches!(&first[wrong].answer, Some(Answer::Decision(decision)) if decision.allowed), "{first:?}");
    assert_eq!(answers.message().await.unwrap_err().code(), Code::InvalidArgument);
    trio.stop().await;
}
