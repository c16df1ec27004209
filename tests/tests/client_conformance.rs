//! The routing client over a real node keeps the claims that every limiter keeps.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use drl_client::RateLimiter;
use drl_client::conformance::{self, LIMIT, SMALL, SMALL_LIMIT};
use drl_tests::node::Node;

fn set_default(node: &Node, namespace: &str, requests: u64) {
    let requests = requests.to_string();
    let arguments = ["limits", "set", "--default", "--namespace", namespace, "--limit", &requests, "--window", "1h"];
    let set = node.drl(&arguments).unwrap();
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_claim_holds_through_a_real_node() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(&dir.path().join("node"), &[]).unwrap();
    set_default(&node, "default", LIMIT);
    set_default(&node, SMALL, SMALL_LIMIT);
    let limiter = RateLimiter::connect([node.address("grpc").unwrap().to_string()]).await.unwrap();
    conformance::check(&limiter).await.unwrap();
}
