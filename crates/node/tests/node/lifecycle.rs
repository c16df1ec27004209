//! Starting, what forbids it, and stopping.

use std::time::Duration;

use drl_core::{NodeId, ShardCount};
use drl_node::{Node, StartError};
use drl_proto::v1::selector::Selector;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::support::{options, start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn policies_survive_a_restart_with_their_revision() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let json = r#"{"limits":[{"requests":7,"window":"1h"}]}"#;
    assert_eq!(node.set(Selector::Prefix("team-".into()), json).await.unwrap(), 1);
    node.stop().await;
    let node = start(&dir).await;
    assert!(node.resp().await.call("DRL.CHECK team-1 0").await.starts_with("[:1 :7 :7 :0 :0]"));
    assert_eq!(node.set_default(json).await, 2);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    for flag in ["--listen", "--http-listen", "--resp-listen"] {
        let mut options = options(&data);
        match flag {
            "--listen" => options.listen = address,
            "--http-listen" => options.http_listen = address,
            _ => options.resp_listen = Some(address),
        }
        let error = Node::start(options).await.err().unwrap();
        assert!(matches!(error, StartError::AddressInUse { .. }), "{error}");
        assert!(error.to_string().contains(flag) && error.to_string().contains(&address.to_string()), "{error}");
        assert!(!data.exists(), "a start that failed left its directory behind");
    }
    start(&dir).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_not_ours_is_refused_with_its_reason() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let error = Node::start(options(dir.path())).await.err().unwrap();
    assert!(error.to_string().contains("in use"), "{error}");
    node.stop().await;
    let mut other = options(dir.path());
    other.node_id = NodeId::new("other").unwrap();
    let error = Node::start(other).await.err().unwrap();
    assert!(error.to_string().contains("belongs to node"), "{error}");
    let mut shards = options(dir.path());
    shards.shards = ShardCount::new(7).unwrap();
    let error = Node::start(shards).await.err().unwrap();
    assert!(error.to_string().contains("--shards 1024"), "{error}");
    start(&dir).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_resp_address_there_is_no_resp_door() {
    let dir = TempDir::new().unwrap();
    let mut options = options(dir.path());
    options.resp_listen = None;
    let node = start_with(options).await;
    assert_eq!(node.addresses.resp, None);
    assert_eq!(node.http("GET /readyz", "").await.1, "ready\n");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_idle_and_half_open_clients() {
    let dir = TempDir::new().unwrap();
    let mut options = options(dir.path());
    options.drain_timeout = Duration::from_secs(30);
    let node = start_with(options).await;
    let mut idle = node.resp().await;
    assert_eq!(idle.call("PING").await, "+PONG");
    let mut half = node.resp().await;
    half.send(b"*2\r\n$4\r\nEC").await;
    let begun = drl_host::clock::monotonic();
    node.stop().await;
    let took = drl_host::clock::monotonic().0 - begun.0;
    assert!(took < 5_000_000_000, "{took} ns");
    assert!(idle.is_closed().await && half.is_closed().await);
}
