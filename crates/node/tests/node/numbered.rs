//! Numbered messages over real streams, and clients that do not read.

use std::time::Duration;

use drl_proto::v1;
use drl_proto::v1::rate_limit_client::RateLimitClient;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Streaming};

use crate::support::{Running, start};

const HUNDRED_PER_HOUR: &str = r#"{"limits":[{"requests":100,"window":"1h"}]}"#;

/// Longer than anything here takes; a test that reaches it hangs.
const DEADLINE: Duration = Duration::from_mins(1);

struct Stream {
    requests: mpsc::Sender<v1::CheckStreamRequest>,
    answers: Streaming<v1::CheckStreamResponse>,
}

impl Stream {
    async fn open(client: &mut RateLimitClient<Channel>) -> Self {
        let (requests, waiting) = mpsc::channel(1);
        let answers = client.check_stream(ReceiverStream::new(waiting)).await.unwrap().into_inner();
        Self { requests, answers }
    }

    async fn ask(&mut self, message: v1::CheckStreamRequest) -> v1::CheckStreamResponse {
        self.requests.send(message).await.unwrap();
        timeout(DEADLINE, self.answers.message()).await.unwrap().unwrap().unwrap()
    }
}

/// A check of `alice` for 1, in session `session`.
fn message(session: u8, number: u64, settled_below: u64) -> v1::CheckStreamRequest {
    v1::CheckStreamRequest {
        number,
        client_ids: "alice".into(),
        id_lengths: vec![5],
        session: vec![session; 16].into(),
        settled_below,
        ..v1::CheckStreamRequest::default()
    }
}

fn code(answer: &v1::CheckStreamResponse) -> Option<i32> {
    answer.error.as_ref().map(|error| error.code)
}

async fn connect(node: &Running) -> RateLimitClient<Channel> {
    // A small window, so that a client that does not read is noticed after a few answers.
    let endpoint = Endpoint::from_shared(format!("http://{}", node.addresses.grpc)).unwrap();
    let endpoint = endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
    RateLimitClient::new(endpoint.connect().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_sent_again_is_answered_as_it_was_and_charged_once() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    node.set_default(HUNDRED_PER_HOUR).await;
    let mut client = connect(&node).await;
    let (mut first, mut second) = (Stream::open(&mut client).await, Stream::open(&mut client).await);

    let answered = first.ask(message(1, 7, 7)).await;
    assert_eq!(answered.remaining, [99]);
    assert_eq!(first.ask(message(1, 7, 7)).await, answered, "over the same stream");
    assert_eq!(second.ask(message(1, 7, 7)).await, answered, "over another stream");
    assert_eq!(second.ask(message(1, 8, 8)).await.remaining, [98]);
    let late = first.ask(message(1, 7, 7)).await;
    assert_eq!(code(&late), Some(i32::from(Code::Aborted)), "it arrives after it was settled: {late:?}");
    let far = first.ask(message(1, 8 + 1_024, 8)).await;
    assert_eq!(code(&far), Some(i32::from(Code::InvalidArgument)), "{far:?}");

    let other = first.ask(message(2, 8, 8)).await;
    assert_eq!(code(&other), Some(i32::from(Code::InvalidArgument)), "a stream has one session: {other:?}");
    drop((first, second));
    let mut third = Stream::open(&mut client).await;
    assert_eq!(third.ask(message(1, 9, 9)).await.remaining, [97], "nothing else was charged");
    let forgotten = third.ask(message(1, 8, 8)).await;
    assert_eq!(code(&forgotten), Some(i32::from(Code::Aborted)), "the session outlives its streams: {forgotten:?}");
    assert_eq!(Stream::open(&mut client).await.ask(message(2, 1, 1)).await.remaining, [96], "another client's numbers");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_streams_that_send_the_same_number_at_once_get_one_decision() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    node.set_default(HUNDRED_PER_HOUR).await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(Stream::open(&mut connect(&node).await).await);
    }
    for number in 1..=25 {
        let [a, b, c, d] = &mut streams[..] else { unreachable!() };
        let ask = || message(1, number, number);
        let (a, b, c, d) = tokio::join!(a.ask(ask()), b.ask(ask()), c.ask(ask()), d.ask(ask()));
        assert_eq!((&a, &a, &a), (&b, &c, &d));
        assert_eq!(a.remaining, [100 - number]);
    }
    drop(streams);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_none_ends_its_stream() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut stream = Stream::open(&mut connect(&node).await).await;
    let short = v1::CheckStreamRequest { session: b"short"[..].into(), ..message(1, 1, 1) };
    stream.requests.send(short).await.unwrap();
    assert_eq!(stream.answers.message().await.unwrap_err().code(), Code::InvalidArgument);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_stopped_ended_and_harms_nobody() {
    const CHECKS: usize = 1_024;
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    node.set_default(r#"{"limits":[{"requests":9000000,"window":"1h"}]}"#).await;
    let mut silent = Stream::open(&mut connect(&node).await).await;
    let large = |number| v1::CheckStreamRequest {
        number,
        client_ids: vec![b'a'; CHECKS].into(),
        id_lengths: vec![1; CHECKS],
        ..v1::CheckStreamRequest::default()
    };
    let mut sent = 0;
    while timeout(Duration::from_secs(2), silent.requests.send(large(sent))).await.is_ok_and(|sent| sent.is_ok()) {
        sent += 1;
        assert!(sent < 5_000, "nothing stops it");
    }
    let mut other = Stream::open(&mut connect(&node).await).await;
    assert_eq!(other.ask(large(1)).await.outcomes.len(), CHECKS, "others are served meanwhile");
    // Decided is what the stream may hold, what its client's window of 64 KiB took, and one message of the other client.
    let probe =
        v1::CheckStreamRequest { client_ids: "a".into(), id_lengths: vec![1], ..v1::CheckStreamRequest::default() };
    let charged = 9_000_000 - other.ask(probe).await.remaining[0];
    assert!(charged <= 8_192 + 6 * CHECKS as u64, "{charged} were decided of {sent} messages");

    let mut looks = 0;
    while !node.http("GET /metrics", "").await.1.contains("drl_streams_unread_total 1") {
        looks += 1;
        assert!(looks < 300, "it was not ended");
        let _ = timeout(Duration::from_millis(100), std::future::pending::<()>()).await;
    }
    let end = loop {
        match timeout(DEADLINE, silent.answers.message()).await.unwrap() {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    assert_eq!(end.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!(other.ask(large(2)).await.outcomes.len(), CHECKS);
    node.stop().await;
}
