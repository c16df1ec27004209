//! The limiter in process keeps the claims that every limiter keeps.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use drl_client::conformance::{self, LIMIT, SMALL, SMALL_LIMIT};
use drl_embedded::{InMemory, Namespace, Options, PolicyDocument, Selector};

#[tokio::test(flavor = "multi_thread")]
async fn every_claim_holds_in_process() {
    let limits = InMemory::new();
    for (namespace, requests) in [("default", LIMIT), (SMALL, SMALL_LIMIT)] {
        let policy = format!(r#"{{"limits":[{{"requests":{requests},"window":"1h"}}]}}"#);
        let policy = PolicyDocument::parse(policy.as_bytes()).unwrap();
        limits.set(Namespace::new(namespace).unwrap(), Selector::Default, policy).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let limiter = drl_embedded::open(dir.path(), Arc::new(limits), &Options::default()).unwrap();
    conformance::check(&limiter).await.unwrap();
}
