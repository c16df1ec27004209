//! In front of a tonic server, over HTTP/2.

use std::net::SocketAddr;

use drl_client::{CheckError, RateLimiter};
use drl_tower::{Header, PeerAddress, RateLimitLayer};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Channel;
use tonic::transport::server::TcpConnectInfo;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{Always, limiter};

const TWO_A_MINUTE: &str = r#"{"limits":[{"requests":2,"window":"1m"}]}"#;

async fn listen() -> (SocketAddr, TcpListenerStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener.local_addr().unwrap(), TcpListenerStream::new(listener))
}

async fn connect(address: SocketAddr) -> HealthClient<Channel> {
    HealthClient::new(Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap())
}

async fn serve(limiter: RateLimiter) -> HealthClient<Channel> {
    let (address, incoming) = listen().await;
    let layer = RateLimitLayer::new(limiter, Header::named("x-api-key"));
    let (_, health) = tonic_health::server::health_reporter();
    // It ends with the test's runtime.
    tokio::spawn(tonic::transport::Server::builder().layer(layer).add_service(health).serve_with_incoming(incoming));
    connect(address).await
}

async fn ask(client: &mut HealthClient<Channel>, key: &str) -> Result<tonic::metadata::MetadataMap, Status> {
    let mut request = Request::new(HealthCheckRequest::default());
    if !key.is_empty() {
        request.metadata_mut().insert("x-api-key", key.parse().unwrap());
    }
    client.check(request).await.map(|answer| answer.metadata().clone())
}

#[tokio::test]
async fn what_is_over_the_limit_is_resource_exhausted_with_the_fields_as_metadata() {
    let (limiter, _, _dir) = limiter(TWO_A_MINUTE);
    let mut client = serve(limiter).await;
    let passed = ask(&mut client, "alice").await.unwrap();
    assert_eq!(passed.get("ratelimit-policy").unwrap(), "\"default\";q=2;w=60");
    assert!(ask(&mut client, "alice").await.is_ok());
    let denied = ask(&mut client, "alice").await.unwrap_err();
    assert_eq!((denied.code(), denied.message()), (Code::ResourceExhausted, "denied: over-limit"));
    let retry_after: u64 = denied.metadata().get("retry-after").unwrap().to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&retry_after));
    assert!(denied.metadata().get("ratelimit").unwrap().to_str().unwrap().starts_with("\"default\";r=0;t="));
    assert!(ask(&mut client, "bob").await.is_ok(), "the connection goes on, and bob is another client");
}

#[tokio::test]
async fn a_missing_client_is_an_invalid_argument() {
    let (limiter, _, _dir) = limiter(TWO_A_MINUTE);
    assert_eq!(ask(&mut serve(limiter).await, "").await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn without_a_decision_the_answer_is_unavailable_whatever_the_reason_says() {
    let reason = "nobody answers: 100% of the owners \u{2014} away\r\n".to_owned();
    let mut client = serve(Always::limiter(Err(CheckError::Unavailable { reason: reason.clone() }))).await;
    let status = ask(&mut client, "alice").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, format!("unavailable: {reason}").as_str()));
}

#[tokio::test]
async fn the_address_of_the_connection_is_a_client() {
    let (limiter, _, _dir) = limiter(TWO_A_MINUTE);
    let peer = PeerAddress::of(|peer: &TcpConnectInfo| Some(peer.remote_addr()?.ip()));
    let (address, incoming) = listen().await;
    let (_, health) = tonic_health::server::health_reporter();
    let server = tonic::transport::Server::builder().layer(RateLimitLayer::new(limiter, peer)).add_service(health);
    tokio::spawn(server.serve_with_incoming(incoming));
    let mut client = connect(address).await;
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(ask(&mut client, "").await.err().map(|status| status.code()));
    }
    assert_eq!(codes, [None, None, Some(Code::ResourceExhausted)]);
}
