//! Who decides when nobody can.

use std::time::Duration;

use drl_client::{Connect, OnUnavailable, Reason};
use drl_proto::v1;

use crate::node::{Node, Said, allow, check, request, with_class};

async fn then_dead(class: v1::OnUnavailable, default: OnUnavailable) -> (Node, drl_client::RateLimiter) {
    let node = Node::start().await;
    node.does(move |message| Said::Answer(with_class(allow(message), class)));
    let connect = Connect::new([node.endpoint()]).deadline(Duration::from_millis(100)).on_unavailable(default);
    let limiter = connect.connect().await.unwrap();
    check(&limiter, "alice").await;
    node.stop();
    (node, limiter)
}

#[tokio::test]
async fn the_policy_decides_for_clients_that_were_seen_and_the_options_for_others() {
    let (_node, limiter) = then_dead(v1::OnUnavailable::Allow, OnUnavailable::Deny).await;
    let (alice, bob) = (check(&limiter, "alice").await, check(&limiter, "bob").await);
    assert_eq!((alice.allowed, alice.reason, alice.limit), (true, Reason::Unavailable, 10));
    assert_eq!((bob.allowed, bob.reason, bob.limit), (false, Reason::Unavailable, 0));
    let (_node, limiter) = then_dead(v1::OnUnavailable::Deny, OnUnavailable::Allow).await;
    assert!(!check(&limiter, "alice").await.allowed);
    assert!(limiter.allow_request("bob").await);
    assert!(limiter.peek(request("bob")).await.unwrap().allowed);
}

#[tokio::test]
async fn a_local_estimate_says_so_and_keeps_the_limit() {
    let (_node, limiter) = then_dead(v1::OnUnavailable::Local, OnUnavailable::Deny).await;
    let first = check(&limiter, "alice").await;
    // The fake says of its first check that nothing remains.
    assert_eq!((first.allowed, first.reason), (false, Reason::LocalEstimate));
    assert!(first.reset_after.0 > 0 && first.window.0 == 60_000_000_000);
}
