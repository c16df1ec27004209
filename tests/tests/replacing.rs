//! Every node is replaced by a new one, with a new name and an empty disk, while clients go on: by draining and by kill -9.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use drl_client::{CheckRequest, Connect, RateLimiter};
use drl_tests::cluster::{Cluster, hourly, let_pass};
use drl_tests::load::in_force;
use drl_tests::steady::Steady;
use tokio::runtime::Runtime;

const PLENTY: u64 = 1_000_000_000;

/// How a node goes.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// SIGTERM: it gives its shards away first.
    Drain,
    Kill9,
}

fn ask(limiter: &RateLimiter, client: &str) -> bool {
    limiter.blocking().check(CheckRequest::new(client.as_bytes()).unwrap()).unwrap().allowed
}

fn replace_every_node(way: Way) {
    let Some(mut cluster) = Cluster::start(&[]).unwrap() else { return };
    let runtime = Runtime::new().unwrap();
    let connect = Connect::new(cluster.endpoints().unwrap()).deadline(Duration::from_secs(2));
    let limiter = runtime.block_on(connect.connect()).unwrap();
    cluster.put_policy("default", &hourly(PLENTY)).unwrap();
    cluster.put_limit("ten", &hourly(10)).unwrap();
    let clients: Vec<String> = (0..24).map(|client| format!("client-{client}")).collect();
    runtime.block_on(in_force(&limiter, &clients, PLENTY)).unwrap();
    runtime.block_on(in_force(&limiter, &["ten".to_owned()], 10)).unwrap();
    cluster.in_sync().unwrap();
    let load = Steady::start(&runtime, &limiter, &clients, Duration::from_millis(10));
    let mut admitted = 0;
    for index in 0..3 {
        admitted += (0..2).filter(|_| ask(&limiter, "ten")).count();
        let new = cluster.start_node(3 + index, &cluster.etcd.url()).unwrap();
        cluster.nodes.push(new);
        cluster.in_sync().unwrap();
        let old = cluster.nodes.remove(0);
        match way {
            Way::Drain => assert_eq!(old.terminate().unwrap().code(), Some(0), "nothing names it any more"),
            Way::Kill9 => old.kill_9().unwrap(),
        }
        std::fs::remove_dir_all(cluster.directory(index)).unwrap();
        admitted += (0..1).filter(|_| ask(&limiter, "ten")).count();
        let_pass(Duration::from_millis(500));
        cluster.in_sync().unwrap();
    }
    admitted += (0..20).filter(|_| ask(&limiter, "ten")).count();
    println!("a client limited to 10: {admitted} admitted");
    assert!(admitted <= 10, "{admitted}");
    let accounts = load.stop(&runtime).unwrap();
    let (granted, unknown) = accounts.sums();
    println!("{granted} granted, {unknown} unknown, slowest answer {:?}", accounts.slowest());
    if matches!(way, Way::Drain) {
        assert_eq!((admitted, unknown), (10, 0), "a planned move fails nobody");
    }
    // A check that was under way to a node that goes is asked again of the next owner.
    accounts.add_up(&runtime, &limiter, PLENTY, 3).unwrap();
}

#[test]
fn by_drain() {
    replace_every_node(Way::Drain);
}

#[test]
fn by_kill_9() {
    replace_every_node(Way::Kill9);
}
