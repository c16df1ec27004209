//! In front of an axum router, over HTTP/1.1.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::routing::get;
use drl_client::CheckError;
use drl_embedded::ConfigurationService as _;
use drl_tower::{FieldsOn, Header, PeerAddress, RateLimitLayer, WithoutClient};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{Always, limiter};

const TWO_A_MINUTE: &str = r#"{"limits":[{"requests":2,"window":"1m"}]}"#;
const KEY: &str = "x-api-key";

/// A server on a free port, until it is dropped.
struct Running(SocketAddr, JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.1.abort();
    }
}

fn app() -> Router {
    Router::new().route("/", get(|| async { "hello" })).route("/heavy", get(|| async { "done" }))
}

async fn serve(app: Router) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    Running(address, tokio::spawn(async move { axum::serve(listener, service).await.unwrap() }))
}

impl Running {
    /// The answer to a request: status, head in lower case, body.
    async fn get(&self, path: &str, headers: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.0).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(Duration::from_mins(1), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }

    async fn statuses(&self, path: &str, headers: &str, times: usize) -> Vec<u16> {
        let mut statuses = Vec::new();
        for _ in 0..times {
            statuses.push(self.get(path, headers).await.0);
        }
        statuses
    }
}

#[tokio::test]
async fn what_is_over_the_limit_is_told_so_and_does_not_reach_the_service() {
    let (limiter, limits, _dir) = limiter(TWO_A_MINUTE);
    let layer =
        RateLimitLayer::new(limiter, Header::named(KEY)).policies(move |key| limits.get(key).map(|found| found.policy));
    let server = serve(app().layer(layer)).await;
    let alice = "X-Api-Key: alice\r\n";
    let (status, head, body) = server.get("/", alice).await;
    assert_eq!((status, body.as_str()), (200, "hello"));
    assert!(head.contains("ratelimit-policy: \"default\";q=2;w=60\r\n"), "{head}");
    assert!(head.contains("ratelimit: \"default\";r=1;t="), "{head}");
    assert!(!head.contains("retry-after"), "{head}");
    assert_eq!(server.get("/", alice).await.0, 200);
    let (status, head, body) = server.get("/", alice).await;
    assert_eq!(status, 429);
    let after = |name: &str| -> u64 {
        let (_, rest) = head.split_once(name).unwrap();
        rest.split("\r\n").next().unwrap().trim().parse().unwrap()
    };
    let (retry_after, more_after) = (after("retry-after:"), after("ratelimit: \"default\";r=0;t="));
    assert!(retry_after >= more_after && (1..=60).contains(&retry_after), "{head}");
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    assert!(body.contains("#quota-exceeded") && body.contains(r#""violated-policies":["default"]"#), "{body}");
    assert_eq!(server.get("/", "X-Api-Key: bob\r\n").await.0, 200, "another client");
}

#[tokio::test]
async fn several_limits_are_all_listed_where_the_policies_are_known() {
    let (limiter, limits, _dir) = limiter(r#"{"limits":[{"requests":5,"window":"10s"},{"requests":9,"window":"1h"}]}"#);
    let layer =
        RateLimitLayer::new(limiter, Header::named(KEY)).policies(move |key| limits.get(key).map(|found| found.policy));
    let (_, head, _) = serve(app().layer(layer)).await.get("/", "X-Api-Key: alice\r\n").await;
    assert!(head.contains("ratelimit-policy: \"5-per-10s\";q=5;w=10, \"9-per-1h\";q=9;w=3600\r\n"), "{head}");
    assert!(head.contains("ratelimit: \"5-per-10s\";r=4;t="), "{head}");
}

#[tokio::test]
async fn who_names_no_client_gets_what_was_chosen_for_that() {
    let (limiter, _, _dir) = limiter(TWO_A_MINUTE);
    let layer = |rule| RateLimitLayer::new(limiter.clone(), Header::named(KEY)).without_client(rule);
    let (status, _, body) = serve(app().layer(layer(WithoutClient::default()))).await.get("/", "").await;
    assert_eq!(status, 400);
    assert!(body.contains("names no client"), "{body}");
    let passing = serve(app().layer(layer(WithoutClient::Pass))).await;
    assert_eq!(passing.statuses("/", "", 4).await, [200; 4]);
    let counted = serve(app().layer(layer(WithoutClient::CountAs("anonymous".to_owned())))).await;
    assert_eq!(counted.statuses("/", "", 3).await, [200, 200, 429]);
    let too_long = format!("X-Api-Key: {}\r\n", "x".repeat(257));
    assert_eq!(passing.get("/", &too_long).await.0, 400, "an impossible client is refused whatever was chosen");
}

#[tokio::test]
async fn a_request_costs_what_the_function_says_and_the_fields_can_be_left_out() {
    let (limiter, _, _dir) = limiter(r#"{"limits":[{"requests":5,"window":"1h"}]}"#);
    let layer = RateLimitLayer::new(limiter, |request: &Request| Some(request.uri().query()?.to_owned()))
        .cost(|request: &Request| if request.uri().path() == "/heavy" { 3 } else { 1 })
        .fields_on(FieldsOn::Denials);
    let server = serve(app().layer(layer)).await;
    let (status, head, _) = server.get("/heavy?alice", "").await;
    assert!(status == 200 && !head.contains("ratelimit"), "{head}");
    let (status, head, _) = server.get("/heavy?alice", "").await;
    assert!(status == 429 && head.contains("ratelimit: \"default\";r=2;t="), "{head}");
    assert_eq!(server.statuses("/?alice", "", 3).await, [200, 200, 429]);
}

#[tokio::test]
async fn the_address_of_the_connection_is_a_client() {
    let (limiter, _, _dir) = limiter(TWO_A_MINUTE);
    let peer = PeerAddress::of(|peer: &ConnectInfo<SocketAddr>| Some(peer.0.ip()));
    let server = serve(app().layer(RateLimitLayer::new(limiter, peer))).await;
    assert_eq!(server.statuses("/", "", 3).await, [200, 200, 429]);
}

#[tokio::test]
async fn another_namespace_has_other_policies() {
    let (limiter, _, _dir) = limiter(TWO_A_MINUTE);
    let layer = RateLimitLayer::new(limiter, Header::named(KEY)).namespace("billing").unwrap();
    let (status, head, _) = serve(app().layer(layer)).await.get("/", "X-Api-Key: alice\r\n").await;
    assert!(status == 429 && !head.contains("ratelimit"), "nobody is known there: {head}");
}

#[tokio::test]
async fn without_a_decision_the_answer_is_503_and_says_when_to_come_back_where_that_helps() {
    let busy = Err(CheckError::Busy { reason: "the node is busy".to_owned() });
    for (answer, retry_after) in [(busy, true), (Err(CheckError::Closed), false)] {
        let layer = RateLimitLayer::new(Always::limiter(answer), Header::named(KEY));
        let (status, head, body) = serve(app().layer(layer)).await.get("/", "X-Api-Key: alice\r\n").await;
        assert_eq!((status, head.contains("retry-after: 1")), (503, retry_after), "{head}");
        assert!(body.contains("#temporary-reduced-capacity"), "{body}");
    }
}
