//! What the routing client says when it is given dead, wrong or silent endpoints, or no time: a typed error, in time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::time::Duration;

use drl_client::{CheckError, CheckRequest, Connect, ConnectError, RateLimiter, Reason};
use drl_tests::cluster::{Cluster, Since, hourly};
use drl_tests::load::{in_force, used};
use drl_tests::node::Node;
use tokio::runtime::Runtime;

const WITHIN: Duration = Duration::from_millis(1_500);

/// What a loaded machine of two cores may add to a deadline.
const SLACK: Duration = Duration::from_millis(500);

fn dead_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn request(client: &str) -> CheckRequest<'_> {
    CheckRequest::new(client.as_bytes()).unwrap()
}

#[test]
fn one_endpoint_of_three_that_is_dead_or_no_node_changes_nothing() {
    let Some(cluster) = Cluster::start(&[]).unwrap() else { return };
    cluster.put_policy("default", &hourly(1_000)).unwrap();
    let runtime = Runtime::new().unwrap();
    let [first, second, third] = <[String; 3]>::try_from(cluster.endpoints().unwrap()).unwrap();
    let http = cluster.nodes[0].address("http").unwrap().to_string();
    for endpoints in [[dead_address(), second, third], [first, http, dead_address()]] {
        for _ in 0..5 {
            let since = Since::now();
            let limiter = runtime.block_on(RateLimiter::connect(&endpoints)).unwrap();
            let names: Vec<String> = (0..30).map(|client| format!("client-{client}")).collect();
            runtime.block_on(in_force(&limiter, &names, 1_000)).unwrap();
            for name in &names {
                let decision = runtime.block_on(limiter.strict().check(request(name))).unwrap();
                assert_eq!(decision.reason, Reason::WithinLimit, "{name}: every node's clients");
            }
            assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
        }
    }
}

#[test]
fn endpoints_of_which_none_is_a_node_are_named_with_what_each_said_and_in_time() {
    let work = tempfile::tempdir().unwrap();
    let node = Node::start(&work.path().join("node"), &[]).unwrap();
    let runtime = Runtime::new().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (http, redis) = (node.address("http").unwrap().to_string(), node.address("resp").unwrap().to_string());
    let (dead, silent) = (dead_address(), silent.local_addr().unwrap().to_string());
    for (endpoint, said) in [
        (&dead, "nothing listens there"),
        (&http, "is it a node's gRPC address?"),
        (&redis, "is it a node's gRPC address?"),
        (&silent, "no answer"),
    ] {
        let since = Since::now();
        let connect = Connect::new([endpoint]).connect_within(WITHIN).connect();
        let Err(error) = runtime.block_on(connect) else { panic!("{endpoint} is no node") };
        println!("{error}");
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(endpoint) && text.contains(said), "{text} does not say {said:?}");
        assert!(since.elapsed() < WITHIN + SLACK, "{:?}", since.elapsed());
    }
    let since = Since::now();
    let all = [&dead, &http, &redis, &silent];
    let Err(error) = runtime.block_on(Connect::new(all).connect_within(WITHIN).connect()) else { panic!("no node") };
    println!("{error}");
    assert!(since.elapsed() < WITHIN + SLACK, "{:?}", since.elapsed());
    for endpoint in [&dead, &http, &redis] {
        assert!(error.to_string().contains(endpoint), "{error}");
    }
    assert!(matches!(runtime.block_on(RateLimiter::connect(["nowhere"])), Err(ConnectError::InvalidEndpoint { .. })));
    assert!(matches!(runtime.block_on(RateLimiter::connect([""; 0])), Err(ConnectError::NoEndpoint)));
    assert!(matches!(pollster(RateLimiter::connect([&dead])), Err(ConnectError::NoRuntime)));
}

/// Runs a future that needs no runtime, because it says that it has none.
fn pollster<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(done) => done,
        std::task::Poll::Pending => panic!("it waits for something"),
    }
}

#[test]
fn a_deadline_of_zero_waits_for_nobody_and_breaks_nothing() {
    let Some(cluster) = Cluster::start(&[]).unwrap() else { return };
    cluster.put_policy("default", &hourly(1_000)).unwrap();
    let runtime = Runtime::new().unwrap();
    let limiter = runtime.block_on(RateLimiter::connect(cluster.endpoints().unwrap())).unwrap();
    let alice = "alice".to_owned();
    runtime.block_on(in_force(&limiter, std::slice::from_ref(&alice), 1_000)).unwrap();
    let hasty = limiter.within(Duration::ZERO);
    let since = Since::now();
    for _ in 0..100 {
        let refused = hasty.strict().blocking().check(request(&alice)).unwrap_err();
        assert!(matches!(refused, CheckError::TimedOut { .. }), "{refused:?}");
        let decided = hasty.blocking().check(request(&alice)).unwrap();
        assert_eq!((decided.allowed, decided.reason), (false, Reason::Unavailable));
        assert!(!hasty.blocking().allow_request(&alice));
    }
    println!("300 checks with a deadline of zero took {:?}", since.elapsed());
    assert!(since.elapsed() < SLACK, "{:?}", since.elapsed());
    assert!(limiter.strict().blocking().check(request(&alice)).unwrap().allowed);
    assert!((1..=301).contains(&runtime.block_on(used(&limiter, &alice)).unwrap()));
    assert!(CheckRequest::new(&vec![b'x'; 1 << 20]).is_err(), "an id of 1 MiB");
    assert!(!limiter.blocking().allow_request(vec![b'x'; 1 << 20]));
}
