//! Finding the cluster, or saying why not.

use std::time::Duration;

use drl_client::{BlockingRateLimiter, Connect, ConnectError, RateLimiter};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::node::{Node, check, timed};

/// An address where nobody listens.
async fn dead() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Something that answers every connection with these bytes, or never.
async fn stranger(greeting: Option<&'static [u8]>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = [0; 1_024];
                while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                    if let Some(greeting) = greeting {
                        let _ = stream.write_all(greeting).await;
                    }
                }
            });
        }
    });
    address
}

async fn refused(endpoints: Vec<String>) -> (String, Duration) {
    let (error, took) = timed(Connect::new(endpoints).connect_within(Duration::from_millis(1_500)).connect()).await;
    let Err(error) = error else { panic!("it connected") };
    (error.to_string(), took)
}

#[tokio::test]
async fn one_of_three_endpoints_is_enough() {
    let node = Node::start().await;
    for _ in 0..6 {
        let limiter = RateLimiter::connect([dead().await, node.endpoint(), dead().await]).await.unwrap();
        assert!(check(&limiter, "alice").await.allowed);
    }
    let silent = stranger(None).await;
    let limiter = RateLimiter::connect([silent, node.endpoint()]).await.unwrap();
    assert!(check(&limiter, "alice").await.allowed);
}

#[tokio::test]
async fn each_endpoint_that_does_not_answer_is_named_with_its_reason() {
    let endpoints = [dead().await, dead().await];
    let (error, took) = refused(endpoints.to_vec()).await;
    assert!(endpoints.iter().all(|endpoint| error.contains(&**endpoint)), "{error}");
    assert!(error.contains("nothing listens there"), "{error}");
    assert!(took < Duration::from_millis(2_500), "{took:?}");
}

#[tokio::test]
async fn endpoints_that_are_silent_leave_time_for_the_one_that_answers() {
    let node = Node::start().await;
    let mut endpoints = vec![node.endpoint()];
    for _ in 0..8 {
        endpoints.push(stranger(None).await);
    }
    let connect = || Connect::new(&endpoints).connect_within(Duration::from_secs(3)).connect();
    let (a, b, c, d) = tokio::join!(connect(), connect(), connect(), connect());
    for limiter in [a, b, c, d] {
        assert!(check(&limiter.unwrap(), "alice").await.allowed);
    }
}

#[tokio::test]
async fn those_that_are_silent_or_were_not_reached_in_time_are_named_too() {
    let endpoints = [stranger(None).await, stranger(None).await, dead().await, dead().await];
    let (error, took) = refused(endpoints.to_vec()).await;
    for endpoint in &endpoints {
        assert_eq!(error.matches(&**endpoint).count(), 1, "{endpoint}: {error}");
    }
    assert!(error.contains("no answer"), "{error}");
    assert!(took < Duration::from_millis(2_500), "{took:?}");
}

#[tokio::test]
async fn another_program_on_the_port_is_recognised() {
    let (http, _) = refused(vec![stranger(Some(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")).await]).await;
    let (redis, _) = refused(vec![stranger(Some(b"-ERR unknown command 'PRI'\r\n")).await]).await;
    for error in [http, redis] {
        assert!(error.contains("gRPC address"), "{error}");
    }
    let (silent, took) = refused(vec![stranger(None).await]).await;
    assert!(silent.contains("no answer"), "{silent}");
    assert!(took < Duration::from_millis(2_500), "{took:?}");
}

#[tokio::test]
async fn what_is_no_endpoint_is_refused_before_anything_is_asked() {
    let error = RateLimiter::connect(Vec::<String>::new()).await.err().unwrap();
    assert_eq!(error, ConnectError::NoEndpoint);
    let error = RateLimiter::connect(["no port"]).await.err().unwrap();
    assert_eq!(error, ConnectError::InvalidEndpoint { endpoint: "no port".to_owned() });
}

#[test]
fn without_a_runtime_the_blocking_client_brings_its_own() {
    let servers = tokio::runtime::Runtime::new().unwrap();
    let node = servers.block_on(Node::start());
    let error = pollster::block_on(RateLimiter::connect([node.endpoint()])).err().unwrap();
    assert_eq!(error, ConnectError::NoRuntime);
    let limiter = BlockingRateLimiter::connect([node.endpoint()]).unwrap();
    assert!(limiter.allow_request("alice"));
    // The last handle may be dropped anywhere, inside a runtime too.
    servers.block_on(async move { drop(limiter) });
    servers.block_on(node.has_streams(0));
    assert_eq!(
        BlockingRateLimiter::connect(["x"]).err(),
        Some(ConnectError::InvalidEndpoint { endpoint: "x".to_owned() })
    );
}
